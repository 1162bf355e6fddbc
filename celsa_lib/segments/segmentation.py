"""Segments: named groups of items in the same latent space as the items (Section 2)."""

import csv
import unicodedata
from dataclasses import replace
from functools import cached_property
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.arrays import save_arrays, stored_arrays
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import ConfigError, DataError, check_count
from celsa_lib.files import write_whole
from celsa_lib.retrieval import exclude_seen as hide_seen
from celsa_lib.retrieval import top_n
from celsa_lib.segments.grouping import dominant_latents, members_of
from celsa_lib.segments.naming import Label
from celsa_lib.segments.shown import shown_segments
from celsa_lib.split import matching

FORMAT = "celsa-segments"
VERSION = 3  # 1 had no item ids, 2 no checksum
ROW_COLUMNS = ["segment", "label", "segment score", "position", "title", "score"]  # of `rows`
LONGEST_TITLE = 1000  # characters kept: an array gives each title as many as the longest
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")  # a spreadsheet may run such cells


def segment_matrix(matrix: csr_matrix, of_item: np.ndarray) -> csr_matrix:
    """B: segments × width, ±1 at the dominant signed latents of a segment's items, unit rows.

    Where a segment has a latent with both signs, the sign of more of its items stands (of as many,
    the positive one).
    """
    latents, signs = dominant_latents(matrix)
    shape = of_item.max() + 1, matrix.shape[1]
    votes = csr_matrix((np.where(signs > 0, 1, -1), (of_item, latents)), shape=shape)
    votes.sum_duplicates()
    signs = np.where(votes.data >= 0, 1.0, -1.0)
    signs /= np.sqrt(np.repeat(np.diff(votes.indptr), np.diff(votes.indptr)))
    return csr_matrix((signs.astype(np.float32), votes.indices, votes.indptr), shape=shape)


def kept_text(text) -> str:
    """A title or label as it is kept: of LONGEST_TITLE characters at most, without surrogates."""
    return str(text)[:LONGEST_TITLE].encode("utf-8", "replace").decode()


