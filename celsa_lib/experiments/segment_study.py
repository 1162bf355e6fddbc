"""What a study of segments is made of: its configuration, its data, and the models to group."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from celsa_lib.data import Dataset
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.experiments.config import ExperimentConfig, at_budgets
from celsa_lib.experiments.fit_cache import FitCache
from celsa_lib.experiments.profiles import PRECISION, configuration, settings_for
from celsa_lib.experiments.task import Task
from celsa_lib.models.registry import (
    DENSE,
    OURS,
    RECOMMENDED,
    RECOMMENDED_RECIPE,
    by_label,
    by_name,
)
from celsa_lib.segments import TAU, Segmentation, SentenceEmbedder, segment_items
from celsa_lib.segments.measures import kmeans_groups
from celsa_lib.segments.naming.terms import Terms, genres_of

BUDGET = 128  # bytes per item, where a profile has that budget
DENSE_WIDTH = 256  # of the dense ELSA that k-means groups
OWN, RELEASED = "our embeddings", "released embeddings"


def segment_config(
    dataset: str,
    profile: str = "laptop",
    seeds: tuple[int, ...] = (0,),
    width: int | None = None,
) -> ExperimentConfig:
    """Compressed ELSA at one budget, by the paper's procedure and by the recommended recipe, and
    the dense ELSA to compare with. Raises ConfigError.

    `width`: of the paper's procedure, where it is not the profile's.
    """
    settings = settings_for(profile, dataset)
    budget = min(BUDGET, max(settings.budgets))
    params = settings.ablation() | ({} if width is None else {"width": width})
    compressed = at_budgets("CompressedELSA", (budget,), **params)
    given = RECOMMENDED_RECIPE | {"precision": PRECISION}
    recommended = at_budgets("CompressedELSA", (budget,), **given)
    dense_width = min(DENSE_WIDTH, settings.dense_width)
    dense = at_budgets("ELSA", (4 * dense_width,), **settings.training())
    return configuration(dataset, profile, (*compressed, *recommended, *dense), seeds)


@dataclass(eq=False)
class SegmentStudy:
    """Data and models of one study; `embedder` turns texts into unit rows."""

    config: ExperimentConfig
    dataset: Dataset
    task: Task
    embedder: SentenceEmbedder

    def __post_init__(self):
        released = self.task.ready.get("Released")
        ids = self.dataset.item_ids if released is None else released.item_ids
        self.items = self.dataset.items.reindex(ids)
        self.popularity = np.asarray(self.task.fit.sum(axis=0)).ravel()
        self._kmeans: dict[tuple[int, int, int], np.ndarray] = {}
        self._segments: dict[tuple[ItemEmbeddings, float | None], Segmentation] = {}

    @cached_property
    def genres(self) -> Terms:
        """Genres that are neither very rare nor on most items."""
        return genres_of(self.items, least=min(20, max(2, len(self.items) // 100)), most=0.2)

    @cached_property
    def vectors(self) -> np.ndarray:
        """Sentence embeddings of title and author (or genres): items × dimensions."""
        items = self.items.assign(**{c: "" for c in ("authors", "genres") if c not in self.items})
        about = (
            items["authors"].fillna("").where(items["authors"].fillna("") != "", items["genres"])
        )
        return self.embedder.embed(
            [f"{t}, {a}" for t, a in zip(items["title"], about, strict=True)]
        )

    def train(self) -> None:
        """Make the models now, so that their training is timed apart from the rest."""
        _ = self.own, self.by_recipe, self.dense

    @cached_property
    def own(self) -> list[ItemEmbeddings]:
        """Compressed ELSA of every seed, by the paper's procedure."""
        return [self._fitted(OURS, seed) for seed in self.config.seeds]

    @cached_property
    def by_recipe(self) -> list[ItemEmbeddings]:
        """Compressed ELSA of every seed, by the recommended recipe: anchored rows."""
        return [self._fitted(RECOMMENDED, seed) for seed in self.config.seeds]

    @cached_property
    def dense(self) -> list[ItemEmbeddings]:
        """Dense ELSA of the first two seeds: to compare with, and to see what a seed changes."""
        return [self._fitted(DENSE, seed) for seed in self.config.seeds[:2]]

    def kmeans(self, of_item: np.ndarray, model: int = 0, start: int = 0) -> np.ndarray:
        """k-means on the `model`-th dense ELSA with as many groups as `of_item`, made once."""
        key = len(np.unique(of_item)), model, start
        if key not in self._kmeans:
            self._kmeans[key] = kmeans_groups(self.dense[model], key[0], start)
        return self._kmeans[key]

    def _fitted(self, label: str, seed: int) -> ItemEmbeddings:
        """The configured model that tables call `label`, fitted."""
        name = by_label(label).name
        params = next(
            method.params
            for method in self.config.methods
            if method.name == name and by_name(name, params=method.params).label == label
        )
        fits = FitCache(self.task.fit, self.items.index.to_numpy())
        return fits.fitted(name, params, seed).item_embeddings

    @cached_property
    def spaces(self) -> dict[str, ItemEmbeddings]:
        """Ours (first seed of each recipe) and, where they come with the data, the released."""
        released = self.task.ready.get("Released")
        ours = {OWN: self.own[0], RECOMMENDED: self.by_recipe[0]}
        return ours | ({RELEASED: released} if released is not None else {})

    def segment(self, embeddings: ItemEmbeddings, tau: float | None = None) -> Segmentation:
        """`segment_items` on this study's items, made once for each `tau`."""
        if tau is None and not embeddings.is_anchored:
            tau = TAU  # which is what None means there
        if (embeddings, tau) not in self._segments:
            found = segment_items(embeddings, self.items, tau, embed=self.embedder.embed)
            self._segments[embeddings, tau] = found
        return self._segments[embeddings, tau]
