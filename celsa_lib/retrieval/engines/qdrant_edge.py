"""Qdrant in this process: its Rust core, without a server (qdrant-edge-py)."""

from celsa_lib.retrieval.engines.base import VECTOR, Batch, FolderEngine, as_answer


class QdrantEdgeEngine(FolderEngine):
    """Sparse vectors as they are; a point's payload has item_id, title and input_scale."""

    _shard = None

    def connect(self) -> None:
        import qdrant_edge as edge

        folder = str(self.folder)
        if (self.folder / "edge_config.json").exists():
            self._shard = edge.EdgeShard.load(folder)
        else:
            sparse = {VECTOR: edge.EdgeSparseVectorParams()}
            self._shard = edge.EdgeShard.create(folder, edge.EdgeConfig(sparse_vectors=sparse))

    def count(self) -> int:
        return self._shard.info().points_count

    def add(self, batch: Batch) -> None:
        from qdrant_edge import Point, SparseVector, UpdateOperation

        points = [
            Point(number, {VECTOR: SparseVector(indices, values)}, batch.beside(place))
            for number, place, indices, values in batch.sparse()
        ]
        self._shard.update(UpdateOperation.upsert_points(points))
        self._shard.flush()

    def finish(self) -> None:
        self._shard.optimize()
        super().finish()

    def ask(self, latents, n, out, only):
        from qdrant_edge import Filter, HasIdCondition, Query, QueryRequest, SparseVector

        chosen = None
        if only is not None:
            chosen = Filter(must=[HasIdCondition(set(only.tolist()))])
        elif len(out):
            chosen = Filter(must_not=[HasIdCondition(set(out.tolist()))])
        vector = SparseVector(latents.indices.tolist(), latents.data.tolist())
        query = Query.Nearest(vector, using=VECTOR)
        found = self._shard.query(QueryRequest(query=query, limit=n, filter=chosen))
        return as_answer([point.id for point in found], [point.score for point in found])

    def close(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None
