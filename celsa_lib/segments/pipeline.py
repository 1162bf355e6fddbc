"""`segment_items`: from embeddings and metadata to named segments."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd

from celsa_lib.data.genres import SERIES_IN_TITLE
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import ConfigError, DataError, check_count, plainly
from celsa_lib.segments.defaults import TAU
from celsa_lib.segments.grouping import Groups, group_embeddings
from celsa_lib.segments.merging import Embed, check_tau, merge_by_name, numbered_by_size
from celsa_lib.segments.naming import Describer, Label, TfidfDescriber
from celsa_lib.segments.segmentation import Segmentation, kept_text
from celsa_lib.segments.sentences import SentenceEmbedder


def segment_items(
    embeddings: ItemEmbeddings,
    items: pd.DataFrame,
    tau: float | None = None,
    describer: Describer | None = None,
    embed: Embed | None = None,
    n_groups: int | None = None,
) -> Segmentation:
    """Group items by dominant signed latent, name the groups, merge equal names (Section 2).

    Anchored rows, which have a latent of their own each, are grouped by nearest exemplar. Groups
    with one name are then told apart by their exemplars ("Drama like Philadelphia"), and merge only
    where `tau` is given.

    `items` is indexed by the embeddings' item ids, in their order; see Describer for its columns.
    `describer` is TfidfDescriber() unless given: no model, no network. `embed` turns names into
    unit rows, by SentenceEmbedder() unless given; groups merge above cosine `tau`, by default TAU.
    n_groups: of anchored rows, how many exemplars; by default as many as gain something.

    Raises DataError if items and embeddings do not match, ConfigError for a `tau` that is no cosine
    or without a sentence model.
    """
    check_tau(TAU if tau is None else tau)
    if n_groups is not None:
        check_count(n_groups=n_groups)
    _check_items(embeddings, items)
    if embed is not None and not callable(embed):
        raise ConfigError(f"embed is a function from names to rows, not {plainly(embed)}")
    if describer is not None and not hasattr(describer, "describe"):
        raise ConfigError(f"describer is TfidfDescriber() or alike, not {plainly(describer)}")
    titles = items["title"].astype(object).fillna("").map(kept_text)
    items = items.assign(title=titles)
    groups, describer = group_embeddings(embeddings, n_groups), describer or TfidfDescriber()
    if embeddings.is_anchored and tau is None:
        of_item, labels = _told_apart(groups, items, describer)
    else:
        embed = embed or SentenceEmbedder().embed
        tau = TAU if tau is None else tau
        of_item, labels = merge_by_name(groups.of_item, items, describer, embed, tau)
    return Segmentation(embeddings, of_item, labels, items["title"].to_numpy())


def _told_apart(
    groups: Groups, items: pd.DataFrame, describer: Describer
) -> tuple[np.ndarray, list[Label]]:
    """Groups around exemplars as segments, the largest first: the segment of each item, labels."""
    labels = describer.describe(groups.members, items)
    exemplars = items.iloc[groups.latents]
    titles = [SERIES_IN_TITLE.sub("", title).strip() for title in exemplars["title"]]
    labels = _apart(labels, [f" like {title}" for title in titles])
    labels = _apart(labels, [f" ({item})" for item in exemplars.index])  # two may have one title
    return numbered_by_size(groups.of_item, labels)


def _apart(labels: list[Label], marks: list[str]) -> list[Label]:
    """Labels, each that is there more than once with its mark."""
    having = Counter(label.text for label in labels)
    return [
        replace(label, text=label.text + mark) if having[label.text] > 1 else label
        for label, mark in zip(labels, marks, strict=True)
    ]


def _check_items(embeddings: ItemEmbeddings, items: pd.DataFrame) -> None:
    """Raise DataError unless `items` has titles and the embeddings' ids, in their order."""
    if not isinstance(items, pd.DataFrame):
        raise DataError(f"`items` is a {type(items).__name__}; pass a table such as dataset.items")
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
