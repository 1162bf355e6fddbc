"""Sweeps: the grid, the plan, what changes a run's id, and Snakemake itself where it is there."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import nbformat
import pytest
import yaml
from typer.testing import CliRunner

from celsa_lib.book import fingerprint as fingerprints
from celsa_lib.cli import app
from celsa_lib.errors import CelsaError, ConfigError, DatasetNotFoundError, StorageError
from celsa_lib.sweeps import Estimate, Sweep, load_sweep, make_plan, plan_lines, run_plan
from celsa_lib.sweeps.job import main, run_job
from celsa_lib.sweeps.lock import locked
from celsa_lib.sweeps.plan import record_of
from celsa_lib.sweeps.table import duration
from celsa_lib.sweeps.workflow import SNAKEFILE, command, write_config

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "workflow"
# Each run adds a line to a file, so that a test can count runs.
TINY = 'name = "x"\nseed = 0\nwait = 0.0'
BODY = (
    "import time\ntime.sleep(wait)\n"
    'with open("ran.txt", "a") as file:\n    print(name, seed, file=file)'
)


def write_notebook(root: Path, parameters: str = TINY, body: str = BODY) -> Path:
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells.append(nbformat.v4.new_code_cell(body))
    metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    path = root / "notebooks" / "tiny.ipynb"
    path.parent.mkdir(exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # not random: the same source gives the same file
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A folder with a tiny notebook, which is the current one."""
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path)
    return tmp_path


def write_sweep(folder: Path, sweep: Sweep) -> None:
    (folder / "sweep.json").write_text(json.dumps(asdict(sweep)))


def tiny(**grid) -> Sweep:
    return Sweep("tiny", grid or {"seed": [0, 1]})


def ids(root: Path, sweep: Sweep | None = None) -> list[str]:
    return [run.id for run in make_plan(sweep or tiny(), root, root / "out").runs]


def pretend_finished(run, seconds: float, notebook: str = "notebooks/tiny.ipynb") -> None:
    run.target.parent.mkdir(parents=True, exist_ok=True)
    run.target.write_text("{}")
    record = {"id": run.id, "notebook": notebook, "parameters": run.parameters}
    record_of(run.target).write_text(json.dumps(record | {"seconds": seconds}))


def test_the_grid_is_a_product_in_order():
    sweep = Sweep("tiny", {"name": ["a", "b"], "seed": [0, 1]})
    assert [tuple(c.values()) for c in sweep.combinations()] == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
        ("b", 1),
    ]
    assert Sweep("tiny", {}).combinations() == [{}]


def test_a_sweep_from_json(tmp_path):
    sweep = Sweep("tiny", {"seed": [0, 1]}, 2, (Estimate(3.0, {"seed": 1}), Estimate(9.0)))
    write_sweep(tmp_path, sweep)
    assert load_sweep(tmp_path / "sweep.json") == sweep
    assert [sweep.expected_seconds(c) for c in sweep.combinations()] == [9.0, 3.0]


def test_the_shipped_sweep_fits_its_notebook():
    plan = make_plan(load_sweep(SHIPPED / "sweep.toml"), ROOT, ROOT / "build/none")
    assert len({run.id for run in plan.runs}) == len(plan.runs) == 6
    assert all(run.seconds for run in plan.runs)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('notebook = "tiny"', "grid"),
        ("[grid]\nseed = [0]", "notebook"),
        ('notebook = "tiny"\ngird = 1\n[grid]\nseed = [0]', "gird"),
        ('notebook = "tiny"\n[grid]\nseed = 0', "seed"),
        ('notebook = "tiny"\n[grid]\nseed = []', "seed"),
        ('notebook = "tiny"\n[grid]\nseed = [1, 1]', "twice"),
        ('notebook = "tiny"\n[grid]\nseed = [1979-05-27]', "JSON"),
        ('notebook = "tiny"\ngrid = 3', "grid"),
        ('notebook = "tiny"\nthreads = 0\n[grid]', "threads"),
        ('notebook = "tiny"\nestimates = 4\n[grid]', "not a sweep"),
        ('notebook = "tiny"\nestimates = [4]\n[grid]', "estimates"),
        ('notebook = "tiny"\n[grid]\n[[estimates]]\nseconds = -1', "seconds"),
        ('notebook = "tiny"\n[grid]\n[[estimates]]\nsecond = 1', "second"),
        ('notebook = "tiny"\n[grid]\n[[estimates]]\nseconds = 1\nwhen = {sed = 1}', "sed"),
        ("not toml", "sweep.toml is not a sweep"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, told):
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told) as error:
        load_sweep(path)
    assert "sweep.toml" in str(error.value)


def test_a_file_of_another_kind_or_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.toml or \.json"):
        load_sweep(tmp_path / "sweep.yaml")
    with pytest.raises(StorageError, match="check the path"):
        load_sweep(tmp_path / "sweep.toml")


@pytest.mark.parametrize("grid", [{"sede": [1]}, {"seed": ["1"]}, {"seed": [1.5]}, {"name": [7]}])
def test_a_parameter_that_the_notebook_has_not_is_refused(root, grid):
    with pytest.raises(ConfigError, match=next(iter(grid))):
        ids(root, tiny(**grid))


