"""Which budget is enough: the share of the best uncompressed model's accuracy that a size keeps."""

from dataclasses import dataclass

import pandas as pd

from celsa_lib.evaluation import Ratio, ratio_of_means
from celsa_lib.models.registry import FAMILIES, OURS, RECOMMENDED, UNCOMPRESSED
from celsa_lib.results import Result

TARGET = 0.99
ROUNDING = 1e-9  # a share that is 0.99 on paper may miss it by the last bit


@dataclass(frozen=True)
class Share:
    """nDCG@100 of a model of `size` bytes per item over the reference's, 95 % over users."""

    label: str
    size: int
    ratio: Ratio

    @property
    def keeps(self) -> bool:
        """Whether the measured share is at least TARGET."""
        return self.ratio.value >= TARGET - ROUNDING

    @property
    def surely_keeps(self) -> bool:
        """Whether the whole interval is at least TARGET."""
        return self.ratio.low >= TARGET - ROUNDING


@dataclass(frozen=True)
class Enough:
    """The smallest sizes of a method that keep the target, as measured and surely; None: none."""

    label: str
    measured: Share | None
    surely: Share | None
    best: Share


def models_of(result: Result) -> dict[tuple[str, int], list[dict]]:
    """Rows (the seeds) of each model, by label and bytes per item."""
    models: dict[tuple[str, int], list[dict]] = {}
    for row in result.rows:
        models.setdefault((row["label"], row["budget_bytes"]), []).append(row)
    return models


def reference_of(result: Result) -> tuple[str, int] | None:
    """The best uncompressed model (label, bytes per item), the smaller of equals.

    None where no uncompressed model was run.
    """
    found = {
        model: result.by_user(rows).mean()
        for model, rows in models_of(result).items()
        if model[0] in UNCOMPRESSED
    }
    return max(found, key=lambda model: (found[model], -model[1]), default=None)


def shares_of(result: Result) -> list[Share]:
    """What each compressed model keeps of the reference's nDCG@100; empty without a reference."""
    reference, models = reference_of(result), models_of(result)
    if reference is None:
        return []
    theirs = result.by_user(models[reference])
    return [
        Share(label, size, ratio_of_means(result.by_user(rows), theirs))
        for (label, size), rows in models.items()
        if label in FAMILIES
    ]


def shares_table(result: Result) -> pd.DataFrame:
    """`shares_of` as text, the smallest models first; intervals are 95 %, over users."""
    lines = sorted(shares_of(result), key=lambda share: (share.size, share.label))
    return pd.DataFrame(
        {
            "method": share.label,
            "bytes per item": share.size,
            "keeps": percent(share.ratio.value),
            "95 % interval": f"{percent(share.ratio.low)} to {percent(share.ratio.high)}",
        }
        for share in lines
    )


def enough(shares: list[Share]) -> list[Enough]:
    """For each method of `shares` the smallest sizes that keep TARGET, in the figures' order."""
    found = []
    for label in FAMILIES:
        own = sorted((s for s in shares if s.label == label), key=lambda share: share.size)
        if own:
            measured = next((share for share in own if share.keeps), None)
            surely = next((share for share in own if share.surely_keeps), None)
            best = max(own, key=lambda share: share.ratio.value)
            found.append(Enough(label, measured, surely, best))
    return found


def ours_in(result: Result) -> str:
    """What a page recommends: the recommended setting, or the paper's procedure without it."""
    return RECOMMENDED if result.select(label=RECOMMENDED) else OURS


def advice(result: Result) -> list[str]:
    """Sentences that answer which method keeps TARGET of the reference in the fewest bytes."""
    reference, found = reference_of(result), enough(shares_of(result))
    if reference is None:
        return ["There is no uncompressed model to compare with, so no share can be given."]
    if not found:
        return ["No compressed model was run, so no budget can be recommended."]
    name, size = reference
    keeping = [one for one in found if one.measured]
    if not keeping:
        best = max((one.best for one in found), key=lambda share: share.ratio.value)
        return [
            f"{best.label} at {best.size:,} bytes per item comes closest to {name} ({size:,} bytes "
            f"per item): it keeps {with_interval(best.ratio)} of its nDCG@100.",
            f"No compressed model keeps {percent(TARGET, 0)}: where that is needed, take larger "
            "budgets (--budgets) or serve the uncompressed model.",
        ]
    ours = ours_in(result)  # comes first among equals
    chosen = min(keeping, key=lambda one: (one.measured.size, one.label != ours))
    kept = with_interval(chosen.measured.ratio)
    first = (
        f"{chosen.measured.size:,} bytes per item: {chosen.label} keeps {kept} of the nDCG@100 of "
        f"{name}, which takes {size:,} bytes per item."
    )
    return [first, _certainty(chosen), _others(keeping, chosen)]


def percent(share: float, digits: int = 1) -> str:
    """0.99 → "99.0 %"."""
    return f"{100 * share:.{digits}f} %"


def with_interval(ratio: Ratio) -> str:
    """A share and its interval, for a sentence."""
    low, high = percent(ratio.low), percent(ratio.high)
    return f"{percent(ratio.value)} (95 % interval {low} to {high})"


def _certainty(chosen: Enough) -> str:
    """Whether other users could have given another answer."""
    if chosen.measured == chosen.surely:
        return f"The whole interval is at {percent(TARGET, 0)} or above."
    reaches = (
        f"The interval reaches below {percent(TARGET, 0)}, so other users could give another answer"
    )
    if chosen.surely is None:
        return f"{reaches}; no budget has its whole interval above."
    return f"{reaches}; from {chosen.surely.size:,} bytes per item the whole interval is above."


def _others(keeping: list[Enough], chosen: Enough) -> str:
    """Which of the other compressed methods keep the target, and from which size."""
    others = [
        f"{one.label} from {one.measured.size:,} bytes" for one in keeping if one is not chosen
    ]
    return f"Other compressed methods that keep as much: {', '.join(others) or 'none'}."
