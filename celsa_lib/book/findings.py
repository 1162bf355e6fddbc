"""Roles of the book's pages, whose words are made of results/claims.json, and a look for others.

{versus}`goodbooks-10k/Pruned EASE` becomes "Compressed ELSA is behind pruned EASE at every size",
{finding}`wider: helps` "doubling the width helps at every size", or whatever the stored checks
say; {evidence}`wider` gives what was compared with its intervals, {verdict}`wider` the word for the
claim. What is not in the file is an error that names page and line, and so ends a strict build. So
does a sentence that compares methods in words of its own.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from celsa_lib.errors import CelsaError
from celsa_lib.report.claims_table import read_claims
from celsa_lib.report.findings import comparison, evidence, finding, verdict

CLAIMS_COPY = "book/front/claims.json"  # below the sources; `book.front` copies it there
QUOTED = "book/quoted.txt"  # sentences that say what the paper says, or what is true by definition
Words = Callable[[list[dict], str], str]  # of claims and a role's text
log = logging.getLogger(__name__)


def versus(claims: list[dict], text: str) -> str:
    """The clause for DATA/BASELINE. Raises DataError."""
    stored, _, baseline = text.partition("/")
    return comparison(claims, stored, baseline)


def opening(words: Words) -> Words:
    """The same words at the beginning of a sentence."""

    def capitalised(claims: list[dict], text: str) -> str:
        said = words(claims, text)
        return said[0].upper() + said[1:]

    return capitalised


ROLES: dict[str, Words] = {
    "versus": versus,
    "finding": finding,
    "Finding": opening(finding),
    "Versus": opening(versus),
    "evidence": evidence,
    "verdict": verdict,
}
ROLE = re.compile(rf"{{({'|'.join(ROLES)})}}`([^`]*)`")


def stored_checks(path: Path) -> list[dict]:
    """Claims and findings of a file. Raises StorageError."""
    content = read_claims(path)
    return content["claims"] + content["findings"]


class Said(SphinxRole):
    """A role of ROLES: its words as text, or an error about what is missing."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The words, or the message."""
        try:
            checks = stored_checks(Path(self.env.srcdir) / CLAIMS_COPY)
            return [nodes.Text(ROLES[self.name](checks, self.text))], []
        except CelsaError as error:
            message = self.inliner.reporter.error(f"{self.name}: {error}", line=self.lineno)
            return [], [message]


# Words that compare methods wherever they stand, and those that do beside a method or data set.
COMPARING_ALONE = (
    r"(is|are|was|were|comes?) (\w+ )?(ahead|behind)|outperforms?|(better|worse) than|"
    r"(agrees?|do|does|scores?) (better|worse)"
)
COMPARING = (
    r"ahead|behind|better|worse|above|below|beats?|wins?|loses?|lost|(best|first) at|catch(es)? up|"
    r"(keeps?|holds?) (far |much )?more|favours?|helps?|hurts?|harms?|gains?|gained|strong(er|est)|"
    r"(more|less) coherent|raises?|lowers?|leads?|surpass(es)?|exceeds?|dominates?|trails?|tops|"
    r"superior|inferior|higher|lower|improves?|improved|worsens?|best (method|model)|matches|"
    r"(on|at) par|competitive|underperforms?|(more|fewer) bytes"
)
SUBJECTS = (
    r"ELSA|EASE|autoencoder|k-means|(constant|gradual|step-wise) pruning|schedules?|restarts?|"
    r"(wider|narrower) start|Goodbooks|MovieLens|planted|released (embeddings|rows)|bfloat16"
)
FINDING = re.compile(
    rf"\b({COMPARING_ALONE})\b|(?=.*\b({SUBJECTS})).*\b({COMPARING})\b|nDCG@\d+\W+(\w+ )?0\.\d",
    re.IGNORECASE,
)
MARKED = re.compile(r"<!-- {\w+}`.*?<!-- end -->", re.DOTALL)  # in README, which Sphinx never sees
UNREAD = re.compile(
    r"^(`{3,})\{?(?!div).*?^\1$|(\{\w+\})?`[^`\n]*`|\$[^$]*\$|<[^>]+>", re.DOTALL | re.MULTILINE
)
ALT = re.compile(r"^:alt: (.*)$", re.MULTILINE)  # of a figure
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def unmarked(text: str) -> Iterator[str]:
    """Sentences of Markdown that say how methods compare, and take no words from evidence."""
    text = LINK.sub(r"\1", UNREAD.sub("", ROLE.sub("…", MARKED.sub("…", text))))
    blocks = re.split(r"\n\s*(?:\n|(?=[*|#:+-]|\d+\. ))", text)
    for block in blocks:
        for sentence in re.split(r"(?<=[.?!])\**\s+", " ".join(block.split())):
            if FINDING.search(sentence) and not sentence.endswith(("?", "?*")):
                yield sentence.lstrip("*-+ #")


def prose(source: str) -> str:
    """The Markdown of a page, or of a notebook as JSON, and what is said of its figures."""
    if not source.startswith("{"):
        return "\n\n".join([source, *ALT.findall(source)])
    parts = []
    for cell in json.loads(source)["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append("".join(cell["source"]))
        options = cell["metadata"].get("mystnb", {})
        parts += [options.get("figure", {}).get("caption"), options.get("image", {}).get("alt")]
    return "\n\n".join(filter(None, parts))


def look(app: Sphinx, page: str, source: list[str]) -> None:
    """Warn of each finding of a page that has neither a role nor a place among the quoted."""
    quoted = Path(app.srcdir) / QUOTED
    known = quoted.read_text(encoding="utf-8").splitlines() if quoted.exists() else []
    for sentence in unmarked(prose(source[0])):
        if sentence not in known:
            advice = "take its words from a role, or add it to"
            log.warning("finding without evidence: %s (%s %s)", sentence, advice, QUOTED,
                        location=page)  # fmt: skip


def setup(app: Sphinx) -> dict:
    """Register the roles, and the look for findings without them."""
    for name in ROLES:
        app.add_role(name, Said())
    app.connect("source-read", look)
    return {"version": "1", "parallel_read_safe": True}
