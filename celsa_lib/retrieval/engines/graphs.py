"""Engines for sparse rows in memory, for approximate search: kannolo and Seismic."""

import numpy as np

from celsa_lib.retrieval.engines.base import EFFORT, MemoryEngine, as_answer
from celsa_lib.retrieval.export import split_signs

HEAP_FACTOR = 0.0  # nothing is passed over by its summary, however small that is


class KannoloEngine(MemoryEngine):
    """A graph (HNSW) over the rows as they are, values in 16 bits."""

    def build(self, rows):
        from kannolo import SparsePlainHNSW

        self._graph = None
        if rows.shape[0] < 2:  # building the graph would end the process
            return
        self._graph = SparsePlainHNSW.build_from_arrays(
            rows.indices.astype(np.int32), rows.data, rows.indptr.astype(np.int64)
        )

    def ask(self, latents, n, out, only):
        if self._graph is None:
            return as_answer([0], [0.0])
        effort = max(EFFORT, 2 * n)
        asked = latents.indices.astype(np.int32), latents.data
        scores, numbers = self._graph.search(*asked, n, ef_search=effort)
        return as_answer(numbers, scores)


class SeismicEngine(MemoryEngine):
    """Blocks of postings with summaries, of rows split by sign; without pruning by summaries."""

    def build(self, rows):
        from seismic import SeismicDataset, SeismicIndex, get_seismic_string

        self._text = get_seismic_string()
        split, dataset = split_signs(rows), SeismicDataset()
        for number in range(split.shape[0]):
            stored = slice(split.indptr[number], split.indptr[number + 1])
            names = split.indices[stored].astype(self._text)
            dataset.add_document(str(number), names, split.data[stored].astype(np.float32))
        self._index = SeismicIndex.build_from_dataset(dataset, num_threads=1)

    def ask(self, latents, n, out, only):
        names = latents.indices.astype(self._text)
        found = self._index.search(
            "", names, latents.data, k=n, query_cut=len(names), heap_factor=HEAP_FACTOR
        )
        return as_answer([int(number) for _, _, number in found], [score for _, score, _ in found])
