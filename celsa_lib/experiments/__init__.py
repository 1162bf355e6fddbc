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
from celsa_lib.experiments.store import Result, load_result, save_result
from celsa_lib.experiments.summary import describe, paired_table
from celsa_lib.experiments.titles import find_title, recommend_by_title

__all__ = [
    "BUDGETS",
    "PROFILES",
    "ExperimentConfig",
    "MethodConfig",
    "Result",
    "at_budgets",
    "describe",
    "experiment",
    "find_title",
    "load_result",
    "make_manifest",
    "many_tastes",
    "methods_for",
    "paired_table",
    "quickstart",
    "recommend_by_title",
    "run",
    "save_result",
    "settings_for",
]
