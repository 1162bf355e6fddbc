"""The plain way: an inverted index as a table of SQLite, which comes with Python."""

import sqlite3

from celsa_lib.retrieval.engines.base import Batch, FolderEngine, as_answer

SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    number INTEGER PRIMARY KEY, item_id, title TEXT, input_scale REAL
);
CREATE TABLE IF NOT EXISTS postings (
    latent INTEGER, number INTEGER, value REAL, PRIMARY KEY (latent, number)
) WITHOUT ROWID;
CREATE TEMPORARY TABLE asked (latent INTEGER PRIMARY KEY, value REAL);
CREATE TEMPORARY TABLE chosen (number INTEGER PRIMARY KEY);
"""
QUESTION = """
SELECT number, sum(postings.value * asked.value) AS score
FROM asked JOIN postings USING (latent)
WHERE number {} (SELECT number FROM chosen)
GROUP BY number ORDER BY score DESC, number LIMIT ?
"""


class SqliteEngine(FolderEngine):
    """Tables `items` (number, item_id, title, input_scale) and `postings` in rows.db."""

    _database = None

    def connect(self) -> None:
        self._database = sqlite3.connect(self.folder / "rows.db")
        self._database.executescript(SCHEMA)

    def count(self) -> int:
        return self._database.execute("SELECT count(*) FROM items").fetchone()[0]

    def add(self, batch: Batch) -> None:
        empty = [None] * len(batch.item_ids)
        numbers = range(batch.start, batch.start + len(batch.item_ids))
        beside = batch.item_ids, batch.titles or empty, batch.input_scales or empty
        entries = batch.rows.tocoo()
        postings = zip(
            entries.col.tolist(),
            (entries.row + batch.start).tolist(),
            entries.data.tolist(),
            strict=True,
        )
        with self._database:  # one transaction
            items = zip(numbers, *beside, strict=True)
            self._database.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", items)
            write = "INSERT OR REPLACE INTO postings VALUES (?, ?, ?)"
            self._database.executemany(write, postings)

    def ask(self, latents, n, out, only):
        asked = zip(latents.indices.tolist(), latents.data.tolist(), strict=True)
        chosen = ((number,) for number in (out if only is None else only).tolist())
        with self._database:
            self._database.execute("DELETE FROM asked")
            self._database.execute("DELETE FROM chosen")
            self._database.executemany("INSERT INTO asked VALUES (?, ?)", asked)
            self._database.executemany("INSERT INTO chosen VALUES (?)", chosen)
        question = QUESTION.format("NOT IN" if only is None else "IN")
        found = self._database.execute(question, (n,)).fetchall()
        return as_answer([number for number, _ in found], [score for _, score in found])

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
