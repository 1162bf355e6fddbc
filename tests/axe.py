"""axe-core for pages in a browser: the script, the call, and what of its answer matters."""

from collections.abc import Iterable
from pathlib import Path

AXE = (Path(__file__).parent / "vendor/axe-core/axe.min.js").read_text(encoding="utf-8")
# What axe need not do: fetch style sheets, list what passes.
RUN = "axe.run({preload: false, resultTypes: ['violations']%s})"
GRAVE = "serious", "critical"
# docutils makes a list of entries with the role doc-biblioentry. ARIA 1.2 has them as list items
# and axe does not; the markup cannot be set.
ALLOWED = {("aria-required-children", '<div role="list" class="citation-list">')}


def violations(found: dict) -> Iterable[str]:
    """What axe calls serious or critical, a line per place."""
    for rule in found["violations"]:
        if rule["impact"] in GRAVE:
            for node in rule["nodes"]:
                if (rule["id"], node["html"]) in ALLOWED:
                    continue
                yield f"{rule['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