def test_an_unknown_dataset_is_refused_before_anything_runs(root):
    write_notebook(root, 'dataset = "synthetic"')
    with pytest.raises(DatasetNotFoundError, match="ml-100k"):
        ids(root, tiny(dataset=["ml-100"]))


def test_ids_are_the_same_again_and_differ_by_parameters(root):
    assert ids(root) == ids(root)
    assert len(set(ids(root))) == 2
    assert ids(root, tiny(wait=[1])) == ids(root, tiny(wait=[1.0]))


def test_an_id_changes_with_the_notebook(root):
    before = ids(root)
    write_notebook(root, body=BODY + "\n1")
    assert not set(ids(root)) & set(before)


def test_an_id_changes_with_the_library(root, monkeypatch):
    before = ids(root)
    (root / "more.py").write_text("")
    code = fingerprints.code_files()
    monkeypatch.setattr(fingerprints, "code_files", lambda: [*code, root / "more.py"])
    assert not set(ids(root)) & set(before)


def test_an_id_changes_with_the_data_not_with_its_place(root, monkeypatch):
    write_notebook(root, 'dataset = "ml-1m"')
    found = []
    for place, text in (("a", "1"), ("b", "1"), ("b", "2")):
        folder = root / place / "ml-1m"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ratings.dat").write_text(text)
        (folder / "movies.dat").write_text("")
        monkeypatch.setenv("CELSA_DATA", str(root / place))
        found += ids(root, tiny(dataset=["ml-1m"]))
    assert found[0] == found[1] != found[2]


def test_an_id_changes_with_stored_results_only_if_the_notebook_reads_any(root):
    (root / "results" / "names").mkdir(parents=True)
    before = ids(root)
    (root / "results" / "some.json").write_text("1")
    assert ids(root) == before
    write_notebook(root, body='open(f"results/{name}.json")')  # which one, only the run knows
    for name in ("x.json", "x.users.npz", "names/x.json"):
        before = ids(root)
        (root / "results" / name).write_text("2")
        assert not set(ids(root)) & set(before), name


def test_an_id_changes_with_a_file_that_a_parameter_names(root):
    (root / "mine.csv").write_text("1")
    before = ids(root, tiny(name=["mine.csv"]))
    (root / "mine.csv").write_text("2")
    assert ids(root, tiny(name=["mine.csv"])) != before


def test_what_is_finished_is_not_missing(root):
    plan = make_plan(tiny(), root, root / "out")
    pretend_finished(plan.runs[0], 1.0)
    assert plan.missing == [plan.runs[1]]
    record_of(plan.runs[0].target).unlink()  # its record is written last
    assert len(plan.missing) == 2


def test_costs_come_from_records_then_estimates(root):
    sweep = Sweep(
        "tiny", {"name": ["a", "b", "c"], "seed": [0, 1]}, 1, (Estimate(50, {"name": "b"}),)
    )
    a0 = make_plan(sweep, root, root / "out").runs[0]
    pretend_finished(a0, 20.0)
    write_notebook(root, body="2")  # all are missing again; what a took is remembered
    plan = make_plan(sweep, root, root / "out")
    assert [run.seconds for run in plan.runs] == [20, 20, 50, 50, None, None]
    lines = plan_lines(plan, cores=2)
    assert "name=a seed=1" in lines[1] and "about 20 s" in lines[1]
    assert lines[4].endswith("unknown")
    assert lines[-1] == (
        "6 of 6 would run, about 2 min of computing, 70 s with 2 at a time; 2 of unknown duration"
    )
    assert "at a time" not in plan_lines(plan, cores=None)[-1]


def test_times_of_another_notebook_of_that_name_do_not_count(root):
    run = make_plan(tiny(), root, root / "out").runs[0]
    pretend_finished(run, 20.0, notebook="other/tiny.ipynb")
    assert make_plan(tiny(), root, root / "out").runs[1].seconds is None


def test_a_damaged_record_is_named(root):
    run = make_plan(tiny(), root, root / "out").runs[0]
    pretend_finished(run, 20.0)
    record_of(run.target).write_text("{")
    with pytest.raises(StorageError, match=f"{run.id}.json"):
        make_plan(tiny(), root, root / "out")


@pytest.mark.parametrize(("seconds", "told"), [(9.6, "10 s"), (600, "10 min"), (9000, "2.5 h")])
def test_durations(seconds, told):
    assert duration(seconds) == told


