"""A plan told in lines: what is finished, what would run, what it may cost."""

from celsa_lib.sweeps.plan import Plan, Run


def plan_lines(plan: Plan, cores: int | None) -> list[str]:
    """A line for each run, then the sum. `cores`: those of this machine, None on a cluster."""
    ids = max(len(run.id) for run in plan.runs)
    names = [" ".join(f"{k}={v}" for k, v in run.parameters.items()) for run in plan.runs]
    width = max(map(len, names))
    lines = [
        f"{run.id:{ids}}  {name:{width}}  {_state(run)}"
        for run, name in zip(plan.runs, names, strict=True)
    ]
    return [*lines, _sum(plan, cores)]


def _state(run: Run) -> str:
    if run.is_finished:
        return f"finished   took {duration(run.seconds)}"
    return "would run  " + ("unknown" if run.seconds is None else f"about {duration(run.seconds)}")


def _sum(plan: Plan, cores: int | None) -> str:
    """How many would run, the sum of what they may take, and how long on these cores."""
    missing = plan.missing
    known = [run.seconds for run in missing if run.seconds is not None]
    said = f"{len(missing)} of {len(plan.runs)} would run"
    if known:
        said += f", about {duration(sum(known))} of computing"
        if cores is not None:
            at_once = max(1, cores // plan.threads)
            wall = max(max(known), sum(known) / at_once)
            said += f", {duration(wall)} with {at_once} at a time"
    unknown = len(missing) - len(known)
    return said + (f"; {unknown} of unknown duration" if unknown else "")


def duration(seconds: float) -> str:
    """ "45 s", "12 min" or "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
