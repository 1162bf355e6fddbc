"""A Qdrant server, by its address (qdrant-client)."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from celsa_lib.errors import StorageError
from celsa_lib.retrieval.engines.base import VECTOR, Batch, Engine, as_answer

UPSERT_ROWS = 500  # in a request


class QdrantEngine(Engine):
    """A collection per set of rows, and an alias, called as the table, of the one that answers.

    A load fills a collection of its own, and moves the alias in one step. The key of a server that
    wants one is in QDRANT_API_KEY.
    """

    def __init__(self, place, width, digest, table):
        from qdrant_client import QdrantClient

        super().__init__(place, width, digest, table)
        self._collection = f"{table}-{digest}"
        memory = place == ":memory:"  # Qdrant's own stand-in for a server
        options = {"api_key": os.environ.get("QDRANT_API_KEY"), "check_compatibility": False}
        try:
            self._client = QdrantClient(place, **({} if memory else options))
        except ValueError as error:
            raise StorageError(f"{place} is no address of Qdrant: {error}") from error

    def held(self) -> str | None:
        named = self._aliased()
        if named is not None and not self._is_own(named):
            raise StorageError(
                f'at {self.place} the alias "{self.table}" is one of the collection "{named}", '
                "which no load has made; name another table"
            )
        return None if named is None else named.removeprefix(f"{self.table}-")

    def _is_own(self, collection: str) -> bool:
        """Whether a load has made the collection: the alias may have been somebody else's."""
        return re.fullmatch(rf"{re.escape(self.table)}-[0-9a-f]+", collection) is not None

    def _aliased(self) -> str | None:
        """The collection that answers."""
        with self._errors():
            aliases = self._client.get_aliases().aliases
        found = [one.collection_name for one in aliases if one.alias_name == self.table]
        return found[0] if found else None

    def begin(self) -> None:
        from qdrant_client.models import SparseVectorParams

        with self._errors():
            if not self._client.collection_exists(self._collection):
                sparse = {VECTOR: SparseVectorParams()}
                self._client.create_collection(
                    self._collection, vectors_config={}, sparse_vectors_config=sparse
                )

    def count(self) -> int:
        with self._errors():
            return self._client.count(self._collection, exact=True).count

    def add(self, batch: Batch) -> None:
        from qdrant_client.models import PointStruct, SparseVector

        points = [
            PointStruct(
                id=number,
                vector={VECTOR: SparseVector(indices=indices, values=values)},
                payload=batch.beside(place),
            )
            for number, place, indices, values in batch.sparse()
        ]
        with self._errors():
            for start in range(0, len(points), UPSERT_ROWS):
                part = points[start : start + UPSERT_ROWS]
                self._client.upsert(self._collection, part, wait=True)

    def finish(self) -> None:
        from qdrant_client import models

        former = self._aliased()
        if former == self._collection:  # another load has finished it
            return
        create = models.CreateAlias(collection_name=self._collection, alias_name=self.table)
        steps = [models.CreateAliasOperation(create_alias=create)]
        if former is not None:
            delete = models.DeleteAlias(alias_name=self.table)
            steps.insert(0, models.DeleteAliasOperation(delete_alias=delete))
        with self._errors():
            self._client.update_collection_aliases(steps)
            if former is not None and self._is_own(former):
                self._client.delete_collection(former)

    def ask(self, latents, n, out, only):
        from qdrant_client.models import Filter, HasIdCondition, SparseVector

        chosen = None
        if only is not None:
            chosen = Filter(must=[HasIdCondition(has_id=only.tolist())])
        elif len(out):
            chosen = Filter(must_not=[HasIdCondition(has_id=out.tolist())])
        vector = SparseVector(indices=latents.indices.tolist(), values=latents.data.tolist())
        with self._errors():
            found = self._client.query_points(
                self._collection, vector, VECTOR, limit=n, query_filter=chosen, with_payload=False
            ).points
        return as_answer([point.id for point in found], [point.score for point in found])

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what a server does wrong, or not at all, into a StorageError."""
        from qdrant_client.http.exceptions import ApiException

        try:
            yield
        except (ApiException, OSError) as error:
            raise StorageError(
                f"Qdrant at {self.place}: {str(error).strip()}; check the address, and whether a "
                "server is running there"
            ) from error
