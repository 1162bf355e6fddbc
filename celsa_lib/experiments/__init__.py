"""Experiments: frozen configurations, run to results with a manifest."""

from celsa_lib.experiments.config import BUDGETS, ExperimentConfig, MethodConfig, at_budgets
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
from celsa_lib.experiments.studies import STUDIES, prepare, run_study, study
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
    "make_manifest",
    "many_tastes",
    "methods_for",
    "paired_table",
    "prepare",
    "quickstart",
    "recommend_by_title",
    "run",
    "run_study",
    "settings_for",
    "study",
]
