"""Milvus, in this process (milvus-lite) or a server: it takes no negative values, so rows are split
by sign.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from celsa_lib.errors import StorageError
from celsa_lib.retrieval.engines.base import VECTOR, Batch, Engine, FolderEngine, as_answer
from celsa_lib.retrieval.export import split_signs

COLLECTION = "rows"
INSERT_ROWS = 1_000  # in a request


class MilvusCollection:
    """A collection with the rows' numbers as keys, item_id and title beside the vector."""

    _client = None
    _collection = COLLECTION

    def _make(self) -> None:
        """Make the collection where there is none, and make it ready to answer."""
        from pymilvus import DataType

        if not self._client.has_collection(self._collection):
            schema = self._client.create_schema(auto_id=False)
            schema.add_field("number", DataType.INT64, is_primary=True)
            schema.add_field("item_id", DataType.VARCHAR, max_length=65_535)
            schema.add_field("title", DataType.VARCHAR, max_length=65_535)
            schema.add_field(VECTOR, DataType.SPARSE_FLOAT_VECTOR)
            index = self._client.prepare_index_params()
            index.add_index(VECTOR, index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
            self._client.create_collection(
                self._collection, schema=schema, index_params=index, consistency_level="Strong"
            )
        self._client.load_collection(self._collection)

    def count(self) -> int:
        """See Engine."""
        (found,) = self._client.query(self._collection, filter="", output_fields=["count(*)"])
        return int(found["count(*)"])

    def add(self, batch: Batch) -> None:
        """See Engine."""
        split = replace(batch, rows=split_signs(batch.rows))
        data = [
            {
                "number": number,
                "item_id": str(batch.item_ids[place]),
                "title": batch.beside(place).get("title", ""),
                VECTOR: dict(zip(indices, values, strict=True)),
            }
            for number, place, indices, values in split.sparse()
        ]
        for start in range(0, len(data), INSERT_ROWS):
            self._client.upsert(self._collection, data[start : start + INSERT_ROWS])
        self._client.flush(self._collection)

    def ask(self, latents, n, out, only):
        """See Engine."""
        chosen = ""
        if only is not None:
            chosen = f"number in {only.tolist()}"
        elif len(out):
            chosen = f"number not in {out.tolist()}"
        vector = dict(zip(latents.indices.tolist(), latents.data.tolist(), strict=True))
        (found,) = self._client.search(
            self._collection, [vector], chosen, n, anns_field=VECTOR, output_fields=["number"],
            search_params={"metric_type": "IP"},
        )  # fmt: skip
        return as_answer([hit["number"] for hit in found], [hit["distance"] for hit in found])

    def close(self) -> None:
        """See Engine."""
        if self._client is not None:
            self._client.close()
            self._client = None


class MilvusEngine(MilvusCollection, FolderEngine):
    """The collection in rows.db of the folder."""

    def connect(self) -> None:
        from pymilvus import MilvusClient

        self._client = MilvusClient(str(self.folder / "rows.db"))
        self._make()


class MilvusServerEngine(MilvusCollection, Engine):
    """A collection per set of rows, and an alias, called as the table, of the one that answers.

    A load fills a collection of its own, and moves the alias in one step. The token of a server
    that wants one is in MILVUS_TOKEN.
    """

    def __init__(self, place, width, digest, table):
        from pymilvus import MilvusClient

        super().__init__(place, width, digest, table)
        self._collection = f"{table}_{digest}"
        with self._errors():
            self._client = MilvusClient(place, token=os.environ.get("MILVUS_TOKEN", ""))

    def held(self) -> str | None:
        named = self._aliased()
        return None if named is None else named.removeprefix(f"{self.table}_")

    def _aliased(self) -> str | None:
        """The collection of a load that answers."""
        with self._errors():
            for name in self._client.list_collections():
                is_own = re.fullmatch(rf"{re.escape(self.table)}_[0-9a-f]+", name)
                if is_own and self.table in self._client.list_aliases(name)["aliases"]:
                    return name
        return None

    def attach(self) -> None:
        self.begin()

    def begin(self) -> None:
        with self._errors():
            self._make()

    def count(self) -> int:
        with self._errors():
            return super().count()

    def add(self, batch: Batch) -> None:
        with self._errors():
            super().add(batch)

    def finish(self) -> None:
        former = self._aliased()
        if former == self._collection:  # another load has finished it
            return
        with self._errors():
            if former is None:
                self._client.create_alias(self._collection, self.table)
                return
            self._client.alter_alias(self._collection, self.table)
            self._client.drop_collection(former)

    def ask(self, latents, n, out, only):
        with self._errors():
            return super().ask(latents, n, out, only)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what a server does wrong, or not at all, into a StorageError."""
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, OSError, ValueError) as error:
            raise StorageError(
                f"Milvus at {self.place}: {str(error).strip()}; check the address, whether a "
                f'server is running there, and whether "{self.table}" names something else'
            ) from error
