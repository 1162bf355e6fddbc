"""PostgreSQL with pgvector: rows as `sparsevec`, scanned exactly."""

from collections.abc import Iterator
from contextlib import contextmanager

from scipy.sparse import csr_matrix

from celsa_lib.errors import DataError, StorageError
from celsa_lib.retrieval.engines.base import Batch, Engine, as_answer

MOST_NONZEROS = 16_000  # that a sparsevec holds
SAID = "celsa rows "  # the comment on a table of ours, before the digest


class PgvectorEngine(Engine):
    """A table: number, item_id (text), title, input_scale, latents (sparsevec).

    A load fills a table of its own, a transaction per batch; the last one puts it in the place of
    the former. The product is exact: no approximate index is made.
    """

    def __init__(self, place, width, digest, table):
        import psycopg
        from psycopg import sql

        super().__init__(place, width, digest, table)
        self._live, self._new = sql.Identifier(table), sql.Identifier(f"{table}_new")
        try:
            self._connection = psycopg.connect(place, autocommit=True)
        except psycopg.Error as error:
            raise StorageError(
                f"cannot reach PostgreSQL ({str(error).strip()}); check the address, as "
                "postgresql://user@host/database"
            ) from error

    def held(self) -> str | None:
        return self._digest_of(self.table)

    def _digest_of(self, table: str) -> str | None:
        """What the comment on a table says it holds. Raises StorageError if it is not ours."""
        ask = "SELECT to_regclass(%s), obj_description(to_regclass(%s), 'pg_class')"
        found, said = self._run(ask, (table, table)).fetchone()
        if found is None:
            return None
        if not (said or "").startswith(SAID):
            raise StorageError(f"the table {table} is not one of celsa; name another")
        return said.removeprefix(SAID)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Holds a lock of the server's, which takes it back when the connection ends too."""
        ask = "SELECT pg_try_advisory_lock(hashtext(%s))"
        if not self._run(ask, (SAID + self.table,)).fetchone()[0]:
            raise StorageError(f"another process fills {self.table}; wait until it has ended")
        try:
            yield
        finally:
            if not self._connection.closed:
                self._run("SELECT pg_advisory_unlock(hashtext(%s))", (SAID + self.table,))

    def begin(self) -> None:
        self._run("CREATE EXTENSION IF NOT EXISTS vector")
        if self._digest_of(f"{self.table}_new") == self.digest:
            return
        with self._connection.transaction():
            self._run("DROP TABLE IF EXISTS {new}")
            self._run(
                "CREATE TABLE {new} (number integer PRIMARY KEY, item_id text NOT NULL, title text,"
                " input_scale real, latents sparsevec({width}) NOT NULL)"
            )
            self._run("COMMENT ON TABLE {new} IS {said}")

    def count(self) -> int:
        return self._run("SELECT count(*) FROM {new}").fetchone()[0]

    def add(self, batch: Batch) -> None:
        columns = "(number, item_id, title, input_scale, latents)"
        last = batch.start + len(batch.item_ids)
        with self._connection.transaction():
            self._run("DELETE FROM {new} WHERE number >= %s AND number < %s", (batch.start, last))
            with self._copying(f"COPY {{new}} {columns} FROM STDIN") as copy:
                for number, place, indices, values in batch.sparse():
                    about = batch.beside(place)
                    beside = str(about["item_id"]), about.get("title"), about.get("input_scale")
                    copy.write_row((number, *beside, as_text(indices, values, self.width)))

    def finish(self) -> None:
        with self._connection.transaction():
            self._run("DROP TABLE IF EXISTS {live}")
            self._run("ALTER TABLE {new} RENAME TO {live}")
        self._run("ANALYZE {live}")

    def ask(self, latents, n, out, only):
        parts = range(0, latents.nnz, MOST_NONZEROS)
        texts = [_part(latents, start, self.width) for start in parts]
        product = " + ".join(["(latents <#> %s::sparsevec)"] * len(texts))
        chosen = "number <> ALL(%s)" if only is None else "number = ANY(%s)"
        question = (
            f"SELECT number, -({product}) AS score FROM {{live}} WHERE {chosen} "
            "ORDER BY score DESC, number LIMIT %s"
        )
        among = (out if only is None else only).tolist()
        found = self._run(question, (*texts, among, n)).fetchall()
        return as_answer([number for number, _ in found], [score for _, score in found])

    def close(self) -> None:
        self._connection.close()

    def _run(self, statement: str, values: tuple | None = None):
        """The cursor of a statement whose names in braces are filled in. Raises StorageError."""
        with self._errors():
            return self._connection.execute(self._named(statement), values)

    @contextmanager
    def _copying(self, statement: str) -> Iterator:
        with self._errors(), self._connection.cursor().copy(self._named(statement)) as copy:
            yield copy

    def _named(self, statement: str):
        from psycopg import sql

        return sql.SQL(statement).format(
            new=self._new,
            live=self._live,
            width=sql.Literal(self.width),
            said=sql.Literal(SAID + self.digest),
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import psycopg

        try:
            yield
        except (psycopg.DataError, ValueError) as error:
            raise DataError(f"PostgreSQL refuses the rows: {error}") from error
        except psycopg.Error as error:
            raise StorageError(f"PostgreSQL: {str(error).strip()}") from error


def as_text(indices: list[int], values: list[float], width: int) -> str:
    """A sparsevec as PostgreSQL reads it; its indices start from 1."""
    entries = ",".join(f"{i + 1}:{v:.9g}" for i, v in zip(indices, values, strict=True))
    return f"{{{entries}}}/{width}"


def _part(latents: csr_matrix, start: int, width: int) -> str:
    """As many of the latents as a sparsevec holds, from `start` on."""
    part = slice(start, start + MOST_NONZEROS)
    return as_text(latents.indices[part].tolist(), latents.data[part].tolist(), width)
