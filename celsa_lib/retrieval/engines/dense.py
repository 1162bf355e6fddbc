"""Engines for dense rows: faiss and usearch. Sparse rows are written out, 4·width bytes each."""

import numpy as np

from celsa_lib.retrieval.engines.base import EFFORT, MemoryEngine, as_answer

DEGREE = 32  # of a row in the graph


class FaissFlatEngine(MemoryEngine):
    """Every product, one after the other."""

    def build(self, rows):
        from faiss import IndexFlatIP

        self._index = IndexFlatIP(self.width)
        self._index.add(rows.toarray())

    def ask(self, latents, n, out, only):
        scores, numbers = self._index.search(latents.toarray(), n)
        found = numbers[0] >= 0
        return as_answer(numbers[0][found], scores[0][found])


class FaissGraphEngine(FaissFlatEngine):
    """A graph (HNSW) by inner product."""

    def build(self, rows):
        from faiss import METRIC_INNER_PRODUCT, IndexHNSWFlat

        self._index = IndexHNSWFlat(self.width, DEGREE, METRIC_INNER_PRODUCT)
        self._index.add(rows.toarray())

    def ask(self, latents, n, out, only):
        self._index.hnsw.efSearch = max(EFFORT, 2 * n)
        return super().ask(latents, n, out, only)


class UsearchEngine(MemoryEngine):
    """A graph (HNSW) by inner product."""

    def build(self, rows):
        from usearch.index import Index, MetricKind

        self._index = Index(
            ndim=self.width, metric=MetricKind.IP, dtype="f32", expansion_search=EFFORT
        )
        if rows.shape[0]:
            self._index.add(np.arange(rows.shape[0]), rows.toarray(), threads=1)

    def ask(self, latents, n, out, only):
        self._index.expansion_search = max(EFFORT, 2 * n)
        found = self._index.search(latents.toarray()[0], n, threads=1)
        return as_answer(found.keys, 1 - found.distances)
