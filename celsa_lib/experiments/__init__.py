"""Experiments: frozen configurations, run to results with a manifest."""

from celsa_lib.experiments.anatomy import (
    by_history,
    by_popularity,
    latents_used,
    models_of_size,
    weights_found,
)
from celsa_lib.experiments.config import ExperimentConfig, MethodConfig, at_budgets
from celsa_lib.experiments.data_size import run_data_size
from celsa_lib.experiments.deviations import run_deviations
from celsa_lib.experiments.interpretability import run_segments
from celsa_lib.experiments.latents import few_places, latents_in_use
from celsa_lib.experiments.manifest import make_manifest
from celsa_lib.experiments.notebook_configs import (
    demo_models,
    first_look,
    many_tastes,
    quickstart,
)
from celsa_lib.experiments.planted import planted_agreement
from celsa_lib.experiments.profiles import PROFILES, experiment, methods_for, settings_for
from celsa_lib.experiments.real_bytes import run_real_bytes
from celsa_lib.experiments.run import run, run_and_keep, run_task
from celsa_lib.experiments.segment_study import SegmentStudy, segment_config
from celsa_lib.experiments.studies import (
    STUDIES,
    live_or_stored,
    run_study,
    run_where_data_is,
    study,
)
from celsa_lib.experiments.study_configs import beside_recommended, main_table, schedules, widths
from celsa_lib.experiments.summary import describe
from celsa_lib.experiments.synthetic_sizes import planted_sizes
from celsa_lib.experiments.task import prepare
from celsa_lib.experiments.user_data import (
    Scope,
    compare_methods,
    settings_for_size,
    user_data_config,
)
from celsa_lib.results import BUDGETS
from celsa_lib.titles import (
    find_title,
    history_of,
    history_of_user,
    recommend_by_title,
    recommended,
    similar_to_title,
)

__all__ = [
    "BUDGETS",
    "PROFILES",
    "STUDIES",
    "ExperimentConfig",
    "MethodConfig",
    "Scope",
    "SegmentStudy",
    "at_budgets",
    "beside_recommended",
    "by_history",
    "by_popularity",
    "compare_methods",
    "demo_models",
    "describe",
    "experiment",
    "few_places",
    "find_title",
    "first_look",
    "history_of",
    "history_of_user",
    "latents_in_use",
    "latents_used",
    "live_or_stored",
    "main_table",
    "make_manifest",
    "many_tastes",
    "methods_for",
    "models_of_size",
    "planted_agreement",
    "planted_sizes",
    "prepare",
    "quickstart",
    "recommend_by_title",
    "recommended",
    "run",
    "run_and_keep",
    "run_data_size",
    "run_deviations",
    "run_real_bytes",
    "run_segments",
    "run_study",
    "run_task",
    "run_where_data_is",
    "schedules",
    "segment_config",
    "settings_for",
    "settings_for_size",
    "similar_to_title",
    "study",
    "user_data_config",
    "weights_found",
    "widths",
]
