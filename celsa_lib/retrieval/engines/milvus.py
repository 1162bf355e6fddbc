"""Milvus in this process (milvus-lite): it takes no negative values, so rows are split by sign."""

from celsa_lib.retrieval.engines.base import VECTOR, Batch, FolderEngine, as_answer
from celsa_lib.retrieval.export import split_signs

COLLECTION = "rows"


class MilvusEngine(FolderEngine):
    """A collection with the rows' numbers as keys, item_id and title beside the vector."""

    _client = None

    def connect(self) -> None:
        from pymilvus import DataType, MilvusClient

        self._client = MilvusClient(str(self.folder / "rows.db"))
        if not self._client.has_collection(COLLECTION):
            schema = self._client.create_schema(auto_id=False)
            schema.add_field("number", DataType.INT64, is_primary=True)
            schema.add_field("item_id", DataType.VARCHAR, max_length=65_535)
            schema.add_field("title", DataType.VARCHAR, max_length=65_535)
            schema.add_field(VECTOR, DataType.SPARSE_FLOAT_VECTOR)
            index = self._client.prepare_index_params()
            index.add_index(VECTOR, index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
            self._client.create_collection(COLLECTION, schema=schema, index_params=index)
        self._client.load_collection(COLLECTION)

    def count(self) -> int:
        return int(self._client.get_collection_stats(COLLECTION)["row_count"])

    def add(self, batch: Batch) -> None:
        from dataclasses import replace

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
        self._client.upsert(COLLECTION, data)
        self._client.flush(COLLECTION)

    def ask(self, latents, n, out, only):
        chosen = ""
        if only is not None:
            chosen = f"number in {only.tolist()}"
        elif len(out):
            chosen = f"number not in {out.tolist()}"
        vector = dict(zip(latents.indices.tolist(), latents.data.tolist(), strict=True))
        (found,) = self._client.search(
            COLLECTION, [vector], chosen, n, anns_field=VECTOR, output_fields=["number"],
            search_params={"metric_type": "IP"},
        )  # fmt: skip
        return as_answer([hit["number"] for hit in found], [hit["distance"] for hit in found])

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
