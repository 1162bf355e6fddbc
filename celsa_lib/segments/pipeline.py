"""`segment_items`: from embeddings and metadata to named segments."""

import numpy as np
import pandas as pd

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import DataError
from celsa_lib.segments.defaults import TAU
from celsa_lib.segments.grouping import group_embeddings
from celsa_lib.segments.merging import Embed, check_tau, merge_by_name
from celsa_lib.segments.naming import Describer, TfidfDescriber
from celsa_lib.segments.segmentation import Segmentation
from celsa_lib.segments.sentences import SentenceEmbedder


def segment_items(
    embeddings: ItemEmbeddings,
    items: pd.DataFrame,
    tau: float = TAU,
    describer: Describer | None = None,
    embed: Embed | None = None,
) -> Segmentation:
    """Group items by dominant signed latent, name the groups, merge equal names (Section 2).

    Anchored rows, which have a latent of their own each, are grouped by nearest exemplar.

    `items` is indexed by the embeddings' item ids, in their order; see Describer for its columns.
    `describer` is TfidfDescriber() unless given: no model, no network. `embed` turns names into
    unit rows, by SentenceEmbedder() unless given; groups merge above cosine `tau`. Raises DataError
    if items and embeddings do not match, ConfigError for a `tau` that is no cosine or without a
    sentence model.
    """
    check_tau(tau)
    _check_items(embeddings, items)
    items = items.assign(title=items["title"].astype(object).fillna("").astype(str))
    groups = group_embeddings(embeddings)
    of_item, labels = merge_by_name(
        groups.of_item,
        items,
        describer or TfidfDescriber(),
        embed or SentenceEmbedder().embed,
        tau,
    )
    return Segmentation(embeddings, of_item, labels, items["title"].to_numpy())


def _check_items(embeddings: ItemEmbeddings, items: pd.DataFrame) -> None:
    """Raise DataError unless `items` has titles and the embeddings' ids, in their order."""
    if "title" not in items:
        raise DataError(f"`items` has no column title, only {', '.join(map(str, items.columns))}")
    ids = pd.Index(embeddings.item_ids)
    if not np.array_equal(items.index.astype(str), ids.astype(str)):
        raise DataError(
            f"`items` must be indexed by the embeddings' item ids in their order: {_few(ids)}, not "
            f"{_few(items.index)}. A model names its rows when it is fitted: "
            "fit(X, item_ids=data.item_ids)"
        )


def _few(ids: pd.Index) -> str:
    return f"{', '.join(map(str, ids[:3]))} … ({len(ids)})"
