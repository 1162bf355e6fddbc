"""The package loads at once: what is heavy waits until it is used."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "numba", "scipy", "numpy", "pandas", "sklearn", "matplotlib", "pyarrow"}


def loaded_by(code: str) -> set[str]:
    """Heavy packages in memory after `code` has run in a process of its own."""
    script = f"{code}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return HEAVY & set(done.stdout.split())


def test_the_package_alone_is_light():
    assert loaded_by("import celsa_lib") == set()
    assert loaded_by("import celsa_lib.models.registry as r; r.by_label('ELSA')") == set()


def test_the_command_is_light_until_it_works():
    assert loaded_by("from celsa_lib.cli import app") == set()
    listed = "from typer.testing import CliRunner\nfrom celsa_lib.cli import app\n"
    assert loaded_by(listed + "CliRunner().invoke(app, ['data', 'list'])") == set()
    assert loaded_by("import celsa_lib as cl; cl.datasets(); cl.dataset_info('ml-1m')") == set()


def test_the_report_needs_no_torch():
    assert "torch" not in loaded_by("from celsa_lib import report")


def test_names_are_there_when_they_are_used():
    assert "torch" in loaded_by("import celsa_lib as cl; cl.CompressedELSA(8, 2)")
    assert "torch" not in loaded_by("import celsa_lib as cl; cl.split_users")


def test_names_can_be_listed_and_a_wrong_one_is_an_error():
    import celsa_lib as cl

    assert set(cl.__all__) <= set(dir(cl))
    with pytest.raises(AttributeError, match="CompresedELSA"):
        _ = cl.CompresedELSA
