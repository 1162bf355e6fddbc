"""The study of segments: groups, names and merges of embeddings, measured beside baselines.

Rows of its result have a `section`: "coherence", "agreement" and "reach" hold differences that the
claims are judged by; "groupings", "alignment", "tau", "stability" and "seconds" the numbers
behind, and "built in" a difference that x·A·Bᵀ makes by construction.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter

import numpy as np

from celsa_lib.data import Dataset
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.evaluation import Difference, Ratio, difference_by_user, ratio_of_means
from celsa_lib.experiments.config import ExperimentConfig, at_budgets
from celsa_lib.experiments.fits import Fits
from celsa_lib.experiments.manifest import make_manifest
from celsa_lib.experiments.profiles import GOODBOOKS, configuration, settings_for
from celsa_lib.experiments.run import Task
from celsa_lib.experiments.studies import prepare
from celsa_lib.results import Result, save_result
from celsa_lib.segments import (
    Segmentation,
    SentenceEmbedder,
    TfidfDescriber,
    group_items,
    merge_by_activation,
    merge_by_name,
    segment_items,
)
from celsa_lib.segments.grouping import members_of
from celsa_lib.segments.measures import (
    GroupScores,
    agreement,
    alignment,
    kmeans_groups,
    main_term,
    random_groups,
    shelf_jaccard,
    stability,
    tag_npmi,
    vector_cosine,
)
from celsa_lib.segments.terms import Terms, shelves_of

BUDGET = 128  # bytes per item, where a profile has that budget
DENSE_WIDTH = 256  # of the dense ELSA that k-means groups
TAUS = (0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
# Average cosine of profiles above which groups merge without text; chosen from a handful of values
# on the planted segments that are shown.
ACTIVATION_TAU = 0.2
STUDY_DATASET, STUDY_SEEDS = GOODBOOKS, (0, 1, 2)
OWN, RELEASED = "our embeddings", "released embeddings"
K_SEGMENTS, TOP_N = 5, 10


def segment_config(
    dataset: str, profile: str = "laptop", seeds: tuple[int, ...] = (0,)
) -> ExperimentConfig:
    """Compressed ELSA at one budget, and the dense ELSA to compare with. Raises ConfigError."""
    settings = settings_for(profile, dataset)
    budget = min(BUDGET, max(settings.budgets))
    compressed = at_budgets("CompressedELSA", (budget,), **settings.ablation())
    width = min(DENSE_WIDTH, settings.dense_width)
    dense = at_budgets("ELSA", (4 * width,), **settings.training())
    return configuration(dataset, profile, (*compressed, *dense), seeds)


@dataclass(eq=False)
class SegmentStudy:
    """Data and models of one study; `embed` turns texts into unit rows."""

    config: ExperimentConfig
    dataset: Dataset
    task: Task
    embedder: SentenceEmbedder

    def __post_init__(self):
        released = self.task.ready.get("Released")
        ids = self.dataset.item_ids if released is None else released.item_ids
        self.items = self.dataset.items.reindex(ids)
        self.popularity = np.asarray(self.task.fit.sum(axis=0)).ravel()

    @cached_property
    def shelves(self) -> Terms:
        """Genres that are neither very rare nor on most items."""
        return shelves_of(self.items, least=min(20, max(2, len(self.items) // 100)), most=0.2)

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
        _ = self.own, self.dense

    @cached_property
    def own(self) -> list[ItemEmbeddings]:
        """Compressed ELSA of every seed."""
        return [self._fitted("CompressedELSA", seed) for seed in self.config.seeds]

    @cached_property
    def dense(self) -> ItemEmbeddings:
        """Dense ELSA of the first seed."""
        return self._fitted("ELSA", self.config.seeds[0])

    def _fitted(self, name: str, seed: int) -> ItemEmbeddings:
        method = next(method for method in self.config.methods if method.name == name)
        model = Fits(self.task.fit).fitted(name, method.params, seed)
        return ItemEmbeddings(model.item_embeddings.matrix, self.items.index.to_numpy())

    @cached_property
    def spaces(self) -> dict[str, ItemEmbeddings]:
        """Ours (first seed) and, where they come with the data, the released ones."""
        released = self.task.ready.get("Released")
        return {OWN: self.own[0]} | ({RELEASED: released} if released is not None else {})

    def segment(self, embeddings: ItemEmbeddings, **options) -> Segmentation:
        """`segment_items` on this study's items."""
        return segment_items(embeddings, self.items, embed=self.embedder.embed, **options)


