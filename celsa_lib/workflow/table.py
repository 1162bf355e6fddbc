"""A sweep in lines: what is finished, what would run, what it may cost."""

from collections.abc import Container, Sequence

from celsa_lib.workflow.runs import NotebookRun


def sweep_lines(
    runs: Sequence[NotebookRun], pending: Container[str], threads: int, cores: int | None
) -> list[str]:
    """A line for each run, then the sum. `cores`: those of this machine, None on a cluster."""
    texts = [" ".join(f"{k}={v}" for k, v in run.parameters.items()) for run in runs]
    width = max(map(len, texts))
    lines = [
        f"{text:{width}}  {_state(run, run.target in pending)}"
        for run, text in zip(runs, texts, strict=True)
    ]
    would = [run.seconds for run in runs if run.target in pending]
    return [*lines, _sum(would, len(runs), threads, cores)]


def _state(run: NotebookRun, would_run: bool) -> str:
    if would_run:
        return "would run  " + ("unknown" if run.seconds is None else _about(run.seconds))
    return "finished" + ("" if run.seconds is None else f"   took {duration(run.seconds)}")


def _about(seconds: float) -> str:
    return f"about {duration(seconds)}"


def _sum(would: Sequence[float | None], n_runs: int, threads: int, cores: int | None) -> str:
    """How many would run, the sum of what they may take, and how long on these cores."""
    known = [seconds for seconds in would if seconds is not None]
    said = f"{len(would)} of {n_runs} would run"
    if known:
        said += f", {_about(sum(known))} of computing"
        if cores is not None:
            at_once = max(1, cores // threads)
            wall = max(max(known), sum(known) / at_once)
            said += f", {duration(wall)} with {at_once} at a time"
    unknown = len(would) - len(known)
    return said + (f"; {unknown} of unknown duration" if unknown else "")


def duration(seconds: float) -> str:
    """ "45 s", "12 min" or "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
