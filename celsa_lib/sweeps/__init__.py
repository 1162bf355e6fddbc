"""Sweeps: a grid of notebook runs, of which only what is missing or changed is run."""

from celsa_lib.sweeps.config import Estimate, Sweep, load_sweep
from celsa_lib.sweeps.plan import Plan, Run, make_plan
from celsa_lib.sweeps.table import plan_lines
from celsa_lib.sweeps.workflow import run_plan

__all__ = ["Estimate", "Plan", "Run", "Sweep", "load_sweep", "make_plan", "plan_lines", "run_plan"]
