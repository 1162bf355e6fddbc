"""A result as a page shows it, live or stored alike, and what stands for one that is not here."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import ClassVar

import pandas as pd
from matplotlib.figure import Figure

from celsa_lib.errors import ConfigError
from celsa_lib.report.tables import Html, notice, plain_table, titled
from celsa_lib.results import Result

Parts = dict[str, Callable]


class Report:
    """A result on a page. TABLES and FIGURES: its parts by name, each a function of the Result.

    A part that is not named is the first one.

    Every table and figure says which data it is of, and whether that was run live or stored.
    """

    TABLES: ClassVar[Parts] = {}
    FIGURES: ClassVar[Parts] = {}

    def __init__(self, result: Result):
        self.result = result

    @property
    def title(self) -> str:
        """The data and whether it was run live, for the title of a figure."""
        return titled(self.result.manifest, self.result.is_live)

    def notice(self) -> Html:
        """Where the numbers come from: data, seeds, and every run that computed rows."""
        return notice(self.result.manifest, self.result.is_live)

    def frame(self, part: str = "") -> pd.DataFrame:
        """The lines of a table, as they are. Raises ConfigError, naming the parts there are."""
        return self._made(self.TABLES, part)

    def table(self, part: str = "", caption: str = "") -> Html:
        """A part as a table under its caption; a note where the result was stored without it."""
        lines = self.frame(part)
        if lines.empty:
            return absent(self.result.path, caption or part)
        return self.captioned(lines, caption)

    def figure(self, part: str = "") -> Figure:
        """A part as a figure. Raises ConfigError, naming the parts there are."""
        return self._made(self.FIGURES, part)

    def _made(self, parts: Parts, part: str):
        """A part of this result. Raises ConfigError, naming those that it has."""
        parts = self._there(parts)
        part = part or next(iter(parts), "")
        if part not in parts:
            raise ConfigError(
                f'{type(self).__name__} has no part "{part}"; it has {", ".join(parts) or "none"}'
            )
        return parts[part](self.result)

    def _there(self, parts: Parts) -> Parts:
        """Those of `parts` that this result can have; all, where each kind of row has each."""
        return parts

    def captioned(self, lines: pd.DataFrame, caption: str = "") -> Html:
        """Lines as a table; its caption ends with the data and whether it was run live."""
        return plain_table(lines, "; ".join(filter(None, [caption, self.title])))


class Absent:
    """Stands for a result that is not here: whatever a page asks of it, it shows why."""

    def __init__(self, why: Html):
        self.why = why

    def __getattr__(self, name: str) -> Callable[..., "Absent"]:
        if name.startswith("_"):  # what notebooks and copying look for
            raise AttributeError(name)
        return lambda *args, **options: self

    def _repr_html_(self) -> str:
        return self.why

    def __repr__(self) -> str:
        return self.why


def absent(path: Path | str | None, part: str = "") -> Html:
    """What a page says where there are no stored results, or not this `part` of them."""
    if path is None:
        return Html(f"<p><em>This run has no {escape(part)}.</em></p>")
    missing = f"“{part}” is not in {path}" if part else f"there is no {path}"
    return Html(
        f"<p><em>Stored results are not here: {escape(missing)}. "
        f"<code>celsa study {escape(Path(path).stem)}</code> writes it.</em></p>"
    )


def unmeasured(path: Path | str, command: str) -> Html:
    """What a page says where there is no stored measurement, and the command that makes it."""
    return Html(
        f"<p><em>Not measured here: there is no {escape(str(path))}. "
        f"<code>{escape(command)}</code> writes it.</em></p>"
    )