def test_the_dry_run_lists_and_leaves_nothing(root):
    write_sweep(root, tiny())
    result = CliRunner().invoke(app, ["sweep", "sweep.json", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "seed=1  would run  unknown" in result.output
    assert "2 of 2 would run; 2 of unknown duration" in result.output
    assert not (root / "build").exists()


def test_without_snakemake_the_error_says_what_to_install(root, monkeypatch):
    monkeypatch.setattr("celsa_lib.sweeps.workflow.find_spec", lambda name: None)
    plan = make_plan(tiny(), root, root / "out")
    with pytest.raises(CelsaError, match=r'pip install "celsa\[workflow\]"'):
        run_plan(plan, root / "out", 1)
    for run in plan.runs:
        pretend_finished(run, 1.0)
    run_plan(plan, root / "out", 1)  # nothing is missing, nothing is needed


def test_a_missing_profile_is_named(root, monkeypatch):
    monkeypatch.setattr("celsa_lib.sweeps.workflow.find_spec", lambda name: object())
    with pytest.raises(ConfigError, match=r"none/config\.yaml"):
        run_plan(make_plan(tiny(), root, root / "out"), root / "out", None, Path("none"))


def test_the_command_and_its_configuration(root):
    plan = make_plan(tiny(), root, root / "out")
    pretend_finished(plan.runs[0], 1.0)
    config = json.loads(write_config(plan, root / "out").read_text())
    assert list(config["runs"]) == [plan.runs[1].id]
    assert config["folder"] == "tiny" and config["python"] == sys.executable
    words = command(plan, root / "out", None, Path("workflow/profiles/slurm"))
    assert "--cores" not in words
    assert words[-2:] == ["--profile", str(root / "workflow/profiles/slurm")]
    assert SNAKEFILE.exists()


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_the_shipped_profiles_name_their_executor(name):
    profile = yaml.safe_load((SHIPPED / "profiles" / name / "config.yaml").read_text())
    assert profile["executor"] == name
    assert profile["jobs"] > 1


def job_of(root: Path, number: int = 0) -> tuple[dict, Path]:
    run = make_plan(tiny(), root, root / "out").runs[number]
    return {
        "id": run.id,
        "notebook": "notebooks/tiny.ipynb",
        "parameters": run.parameters,
    }, run.target


def test_a_job_runs_once_and_records_its_time(root):
    job, target = job_of(root)
    assert main([str(root), json.dumps(job), str(target)]) == 0
    record = json.loads(record_of(target).read_text())
    assert record["parameters"] == {"seed": 0} and record["seconds"] > 0
    run_job(root, job, target)
    assert (root / "ran.txt").read_text() == "x 0\n"


def test_a_job_of_changed_code_is_refused(root, capsys):
    job, target = job_of(root)
    write_notebook(root, body="3")
    assert main([str(root), json.dumps(job), str(target)]) == 1
    assert "start it again" in capsys.readouterr().err
    assert not target.exists()


def test_a_job_waits_for_the_process_that_is_at_the_same_run(root):
    pytest.importorskip("fcntl")
    job, target = job_of(root)
    run = make_plan(tiny(), root, root / "out").runs[0]
    with locked(target.with_name(f".{target.stem}.lock")):
        waiting = threading.Thread(target=run_job, args=(root, job, target))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        pretend_finished(run, 1.0)
    waiting.join(30)
    assert not (root / "ran.txt").exists()


def test_a_second_sweep_of_the_same_is_refused(root, monkeypatch):
    pytest.importorskip("fcntl")
    monkeypatch.setattr("celsa_lib.sweeps.workflow.find_spec", lambda name: object())
    with locked(root / "out" / ".tiny.lock"), pytest.raises(StorageError, match="wait for it"):
        run_plan(make_plan(tiny(), root, root / "out"), root / "out", 1)


def sweep_process(root: Path, *more: str) -> subprocess.Popen:
    """`celsa sweep` in a group of processes of its own, which can be killed together."""
    words = [
        sys.executable,
        "-c",
        "from celsa_lib.cli import app; app()",
        "sweep",
        "sweep.json",
        "--out",
        "out",
        *more,
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        words, cwd=root, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finished(root: Path) -> dict[str, int]:
    """When the notebook of each finished run was written, by id."""
    records = (root / "out" / "tiny").glob("*.json")
    return {path.stem: path.with_suffix(".ipynb").stat().st_mtime_ns for path in records}


@pytest.mark.slow
def test_a_sweep_killed_half_way_loses_nothing_finished(root):
    pytest.importorskip("snakemake")
    sweep = Sweep("tiny", {"seed": [0, 1, 2, 3], "wait": [0.5]})
    write_sweep(root, sweep)
    first = sweep_process(root, "--cores", "1")
    while first.poll() is None and len(finished(root)) < 2:
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    kept = finished(root)
    assert 2 <= len(kept) < 4
    second = sweep_process(root, "--cores", "2")
    said, _ = second.communicate(timeout=300)
    assert second.returncode == 0, said
    assert len(finished(root)) == 4
    assert {name: finished(root)[name] for name in kept} == kept
    third = sweep_process(root)
    said, _ = third.communicate(timeout=60)
    assert "0 of 4 would run" in said
    assert not list((root / "out" / "tiny").glob("*.failed.ipynb"))


@pytest.mark.slow
def test_a_failing_run_is_told_and_the_others_go_on(root):
    pytest.importorskip("snakemake")
    write_notebook(root, body=BODY + "\n1 / seed")
    write_sweep(root, tiny())
    process = sweep_process(root, "--cores", "1")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "ZeroDivisionError" in said and "1 of 2 runs are not finished" in said
    assert len(finished(root)) == 1
    assert len(list((root / "out" / "tiny").glob("*.failed.ipynb"))) == 1
