"""zvec in this process: sparse vectors in a folder, scanned exactly."""

from celsa_lib.retrieval.engines.base import VECTOR, Batch, FolderEngine, as_answer

ADDED = 1_000  # rows in one call


class ZvecEngine(FolderEngine):
    """A collection of documents whose ids are the rows' numbers, with the item's id beside."""

    _collection = None

    def connect(self) -> None:
        import zvec

        path = self.folder / "rows"
        if path.exists():
            self._collection = zvec.open(str(path))
            return
        flat = zvec.FlatIndexParam(metric_type=zvec.MetricType.IP)
        vector = zvec.VectorSchema(
            VECTOR, zvec.DataType.SPARSE_VECTOR_FP32, self.width, index_param=flat
        )
        fields = [
            zvec.FieldSchema("number", zvec.DataType.INT64),
            zvec.FieldSchema("item_id", zvec.DataType.STRING),
            zvec.FieldSchema("title", zvec.DataType.STRING, nullable=True),
        ]
        schema = zvec.CollectionSchema("rows", fields, vector)
        self._collection = zvec.create_and_open(str(path), schema)

    def count(self) -> int:
        return self._collection.stats.doc_count

    def add(self, batch: Batch) -> None:
        from zvec import Doc

        docs = []
        for number, place, indices, values in batch.sparse():
            about = batch.beside(place)
            fields = {"number": number, "item_id": str(about["item_id"])}
            if "title" in about:
                fields["title"] = about["title"]
            vector = dict(zip(indices, values, strict=True))
            docs.append(Doc(id=str(number), vectors={VECTOR: vector}, fields=fields))
        for start in range(0, len(docs), ADDED):
            self._collection.upsert(docs[start : start + ADDED])
        self._collection.flush()

    def ask(self, latents, n, out, only):
        from zvec import Query

        chosen = None
        if only is not None:
            chosen = f"number in ({', '.join(map(str, only.tolist()))})"
        elif len(out):
            chosen = f"number not in ({', '.join(map(str, out.tolist()))})"
        vector = dict(zip(latents.indices.tolist(), latents.data.tolist(), strict=True))
        found = self._collection.query(Query(VECTOR, vector=vector), topk=n, filter=chosen)
        return as_answer([int(doc.id) for doc in found], [doc.score for doc in found])

    def close(self) -> None:
        if self._collection is not None:
            self._collection.close()
            self._collection = None
