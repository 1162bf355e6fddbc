"""The workflow: the grid of a sweep, what decides a run, and Snakemake itself."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import nbformat
import pytest
import yaml
from filelock import FileLock
from slurm_machine import one_machine_slurm, why_not
from stored_rows import method_row
from typer.testing import CliRunner

from celsa_lib.cli import app
from celsa_lib.errors import ConfigError, DatasetNotFoundError, NotebookError, StorageError
from celsa_lib.results import Result, save_result
from celsa_lib.workflow import (
    Estimate,
    NotebookRun,
    Sweep,
    Workflow,
    book_workflow,
    digests,
    load_sweep,
    older_results,
    runs_of,
    sweep_lines,
)
from celsa_lib.workflow.job import main, run_job
from celsa_lib.workflow.runs import measured_seconds
from celsa_lib.workflow.snake import SNAKEFILE
from celsa_lib.workflow.table import duration

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


def runs(root: Path, sweep: Sweep | None = None) -> list[NotebookRun]:
    return runs_of(sweep or tiny(), root, root / "out")


def decided(root: Path, **grid) -> list[dict]:
    return [run.decided_by for run in runs(root, tiny(**grid))]


def workflow_of(root: Path, sweep: Sweep | None = None) -> Workflow:
    return Workflow(root, root / "out", runs(root, sweep), threads=1)


def pretend_measured(root: Path, run: NotebookRun, seconds: float) -> None:
    path = root / "out" / "times" / f"{run.target}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\n{seconds}\t0:00:20\n")


def ran(root: Path) -> list[str]:
    path = root / "ran.txt"
    return path.read_text().splitlines() if path.exists() else []


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


@pytest.mark.parametrize(
    ("text", "message"),
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
def test_a_wrong_file_is_refused(tmp_path, text, message):
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_sweep(path)
    assert "sweep.toml" in str(error.value)


def test_a_file_of_another_kind_or_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.toml or \.json"):
        load_sweep(tmp_path / "sweep.yaml")
    with pytest.raises(StorageError, match="check the path"):
        load_sweep(tmp_path / "sweep.toml")


def test_the_shipped_sweep_fits_its_notebook():
    found = runs_of(load_sweep(SHIPPED / "sweep.toml"), ROOT, ROOT / "build/none")
    assert len({run.target for run in found}) == len(found) == 6
    assert all(run.seconds for run in found)
    assert {run.dataset for run in found} == {"ml-100k", "ml-1m"}


@pytest.mark.parametrize("grid", [{"sede": [1]}, {"seed": ["1"]}, {"seed": [1.5]}, {"name": [7]}])
def test_a_parameter_that_the_notebook_has_not_is_refused(root, grid):
    with pytest.raises(ConfigError, match=next(iter(grid))):
        runs(root, tiny(**grid))


def test_an_unknown_dataset_is_refused_before_anything_runs(root):
    write_notebook(root, 'dataset = "synthetic"')
    with pytest.raises(DatasetNotFoundError, match="ml-100k"):
        runs(root, tiny(dataset=["ml-100"]))


def test_files_are_named_by_parameters(root):
    """Readable, safe in a shell, and different where parameters are."""
    first, second = runs(root, tiny(name=["a/b c{x}", "a/bc{x}"]))
    assert first.target.startswith("tiny/name=abcx-") and first.target != second.target
    assert runs(root, tiny(wait=[1]))[0].target == runs(root, tiny(wait=[1.0]))[0].target
    assert len(runs(root, tiny(name=["long" * 200]))[0].target) < 120


def test_what_decides_a_run(root, monkeypatch):
    """The notebook, the library and a file that a parameter names; nothing else in the folder."""
    (root / "mine.csv").write_text("1")
    (root / "other.csv").write_text("1")
    (before,) = decided(root, name=["mine.csv"])
    (root / "other.csv").write_text("2")
    assert decided(root, name=["mine.csv"]) == [before]
    (root / "mine.csv").write_text("2")
    assert decided(root, name=["mine.csv"])[0]["files"] != before["files"]
    write_notebook(root, body=BODY + "\n1")
    assert decided(root, name=["mine.csv"])[0]["notebook"] != before["notebook"]
    (root / "more.py").write_text("")
    code = digests.code_files()
    monkeypatch.setattr(digests, "code_files", lambda: [*code, root / "more.py"])
    digests.library_digest.cache_clear()
    assert decided(root, name=["mine.csv"])[0]["library"] != before["library"]
    digests.library_digest.cache_clear()


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("1", []),
        ('report.stored("a")', ["a"]),
        ('f"results/{name}-b.json"', ["x-b"]),
        ('f"{name + name}-b"', ["x-b", "y-b"]),  # what is computed may be anything
        ("%matplotlib inline\nreport.claims(results)", ["a", "x-b", "y-b"]),
    ],
)
def test_stored_results_that_a_notebook_reads(root, body, read):
    """With their users' values; recorded names of segments always, as the library reads them."""
    (root / "results" / "names").mkdir(parents=True)
    for name in ("a.json", "a.users.npz", "x-b.json", "y-b.json", "names/n.jsonl"):
        (root / "results" / name).write_text("1")
    write_notebook(root, body=body)
    users = ["a.users.npz"] if "a" in read else []
    assert reads(root) == {*(f"{name}.json" for name in read), *users, "n.jsonl"}
    before = decided(root)
    (root / "results" / "a.users.npz").write_text("2")
    assert (decided(root) != before) == ("a" in read)
    write_notebook(root, 'name = "x"', "report.stored(name)")
    assert "a.json" in reads(root, name="a")