def run_segment_study(
    profile: str = "laptop", out: str | Path | None = None, data_dir: str | Path | None = None
) -> Result:
    """The study that is stored: Goodbooks, ours and the released embeddings. Raises CelsaError."""
    config = segment_config(STUDY_DATASET, profile, STUDY_SEEDS)
    dataset, task = prepare(config, data_dir)
    return run_segments(config, dataset, task, out)


def run_segments(
    config: ExperimentConfig, dataset: Dataset, task: Task, out: str | Path | None = None
) -> Result:
    """Group, name, merge and measure; every row in one run. Raises CelsaError."""
    study = SegmentStudy(config, dataset, task, SentenceEmbedder())
    result = Result(make_manifest(config, dataset))
    started = perf_counter()
    study.train()
    _add(result, "seconds", {"what": "training", "value": perf_counter() - started})
    for space, embeddings in study.spaces.items():
        began = perf_counter()
        segmentation = study.segment(embeddings)
        for row in _of_space(study, embeddings, segmentation):
            if "what" in row:
                row["what"] = f"{space}: {row['what']}"
            _add(result, row.pop("section"), {"space": space} | row)
        _add(result, "seconds", {"what": space, "value": perf_counter() - began})
    for row in (*_of_tau(study), *_of_seeds(study)):
        _add(result, row.pop("section"), row)
    result.manifest["seconds"] = round(perf_counter() - started, 1)
    if out:
        save_result(result, out)
    return result


def _add(result: Result, section: str, row: dict) -> None:
    plain = {k: round(float(v), 5) if isinstance(v, float) else v for k, v in row.items()}
    result.rows.append({"section": section} | plain)


def _of_space(study: SegmentStudy, embeddings, segmentation: Segmentation) -> Iterator[dict]:
    groups = group_items(embeddings.matrix).of_item
    merged = merge_by_activation(groups, study.task.fit, ACTIVATION_TAU)
    groupings = {
        "raw groups": groups,
        "segments": segmentation.of_item,
        "merged by activation": merged,
        "k-means, as many as raw groups": _kmeans(study, groups),
        "k-means, as many as segments": _kmeans(study, segmentation.of_item),
        "random, sizes of raw groups": random_groups(groups),
        "random, sizes of segments": random_groups(segmentation.of_item),
        "rarest genre": main_term(study.shelves),
    }
    for name, of_item in groupings.items():
        yield from _of_grouping(study, name, np.unique(of_item, return_inverse=True)[1])
    yield from _against_random(study, groups)
    yield from _of_users(study, segmentation)


def _kmeans(study: SegmentStudy, of_item: np.ndarray, seed: int = 0) -> np.ndarray:
    return kmeans_groups(study.dense, len(np.unique(of_item)), seed)


Measure = Callable[[SegmentStudy, list], GroupScores]
COHERENCE: dict[str, Measure] = {
    "shelves (weighted Jaccard)": lambda study, members: shelf_jaccard(members, study.shelves),
    "tags (NPMI)": lambda study, members: tag_npmi(members, study.shelves),
    "metadata (cosine)": lambda study, members: vector_cosine(members, study.vectors),
}