class Segmentation:
    """Segments of the items of `embeddings` A: row c of B is segment c, its score x·A·Bᵀ.

    The latents of a segment are its items' dominant ones; of anchored rows, the items' own.
    `of_item` (n_items,) is the segment of each item, `labels` its name, `titles` (n_items,) what
    the items are called. Every item is in exactly one segment.
    """

    def __init__(
        self,
        embeddings: ItemEmbeddings,
        of_item: np.ndarray,
        labels: list[Label],
        titles: np.ndarray,
    ):
        """Raises DataError if the parts do not fit together."""
        self.embeddings, self.of_item = embeddings, np.asarray(of_item)
        self.labels = [replace(one, text=kept_text(one.text)) for one in labels]
        self.titles = np.array([kept_text(title) for title in titles], dtype=str)
        n_items = embeddings.matrix.shape[0]
        if self.of_item.shape != (n_items,) or self.titles.shape != (n_items,):
            raise DataError(
                f"{n_items} embedding rows, segments of shape {self.of_item.shape} and titles of "
                f"shape {self.titles.shape}; pass one of each per item"
            )
        numbered = np.issubdtype(self.of_item.dtype, np.integer)
        if not numbered or set(self.of_item.tolist()) != set(range(len(self.labels))):
            raise DataError(
                f"{len(self.labels)} labels do not name every segment of the items; number the "
                "segments 0, 1, … and pass a label for each"
            )
        self.matrix = segment_matrix(embeddings.marking, self.of_item)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Segmentation({len(self.of_item)} items in {len(self)} segments)"

    @cached_property
    def members(self) -> list[np.ndarray]:
        """Item positions of each segment, ascending."""
        return members_of(self.of_item, len(self))

    @cached_property
    def segments(self) -> pd.DataFrame:
        """A row per segment: label, source (who named it), size, latents (index and sign), members.

        `members` are item ids. Indexed by the segment's number, the largest first.
        """
        ids = self.embeddings.item_ids
        return pd.DataFrame(
            {
                "label": [label.text for label in self.labels],
                "source": [label.source for label in self.labels],
                "size": [len(members) for members in self.members],
                "latents": [self.latents(segment) for segment in range(len(self))],
                "members": [ids[members].tolist() for members in self.members],
            },
            index=pd.RangeIndex(len(self), name="segment"),
        )

    def chosen(self, X: csr_matrix) -> np.ndarray:
        """How often users of X (users × items) chose from each segment: (n_segments,)."""
        of_items = np.asarray(self._matching(X).sum(axis=0)).ravel()
        return np.bincount(self.of_item, of_items, minlength=len(self))

    def typical(self, segment: int, n: int) -> np.ndarray:
        """Positions of the `n` members that score highest with their segment, a_i·b_c; best first.

        Raises ConfigError.
        """
        _check_position("segment", segment, len(self))
        check_count(n=n)
        members = self.members[segment]
        own = (self.embeddings.matrix[members] @ self.matrix[segment].T).toarray().ravel()
        return members[np.argsort(-own, kind="stable")[:n]]

    def latents(self, segment: int) -> list[tuple[int, int]]:
        """(index, sign) of each latent of a segment, by index. Raises ConfigError."""
        _check_position("segment", segment, len(self))
        row = self.matrix[segment]
        return [(int(i), int(np.sign(v))) for i, v in zip(row.indices, row.data, strict=True)]

    def score(self, X: csr_matrix) -> np.ndarray:
        """x·A·Bᵀ: users × segments, float32. Raises DataError if X has other columns."""
        encoded = self.embeddings.activations(self._matching(X))
        return np.ascontiguousarray((self.matrix @ encoded.T).T)

    def recommend(self, X: csr_matrix, n: int = 5) -> tuple[np.ndarray, np.ndarray]:
        """The `n` best segments per user: (segments, scores), each users × n.

        Raises ConfigError if n < 1, DataError if X has other columns.
        """
        check_count(n=n)
        return top_n(self.score(X), n)

    def recommend_items(
        self, X: csr_matrix, segment: int, n: int = 10, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `n` best items of one segment per user: (indices, scores), users × n; −1: none left.

        Raises ConfigError for a segment that is not there or n < 1, DataError for another X.
        """
        _check_position("segment", segment, len(self))
        check_count(n=n)
        X = self._matching(X)
        members = self.members[segment]
        rows = self.embeddings.matrix[members]
        own = X[:, members]
        scores = np.ascontiguousarray((rows @ self.embeddings.activations(X).T).T)
        scores -= own.multiply(self.embeddings.own_part[members]).toarray()
        items, values = top_n(hide_seen(scores, own) if exclude_seen else scores, n)
        return np.where(items < 0, -1, members[items]), values

    def rows(
        self, x: csr_matrix, n_segments: int = 5, n_items: int = 10, least: int = 1
    ) -> pd.DataFrame:
        """A two-dimensional page for one user x (1 × items): segments, the best items in each.

        ROW_COLUMNS, where the position is that of the item. Segments of which fewer than `least`
        items are unseen give way to the next best. Raises ConfigError, and DataError for several
        users.
        """
        check_count(n_segments=n_segments, n_items=n_items, least=least)
        x, parts = self.one_user(x), []
        for segment, score in zip(*shown_segments(self, x, n_segments, least), strict=True):
            items, scores = (part[0] for part in self.recommend_items(x, segment, n_items))
            left = items >= 0
            part = {"segment": segment, "label": self.labels[segment].text, "segment score": score}
            part |= {"position": items[left], "title": self.titles[items[left]]}
            parts.append(pd.DataFrame(part | {"score": scores[left]}))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=ROW_COLUMNS)

    def explain(self, x: csr_matrix, item: int) -> pd.DataFrame:
        """Why `item` (a position) was recommended to x (1 × items): a row per latent.

        Columns latent, activation (x·A), because of (the title in x that adds most to it), segment,
        owned (whether B has this signed latent at the segment; where no segment has it, the one
        of the item that is strongest there is named), value (A at the item), contribution =
        activation × value. The contributions sum to the item's score, plus its own part if it was
        seen. Raises ConfigError for an item that is not there, DataError for several users.
        """
        x = self.one_user(x)
        _check_position("item", item, len(self.of_item))
        row = self.embeddings.matrix[item]
        row.eliminate_zeros()
        activations = self.embeddings.activations(x)[0]
        table = pd.DataFrame({"latent": row.indices, "activation": activations[row.indices]})
        table["because of"] = [self._source_of(x, latent, item) for latent in row.indices]
        pairs = zip(row.indices, np.sign(row.data), strict=True)
        segments, owned = zip(*[self._segment_at(*pair) for pair in pairs], strict=True)
        table["segment"] = [self.labels[segment].text for segment in segments]
        table["owned"] = owned
        table["value"] = row.data
        table["contribution"] = table["activation"] * table["value"]
        return table.sort_values("contribution", ascending=False, kind="stable", ignore_index=True)

    def _source_of(self, x: csr_matrix, latent: int, item: int) -> str:
        """Title of the item in x that moves a latent most in the direction of `item`."""
        seen = x.indices
        column = self.embeddings.matrix[:, latent].toarray().ravel()
        shares = column[seen] * np.sign(column[item])
        return str(self.titles[seen[np.argmax(shares)]]) if (shares > 0).any() else ""

    def _segment_at(self, latent: int, sign: float) -> tuple[int, bool]:
        """The segment of a signed latent, and whether it owns it in B.

        A latent that is no item's dominant one, or lost the vote in `segment_matrix`, has no owner.
        """
        owners = self.matrix[:, latent].tocoo()
        having = owners.row[np.sign(owners.data) == sign]
        if len(having):
            return int(having[0]), True
        strongest = np.argmax(sign * self.embeddings.matrix[:, latent].toarray().ravel())
        return int(self.of_item[strongest]), False

    @property
    def by_item(self) -> pd.DataFrame:
        """A row per item: segment, label, source (who named it), item_id, title; by segment."""
        order = np.argsort(self.of_item, kind="stable")
        labels = [self.labels[segment] for segment in self.of_item[order]]
        return pd.DataFrame(
            {
                "segment": self.of_item[order],
                "label": [label.text for label in labels],
                "source": [label.source for label in labels],
                "item_id": self.embeddings.item_ids[order],
                "title": self.titles[order],
            }
        )

    def to_csv(self, path: str | Path) -> Path:
        """Write `by_item` as CSV in UTF-8, whole or not at all. Raises StorageError.

        Text is quoted, and has a ' before it where a spreadsheet would take it for a formula.
        """
        text = self.by_item.map(_harmless).to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)
        return write_whole(path, lambda file: file.write(text.encode()))

    def save(self, path: str | Path) -> Path:
        """Write one .npz (no pickle), whole or not at all: segments and names, without A."""
        header = {"format": FORMAT, "version": VERSION}
        arrays = {
            "item_ids": self.embeddings.item_ids,
            "of_item": self.of_item,
            "labels": np.array([label.text for label in self.labels], dtype=str),
            "sources": np.array([label.source for label in self.labels], dtype=str),
            "titles": self.titles,
        }
        return save_arrays(path, header, arrays)

    @classmethod
    def load(cls, path: str | Path, embeddings: ItemEmbeddings) -> "Segmentation":
        """Read what `save` wrote, for the same embeddings; ids of items are compared as text.

        Raises StorageError, and DataError for embeddings of other items or in another order.
        """
        if not isinstance(embeddings, ItemEmbeddings):
            raise DataError(f"segments are of embeddings, got a {type(embeddings).__name__}")
        with stored_arrays(path, FORMAT, VERSION, "segments") as (_, stored):
            ids, of_item, titles = stored["item_ids"], stored["of_item"], stored["titles"]
            pairs = zip(stored["labels"], stored["sources"], strict=True)
            labels = [Label(str(text), str(source)) for text, source in pairs]
        if not np.array_equal(ids.astype(str), embeddings.item_ids.astype(str)):
            raise DataError(
                f"{path} has other items than the embeddings, or another order of them; "
                "load it with the embeddings it was made from"
            )
        return cls(embeddings, of_item, labels, titles)

    def _matching(self, X: csr_matrix) -> csr_matrix:
        return matching(X, len(self.of_item), "the segments have")

    def one_user(self, x: csr_matrix) -> csr_matrix:
        """x as 1 × items. Raises DataError, also for several users or none."""
        x = self._matching(x)
        if x.shape[0] != 1:
            raise DataError(f"one user is meant, got {x.shape[0]}; pass one row, such as X[0]")
        return x


def _check_position(what: str, position: int, n: int) -> None:
    """Raise ConfigError unless `position` is a whole number from 0 to n − 1."""
    whole = isinstance(position, Integral) and not isinstance(position, bool | np.bool_)
    if not whole or not 0 <= position < n:
        raise ConfigError(f"there is no {what} {position!r}; they are 0 to {n - 1}")


def _harmless(cell):
    if not isinstance(cell, str):
        return cell
    plain = unicodedata.normalize("NFKC", cell)  # of ＝ it makes =, as spreadsheets do
    risky = plain.startswith(FORMULA_STARTS) or plain.lstrip().startswith(FORMULA_STARTS)
    return f"'{cell}" if risky else cell