def reads(root: Path, **parameters) -> set[str]:
    values = {"name": "x", "seed": 0} | parameters
    found = digests.stored_results(root, root / "notebooks" / "tiny.ipynb", values)
    return {path.name for path in found}


def test_a_page_with_claims_of_its_own_reads_what_judges_them():
    code = 'report.claims(results).of("widths").table()'
    assert digests.judging(code) == {"goodbooks-widths", "ml-100k-widths"}
    assert digests.judging(code + "; report.claims()") == {"*"}
    assert digests.judging("report.stored(name)") == set()


def test_costs_come_from_what_was_measured_then_estimates(root):
    sweep = Sweep(
        "tiny", {"name": ["a", "b", "c"], "seed": [0, 1]}, 1, (Estimate(50, {"name": "b"}),)
    )
    pretend_measured(root, runs(root, sweep)[0], 20.0)
    found = runs(root, sweep)
    assert [run.seconds for run in found] == [20, 20, 50, 50, None, None]
    lines = sweep_lines(found, {run.target for run in found}, threads=1, cores=2)
    assert "name=a seed=1" in lines[1] and "about 20 s" in lines[1]
    assert lines[4].endswith("unknown")
    assert lines[-1] == (
        "6 of 6 would run, about 2 min of computing, 70 s with 2 at a time; 2 of unknown duration"
    )
    lines = sweep_lines(found, set(), threads=1, cores=None)
    assert lines[0].endswith("finished   took 20 s") and lines[-1] == "0 of 6 would run"