def _of_grouping(study: SegmentStudy, name: str, of_item: np.ndarray) -> Iterator[dict]:
    """Coherence of a grouping, and its agreement with the truth or with genres."""
    members = members_of(of_item, of_item.max() + 1)
    about = {"section": "groupings", "grouping": name, "groups": len(members)}
    about["alone"] = int(sum(len(group) == 1 for group in members))
    for measure, scores in COHERENCE.items():
        found = scores(study, members)
        if found.pairs.any():  # no pairs of tags where items have one genre each
            yield about | {"measure": measure} | _interval(found.mean())
    truth = study.dataset.truth
    against = main_term(study.shelves) if truth is None else truth.item_segment
    known = against >= 0
    found = agreement(against[known], of_item[known])
    for measure in ("ari", "nmi", "purity"):
        label = f"{measure if measure == 'purity' else measure.upper()} with "
        label += "rarest genre" if truth is None else "planted segments"
        yield about | {"measure": label, "value": found[measure]}


def _against_random(study: SegmentStudy, of_item: np.ndarray) -> Iterator[dict]:
    """Coherence of raw groups minus that of random ones, paired: each has its twin's size.

    Merged segments are not judged so: their names are made of the metadata that is compared.
    """
    n = of_item.max() + 1
    ours, chance = (members_of(g, n) for g in (of_item, random_groups(of_item)))
    for measure, scores in COHERENCE.items():
        if measure.startswith("tags"):
            continue  # its number of pairs differs between the twins
        a, b = scores(study, ours), scores(study, chance)
        found = ratio_of_means(a.sums - b.sums, a.pairs)
        what = f"raw groups, {measure}, minus random groups of the same sizes"
        yield {"section": "coherence", "what": what, "mean": found.value} | _bounds(found)


def _of_users(study: SegmentStudy, segmentation: Segmentation) -> Iterator[dict]:
    """What users choose next, and their lists, in the segments recommended to them."""
    shares = alignment(segmentation, study.task.folds, study.popularity, K_SEGMENTS, TOP_N)
    nothing = np.zeros(len(shares))
    for column in shares:
        found = difference_by_user(shares[column].to_numpy(), nothing)
        yield {"section": "alignment", "measure": column, "value": found.mean} | _bounds(found)
    held_out = f"held-out items in {K_SEGMENTS} recommended segments minus"
    for section, what, ours, theirs in (
        ("agreement", "signs of recommended segments minus those of all", "signs", "signs random"),
        ("reach", f"{held_out} the most popular ones", "recommended", "popular"),
        ("reach", f"{held_out} what popularity alone gives", "recommended", "by popularity"),
        ("reach", f"{held_out} those with most of the history", "recommended", "history"),
        ("built in", f"top {TOP_N} minus random segments", "top recommended", "top random"),
    ):
        found = difference_by_user(shares[ours].to_numpy(), shares[theirs].to_numpy())
        yield {"section": section, "what": what, "mean": found.mean} | _bounds(found)


def _of_tau(study: SegmentStudy) -> Iterator[dict]:
    """Number of segments and their coherence by the threshold of merging, for our embeddings."""
    groups = group_items(study.own[0].matrix).of_item
    for tau in TAUS:
        of_item, _ = merge_by_name(groups, study.items, TfidfDescriber(), study.embedder.embed, tau)
        members = members_of(of_item, of_item.max() + 1)
        row = {"section": "tau", "tau": tau, "groups": len(members)}
        row["largest"] = int(max(map(len, members)))
        yield row | _interval(shelf_jaccard(members, study.shelves).mean())


def _of_seeds(study: SegmentStudy) -> Iterator[dict]:
    """How much groupings of different seeds agree; nothing with one seed."""
    if len(study.own) < 2:
        return
    raw = [group_items(embeddings.matrix).of_item for embeddings in study.own]
    groupings = {
        "raw groups": raw,
        "segments": [study.segment(embeddings).of_item for embeddings in study.own],
        "k-means on one dense ELSA": [
            _kmeans(study, of_item, seed)
            for of_item, seed in zip(raw, study.config.seeds, strict=True)
        ],
    }
    for name, found in groupings.items():
        yield {"section": "stability", "grouping": name, "seeds": len(found)} | stability(found)


def _interval(found: Ratio) -> dict:
    return {"value": found.value} | _bounds(found)


def _bounds(found: Ratio | Difference) -> dict:
    return {"low": found.low, "high": found.high}
