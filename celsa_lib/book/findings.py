"""Two roles of the book's pages, whose words are made of results/claims.json.

{versus}`goodbooks-10k/Pruned EASE` becomes "Compressed ELSA is behind pruned EASE at every size",
or whatever the stored verdicts say; {verdict}`restarts` becomes the word for that claim. What is
not in the file is an error that names page and line, and so ends a strict build.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from celsa_lib.errors import DataError
from celsa_lib.report.findings import comparison, verdict

CLAIMS = "book/front/claims.json"  # below the sources; `book.front` copies it there


class Versus(SphinxRole):
    """{versus}`DATA/BASELINE`: Compressed ELSA beside a baseline of Table 1."""

    def words(self, claims: list[dict]) -> str:
        """The clause. Raises DataError."""
        stored, _, baseline = self.text.partition("/")
        return comparison(claims, stored, baseline)

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The words as text, or a message about what is missing."""
        path = Path(self.env.srcdir) / CLAIMS
        try:
            claims = json.loads(path.read_text(encoding="utf-8"))["claims"]
            return [nodes.Text(self.words(claims))], []
        except (DataError, OSError, ValueError) as error:
            message = self.inliner.reporter.error(f"{self.name}: {error}", line=self.lineno)
            return [], [message]


class VerdictWord(Versus):
    """{verdict}`CLAIM`: the word for one claim."""

    def words(self, claims: list[dict]) -> str:
        """The word. Raises DataError."""
        return verdict(claims, self.text)


def setup(app: Sphinx) -> dict:
    """Register the roles."""
    app.add_role("versus", Versus())
    app.add_role("verdict", VerdictWord())
    return {"version": "1", "parallel_read_safe": True}
