"""Planted segments, found again: groups and merges at two widths against the ground truth."""

from celsa_lib.experiments.interpretability import ACTIVATION_TAU
from celsa_lib.experiments.profiles import settings_for
from celsa_lib.experiments.segment_study import SegmentStudy, segment_config
from celsa_lib.experiments.task import prepare
from celsa_lib.segments import SentenceEmbedder, group_items, merge_by_activation
from celsa_lib.segments.measures import agreement

DATASET = "synthetic"


def planted_agreement(profile: str = "laptop", seed: int = 0) -> list[dict]:
    """Rows of width, grouping, groups, ari, nmi and purity, at a quarter of the profile's width and
    at all of it. Raises ConfigError for an unknown profile.
    """
    widest = settings_for(profile, DATASET).width
    configs = [segment_config(DATASET, profile, (seed,), w) for w in (widest // 4, widest)]
    dataset, task = prepare(configs[0])
    embedder = SentenceEmbedder()
    studies = [SegmentStudy(config, dataset, task, embedder) for config in configs]
    rows = []
    for study in studies:
        raw = group_items(study.own[0].matrix).of_item
        named = study.segment(study.own[0]).of_item
        groupings = {
            "raw groups": raw,
            "merged by names": named,
            "merged by activation": merge_by_activation(raw, task.fit, ACTIVATION_TAU),
            # The dense model does not depend on the width: the first study's serves both.
            "k-means, as many as merged by names": studies[0].kmeans(named),
        }
        width = study.own[0].matrix.shape[1]
        for name, of_item in groupings.items():
            found = agreement(dataset.truth.item_segment, of_item)
            rows.append({"width": width, "grouping": name} | found)
    return rows