@pytest.mark.parametrize(("seconds", "text"), [(9.6, "10 s"), (600, "10 min"), (9000, "2.5 h")])
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_the_dry_run_lists_and_runs_nothing(root):
    write_sweep(root, tiny())
    result = CliRunner().invoke(app, ["sweep", "sweep.json", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "seed=1  would run  unknown" in result.output
    assert "2 of 2 would run; 2 of unknown duration" in result.output
    assert not ran(root)


def test_without_snakemake_the_error_says_what_to_install(root, monkeypatch):
    monkeypatch.setattr("celsa_lib.workflow.snake.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "celsa\[book\]"'):
        workflow_of(root).run(1)


def test_a_missing_profile_is_named(root):
    with pytest.raises(ConfigError, match=r"none/config\.yaml"):
        workflow_of(root).run(None, Path("none"))


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_the_shipped_profiles_name_their_executor(name):
    profile = yaml.safe_load((SHIPPED / "profiles" / name / "config.yaml").read_text())
    assert profile["executor"] == name
    assert profile["jobs"] > 1


@pytest.mark.slow
def test_a_run_is_made_again_when_what_decides_it_changes(root, monkeypatch):
    """Its notebook and its data, which is fetched by a rule of its own; not times of files."""
    folder = root / "data" / "ml-1m"
    folder.mkdir(parents=True)
    for name in ("ratings.dat", "movies.dat"):
        (folder / name).write_text("1")
    monkeypatch.setenv("CELSA_DATA", str(root / "data"))
    body = BODY.replace("name, seed", "dataset")
    write_notebook(root, 'dataset = "ml-1m"\nwait = 0.0', body)
    sweep = tiny(dataset=["ml-1m", "synthetic"])
    workflow_of(root, sweep).run(2)
    assert sorted(ran(root)) == ["ml-1m", "synthetic"]
    (root / "notebooks" / "tiny.ipynb").touch()
    assert workflow_of(root, sweep).pending() == set()
    (folder / "ratings.dat").write_text("2")
    workflow_of(root, sweep).run(1)
    assert ran(root)[2:] == ["ml-1m"]
    write_notebook(root, 'dataset = "ml-1m"\nwait = 0.0', body + "\n1")
    again = workflow_of(root, sweep)
    assert again.pending() == {run.target for run in again.runs}
    assert all(measured_seconds(root / "out", run.target) > 0 for run in again.runs)


def test_a_lock_of_a_process_that_is_gone_is_cleared_and_that_of_another_respected(root):
    one = tiny(seed=[0])
    locks = root / "out" / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    for kind in ("input", "output"):
        (locks / f"0.{kind}.lock").write_text(f"{runs(root, one)[0].target}.ipynb\n")
    with FileLock(root / "out" / ".lock"), pytest.raises(StorageError, match="another process"):
        workflow_of(root, one).run(1)
    workflow_of(root, one).run(1)
    assert ran(root) == ["x 0"]


def test_a_failing_run_is_reported_and_the_others_go_on(root, capfd):
    write_notebook(root, body=BODY + "\n1 / seed")
    with pytest.raises(NotebookError, match="goes on from here"):
        workflow_of(root).run(1)
    assert "ZeroDivisionError" in capfd.readouterr().err
    left = workflow_of(root).pending()
    assert len(left) == 1 and "seed=0" in left.pop()
    assert len(list((root / "out" / "tiny").glob("*.failed.ipynb"))) == 1


def job_of(root: Path) -> tuple[dict, Path]:
    run = runs(root)[0]
    return run.as_config(), root / "out" / f"{run.target}.ipynb"


def test_a_job_of_changed_code_or_data_is_refused(root, capsys):
    job, target = job_of(root)
    job |= {"dataset": "synthetic"}
    with pytest.raises(ConfigError, match="data differ"):
        run_job(root, job, target, checksum="other")
    write_notebook(root, body="3")
    assert main(["notebook", str(root), json.dumps(job), str(target)]) == 1
    assert "notebook differ from when the workflow began" in capsys.readouterr().err
    assert not target.exists()


def test_a_job_waits_for_one_that_was_left_behind(root):
    job, target = job_of(root)
    target.parent.mkdir(parents=True)
    with FileLock(target.with_name(f".{target.stem}.lock")):
        waiting = threading.Thread(target=run_job, args=(root, job, target))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive() and not ran(root)
    waiting.join(60)
    assert ran(root) == ["x 0"] and target.exists()


def test_the_book_as_a_workflow(tmp_path):
    """From data to page, and every notebook of the table of contents among its runs."""
    book = book_workflow(ROOT, "smoke")
    book.folder = tmp_path  # nothing there yet
    assert {run.notebook.stem for run in book.runs} == {
        path.stem for path in (ROOT / "notebooks").glob("*.ipynb")
    }
    assert book.pending() == {run.target for run in book.runs}
    graph = book.graph()
    for rule in ("html", "notebook", "fetch", "claims"):
        assert f'label = "{rule}"' in graph
    assert 'label = "study"' not in graph  # it takes hours: only where it is asked for
    with_study = book_workflow(ROOT, "smoke", studies=["ml-100k-widths"])
    with_study.folder = tmp_path
    assert 'label = "study"' in with_study.graph()


def test_results_older_than_the_code_are_named(tmp_path):
    """Two commits to what trains since the first run, one elsewhere; benchmarks do not count."""

    def git(*words: str) -> str:
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        command = ["git", "-C", str(tmp_path), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(name: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.read_text() + "x" if path.exists() else "x")
        git("add", "-A")
        git("commit", "-qm", name)
        return git("rev-parse", "--short", "HEAD")

    git("init", "-q")
    first = commit("celsa_lib/models/a.py")
    commit("celsa_lib/models/a.py")
    commit("celsa_lib/report/b.py")
    last = commit("celsa_lib/training/c.py")
    for name, found, kind in (
        ("old", first, "methods"),
        ("new", last, "methods"),
        ("cost", first, "benchmark"),
        ("lost", "1234567", "methods"),
    ):
        run = {"commit": found, "clean": True, "machine": {}, "versions": {}, "threads": 1,
               "date": "2026-01-02"}  # fmt: skip
        row = method_row(run="r") if kind == "methods" else {"run": "r", "section": "step"}
        result = Result({"kind": kind, "runs": {"r": run}}, [row])
        save_result(result, tmp_path / "results" / f"{name}.json")
    assert older_results(tmp_path) == {"old": 2}


def sweep_process(root: Path, *more: str) -> subprocess.Popen:
    """`celsa sweep` in a group of processes of its own, which can be killed together."""
    words = [sys.executable, "-m", "celsa_lib.cli", "sweep", "sweep.json", "--out", "out", *more]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        words, cwd=root, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finished(root: Path) -> dict[str, int]:
    """When the notebook of each run was written, by name."""
    folder = root / "out" / "tiny"
    found = [p for p in folder.glob("*.ipynb") if not p.name.endswith(".failed.ipynb")]
    return {path.stem: path.stat().st_mtime_ns for path in found}


def killed(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_a_sweep_killed_half_way_loses_nothing_finished(root):
    write_sweep(root, Sweep("tiny", {"seed": [0, 1, 2, 3], "wait": [1.5]}))
    first = sweep_process(root, "--cores", "1")
    noted = root / "out" / ".snakemake" / "metadata"  # a file for each output that is finished
    while first.poll() is None and len(list(noted.glob("*"))) < 2:
        time.sleep(0.05)
    killed(first)
    kept = finished(root)
    assert len(kept) == 2
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
@pytest.mark.parametrize("seed", range(8))
def test_a_sweep_survives_being_killed_at_any_time(root, seed):
    """Also where only the front is killed and its jobs are left behind."""
    write_sweep(root, Sweep("tiny", {"seed": [0, 1], "wait": [0.5]}))
    rng = random.Random(seed)
    for _ in range(3):
        process = sweep_process(root, "--cores", "2")
        time.sleep(rng.uniform(0.5, 12))
        if rng.random() < 0.5:
            killed(process)
        else:
            process.kill()
            process.wait()
    last = sweep_process(root, "--cores", "2")
    said, _ = last.communicate(timeout=300)
    assert last.returncode == 0, said
    assert len(finished(root)) == 2
    for path in (root / "out" / "tiny").glob("*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))


@pytest.fixture(scope="module")
def slurm() -> Iterator[None]:
    """A real Slurm of one machine, for the time of the tests."""
    if reason := why_not():
        pytest.skip(reason)
    pytest.importorskip("snakemake_executor_plugin_slurm")
    with ExitStack() as daemons:
        try:
            daemons.enter_context(one_machine_slurm())
        except RuntimeError as error:  # a container may forbid what the daemons do
            pytest.skip(str(error))
        yield


@pytest.mark.slow
def test_a_sweep_on_slurm_whose_jobs_are_killed_goes_on(root, slurm):
    """What ran when the jobs were cancelled is made again, what had finished is not."""
    profile = root / "profile"
    profile.mkdir()
    settings = yaml.safe_load((SHIPPED / "profiles" / "slurm" / "config.yaml").read_text())
    settings |= {
        "default-resources": {"mem_mb": 400, "runtime": 5},
        "latency-wait": 20,
        "slurm-status-command": "squeue",  # this Slurm keeps no accounts
        "slurm-init-seconds-before-status-checks": 2,
        "seconds-between-status-checks": 2,
    }
    (profile / "config.yaml").write_text(yaml.safe_dump(settings))
    write_sweep(root, Sweep("tiny", {"wait": [0.5, 9.0], "seed": [0, 1]}))
    first = sweep_process(root, "--profile", str(profile))
    while first.poll() is None and not finished(root):
        time.sleep(0.2)
    subprocess.run(["scancel", "--state=RUNNING", "--user=root"], check=True)
    kept = finished(root)
    said, _ = first.communicate(timeout=200)
    assert first.returncode == 1 and 1 <= len(kept) < 4, said
    kept = finished(root)  # others may have run after the cancelled ones
    second = sweep_process(root, "--profile", str(profile))
    said, _ = second.communicate(timeout=300)
    assert second.returncode == 0, said
    assert {name: finished(root)[name] for name in kept} == kept
    assert len(finished(root)) == 4


def test_no_module_beside_the_snakefile_hides_one_of_python():
    """Snakemake puts the Snakefile's folder first on the path, for processes that follow too."""
    names = {path.stem for path in SNAKEFILE.parent.glob("*.py")} - {"__init__"}
    assert not names & sys.stdlib_module_names
