"""Experiments: frozen configurations, run to results with a manifest."""

from celsa_lib.experiments.config import BUDGETS, ExperimentConfig, MethodConfig, at_budgets
from celsa_lib.experiments.deviations import run_deviations
from celsa_lib.experiments.manifest import make_manifest
from celsa_lib.experiments.profiles import (
    PROFILES,
    experiment,
    many_tastes,
    methods_for,
    quickstart,
    settings_for,
)
from celsa_lib.experiments.run import run
from celsa_lib.experiments.studies import (
    STUDIES,
    main_table,
    prepare,
    run_study,
    schedules,
    study,
    widths,
)
from celsa_lib.experiments.summary import describe, paired_table
from celsa_lib.experiments.titles import find_title, recommend_by_title

__all__ = [
    "BUDGETS",
    "PROFILES",
    "STUDIES",
    "ExperimentConfig",
    "MethodConfig",
    "at_budgets",
    "describe",
    "experiment",
    "find_title",
    "main_table",
    "make_manifest",
    "many_tastes",
    "methods_for",
    "paired_table",
    "prepare",
    "quickstart",
    "recommend_by_title",
    "run",
    "run_deviations",
    "run_study",
    "schedules",
    "settings_for",
    "study",
    "widths",
]
