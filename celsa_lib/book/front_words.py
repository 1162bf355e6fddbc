"""What the first page and others say of stored results in tables and sentences, as Markdown."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from celsa_lib.models.registry import OURS
from celsa_lib.report.paper import demo_value
from celsa_lib.report.statistics import METRIC
from celsa_lib.report.tables import typeset
from celsa_lib.report.verdicts import NOT_REPRODUCED, NOT_TESTED, PARTLY, REPRODUCED
from celsa_lib.results import load_intact

# The claims of the paper that matter most: ids, and the words for several that are shown as one.
HEADLINES = {
    "best/goodbooks-10k/*": (
        f"{OURS} is the most accurate of all compressed methods at every size, 64 to 1,024 bytes."
    ),
    "ten-times-smaller": "",
    "hundred-times-smaller": "",
    "gradual-as-long": "",
    "segments/coherence": "",
}
RELEASED_SHAPE = {"width": 2048, "budget_bytes": 128}  # the rows that the authors released
STUDY, DEVIATIONS_STUDY = "goodbooks-10k-partial", "goodbooks-deviations"
DRAWN_AGAIN = "hold-out drawn with replacement"  # the deviation, as it is stored


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def key_claims(claims: Sequence[dict]) -> str:
    """The claims of HEADLINES with both verdicts and their reason, as a table in Markdown."""
    lines = []
    for pattern, words in HEADLINES.items():
        found = [claim for claim in claims if fnmatchcase(claim["id"], pattern)]
        if not found:
            continue
        recommended = [claim["recommended"] for claim in found if claim["recommended"]]
        lines.append([
            f"[{words or found[0]['statement']}](../{found[0]['notebook']})",
            f"**{verdict_of([claim['verdict'] for claim in found])}**",
            f"**{verdict_of(recommended)}**" if recommended else "–",
            _reason(found),
        ])  # fmt: skip
    head = (
        "claim of the paper",
        "as the paper trains it",
        "recommended setting",
        "the first verdict",
    )
    return markdown_table(head, lines)


def verdict_of(words: Sequence[str]) -> str:
    """One verdict for several: that of all of them that could be judged, else partly reproduced."""
    made = {word for word in words if word != NOT_TESTED}
    if not made:
        return NOT_TESTED
    return made.pop() if made in ({REPRODUCED}, {NOT_REPRODUCED}) else PARTLY


def _reason(found: Sequence[dict]) -> str:
    """Why: how many of several hold, or what a single claim's checks say, with its interval."""
    if len(found) > 1:
        held = sum(claim["verdict"] == REPRODUCED for claim in found)
        return f"holds in {held} of {len(found)} comparisons"
    interval = found[0]["interval"]
    shown = typeset("; {:+.4f} to {:+.4f}".format(*interval)) if interval else ""
    return f"{found[0]['why']}{shown}"


def training_data(studies: Mapping[str, str], results: Path) -> str:
    """A sentence per study, by its title: what its models learned from, and who tested them."""
    said = []
    for title, name in studies.items():
        manifest = load_intact(results / f"{name}.json").manifest
        data, users = manifest["data"], manifest["users"]
        said.append(
            f"*{title}*: {users['reported']:,} training users, {users['test']:,} test users, "
            f"{data['items']:,} items."
        )
    return "Trained on: " + " ".join(said)


def not_measured(panels: Mapping[str, pd.DataFrame]) -> str:
    """A sentence for each panel that lacks methods which another has."""
    every = dict.fromkeys(label for lines in panels.values() for label in lines["label"])
    missing = {title: every.keys() - set(lines["label"]) for title, lines in panels.items()}
    return " ".join(
        f"Not measured in files on {title}: {', '.join(sorted(labels))}."
        for title, labels in missing.items()
        if labels
    )


def evaluation_check(results: Path) -> str:
    """nDCG@100 of the rows that the authors released: as their demo says, and as measured here.

    A table in Markdown, with what is stored. Raises StorageError where a result is damaged.
    """
    demo = demo_value("goodbooks-10k", **RELEASED_SHAPE)
    lines = [["reported by the authors' demo, for rows of this shape", f"{demo:.4f}"]]
    path = results / f"{STUDY}.json"
    for row in load_intact(path).select(method="Released") if path.exists() else ():
        value = f"{row['mean'][METRIC]:.4f} ± {row['stderr'][METRIC]:.4f}"
        lines.append(["here, by the protocol of this page", value])
    path = results / f"{DEVIATIONS_STUDY}.json"
    for row in load_intact(path).rows if path.exists() else ():
        if (row["deviation"], row["model"]) == (DRAWN_AGAIN, "Released"):
            lines.append(
                ["here, with the hold-out of the released code", f"{row['as released']:.4f}"]
            )
    return markdown_table(("nDCG@100 of the released rows", "value"), lines)
