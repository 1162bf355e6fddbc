"""What is imported is declared and the other way round, and the lock has it as declared."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
NOT_LOCKED = {"bench", "retrieval"}  # `make bench` installs the one, who serves rows the other


def deptry(folder: Path) -> subprocess.CompletedProcess:
    program = Path(sys.executable).with_name("deptry")
    return subprocess.run(
        [program, ".", "--no-ansi"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_what_is_imported_is_declared_and_the_other_way_round():
    done = deptry(ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("code", "said"),
    [("import requests\n", "'requests' imported"), ("", "'pooch' defined as a dependency but not")],
)
def test_what_is_not_is_found(tmp_path, code, said):
    declared = '[project]\nname = "a"\ndependencies = ["pooch"]\n'
    (tmp_path / "pyproject.toml").write_text(declared)
    (tmp_path / "a.py").write_text(code)
    assert said in deptry(tmp_path).stderr


def requirements(lines: list[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def declared() -> list[Requirement]:
    """Every dependency of pyproject.toml that `make` installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return requirements(
        [*project["dependencies"], *(x for e in extras.keys() - NOT_LOCKED for x in extras[e])]
    )


def unmet(wanted: list[Requirement], locked: list[Requirement]) -> list[str]:
    """What `wanted` asks for that `locked` lacks, or has at a version that does not fit."""
    versions = {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in locked}
    found = [(one, versions.get(canonicalize_name(one.name))) for one in wanted]
    return [str(one) for one, version in found if not version or version not in one.specifier]


def test_the_lock_has_what_is_declared():
    locked = requirements((ROOT / "requirements.lock").read_text().splitlines())
    assert all(str(pin.specifier).startswith("==") for pin in locked)
    assert not unmet(declared(), locked)
    assert not unmet(requirements(["A-b>=1"]), requirements(["a_b==1.0"]))
    assert unmet(requirements(["a>=2", "b"]), requirements(["a==1.9"])) == ["a>=2", "b"]


def test_conda_installs_the_lock():
    assert "- -r requirements.lock" in (ROOT / "environment.yml").read_text()


def test_make_help_lists_every_target():
    told = re.findall(r"^([\w-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    assert len(told) > 9 and all(f"make {target} " in shown for target in told)
