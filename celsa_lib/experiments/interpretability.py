"""The study of segments: groups, names and merges of embeddings, measured beside baselines.

Embeddings are those of the paper's procedure, of the recommended recipe, whose groups are around
exemplars, and those that its authors released.

Rows of its result have a `section`: "coherence", "agreement" and "reach" hold differences that the
claims are judged by; "groupings", "alignment", "tau", "stability" and "seconds" the numbers
behind, "names" stored names beside those of class-based TF-IDF, and "built in" a difference that
x·A·Bᵀ makes by construction.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import numpy as np

from celsa_lib.data import Dataset
from celsa_lib.evaluation import Difference, Ratio, difference_by_user, ratio_of_means
from celsa_lib.experiments.config import ExperimentConfig
from celsa_lib.experiments.manifest import make_manifest
from celsa_lib.experiments.segment_study import OWN, RELEASED, SegmentStudy, segment_config
from celsa_lib.experiments.task import Task, prepare
from celsa_lib.models.registry import RECOMMENDED
from celsa_lib.results import SEGMENTS, Result, save_result
from celsa_lib.segments import (
    TAU,
    AnswerCache,
    ReplayDescriber,
    Segmentation,
    SentenceEmbedder,
    TfidfDescriber,
    group_embeddings,
    group_items,
    merge_by_activation,
    merge_by_name,
)
from celsa_lib.segments.grouping import members_of
from celsa_lib.segments.measures import (
    GroupScores,
    agreement,
    alignment,
    genre_jaccard,
    genre_npmi,
    main_term,
    random_groups,
    stability,
    vector_cosine,
)

TAUS = (0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
# Average cosine of profiles above which groups merge without text; chosen from a handful of values
# on the planted segments that are shown.
ACTIVATION_TAU = 0.2
STUDY_SEEDS = (0, 1, 2)
STORED_NAMES = Path("results/names/goodbooks-released.jsonl")
K_SEGMENTS, TOP_N = 5, 10


def run_segment_study(dataset: str, profile: str, out: str | Path) -> Result:
    """The study that is stored: of our embeddings and the released ones. Raises CelsaError."""
    config = segment_config(dataset, profile, STUDY_SEEDS)
    return run_segments(config, *prepare(config), out, AnswerCache(STORED_NAMES))


def run_segments(
    config: ExperimentConfig,
    dataset: Dataset,
    task: Task,
    out: str | Path | None = None,
    names: AnswerCache | None = None,
) -> Result:
    """Group, name, merge and measure; every row in one run. Raises CelsaError.

    `names`: stored ones of groups of the released embeddings.
    """
    study = SegmentStudy(config, dataset, task, SentenceEmbedder())
    result = Result(make_manifest(config, dataset, SEGMENTS))
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
    for row in (*_of_tau(study), *_of_seeds(study), *_of_names(study, names)):
        _add(result, row.pop("section"), row)
    result.manifest["seconds"] = round(perf_counter() - started, 1)
    if out:
        save_result(result, out)
    return result


def _add(result: Result, section: str, row: dict) -> None:
    plain = {k: round(float(v), 5) if isinstance(v, float) else v for k, v in row.items()}
    result.rows.append({"section": section} | plain)


def _of_space(study: SegmentStudy, embeddings, segmentation: Segmentation) -> Iterator[dict]:
    groups = group_embeddings(embeddings).of_item
    named = study.segment(embeddings, TAU).of_item
    groupings = {
        "raw groups": groups,
        "merged by names": named,
        "merged by activation": merge_by_activation(groups, study.task.fit, ACTIVATION_TAU),
        "k-means, as many as raw groups": study.kmeans(groups),
        "k-means, as many as merged by names": study.kmeans(named),
        "random, sizes of raw groups": random_groups(groups),
        "random, sizes of merged by names": random_groups(named),
    }
    if len(study.genres.names):
        groupings["rarest genre"] = main_term(study.genres)
    for name, of_item in groupings.items():
        yield from _of_grouping(study, name, np.unique(of_item, return_inverse=True)[1])
    yield from _against_random(study, groups)
    yield from _of_users(study, segmentation)


NPMI = "genres (NPMI)"
Measure = Callable[[SegmentStudy, list], GroupScores]
COHERENCE: dict[str, Measure] = {
    "genres (weighted Jaccard)": lambda study, members: genre_jaccard(members, study.genres),
    NPMI: lambda study, members: genre_npmi(members, study.genres),
    "metadata (cosine)": lambda study, members: vector_cosine(members, study.vectors),
}


def _of_grouping(study: SegmentStudy, name: str, of_item: np.ndarray) -> Iterator[dict]:
    """Coherence of a grouping, and its agreement with the truth or with genres, if known."""
    members = members_of(of_item, of_item.max() + 1)
    about = {"section": "groupings", "grouping": name, "groups": len(members)}
    about["alone"] = int(sum(len(group) == 1 for group in members))
    for measure, scores in COHERENCE.items():
        found = scores(study, members)
        if found.pairs.any():  # none of NPMI where items have one genre each
            yield about | {"measure": measure} | _interval(found.mean())
    truth = study.dataset.truth
    against = main_term(study.genres) if truth is None else truth.item_segment
    known = against >= 0
    if not known.any():
        return
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
        if measure == NPMI:
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
    groups, describer = group_items(study.own[0].matrix).of_item, TfidfDescriber()
    for tau in TAUS:
        of_item, _ = merge_by_name(groups, study.items, describer, study.embedder.embed, tau)
        members = members_of(of_item, of_item.max() + 1)
        row = {"section": "tau", "tau": tau, "groups": len(members)}
        row["largest"] = int(max(map(len, members)))
        yield row | _interval(genre_jaccard(members, study.genres).mean())


def _of_seeds(study: SegmentStudy) -> Iterator[dict]:
    """How much groupings of different seeds agree; nothing with one seed."""
    if len(study.config.seeds) < 2:
        return
    for space, models in ((OWN, study.own), (RECOMMENDED, study.by_recipe)):
        raw = [group_embeddings(embeddings).of_item for embeddings in models]
        groupings = {
            "raw groups": raw,
            "merged by names": [study.segment(embeddings, TAU).of_item for embeddings in models],
            "k-means, other starts on one dense ELSA": [
                study.kmeans(of_item, start=i) for i, of_item in enumerate(raw)
            ],
            "k-means, a dense ELSA of each seed": [
                study.kmeans(raw[i], model=i, start=i) for i in range(len(study.dense))
            ],
        }
        for name, found in groupings.items():
            about = {"section": "stability", "space": space, "grouping": name}
            yield about | {"seeds": len(found)} | stability(found)


def _of_names(study: SegmentStudy, stored: AnswerCache | None) -> Iterator[dict]:
    """Stored names of the largest released groups, as many as are stored, and TF-IDF's."""
    if not stored or RELEASED not in study.spaces:
        return
    groups = group_items(study.spaces[RELEASED].matrix).members
    largest = sorted(groups, key=len, reverse=True)[: len(stored)]
    own = TfidfDescriber().describe(largest, study.items)
    replayed = ReplayDescriber(stored, TfidfDescriber()).describe(largest, study.items)
    for members, ours, theirs in zip(largest, own, replayed, strict=True):
        if theirs != ours:
            names = {"own": ours.text, "own by": ours.source}
            names |= {"stored": theirs.text, "stored by": theirs.source}
            yield {"section": "names", "space": RELEASED, "items": len(members)} | names


def _interval(found: Ratio) -> dict:
    return {"value": found.value} | _bounds(found)


def _bounds(found: Ratio | Difference) -> dict:
    return {"low": found.low, "high": found.high}
