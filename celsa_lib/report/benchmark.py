"""What pages show of a stored benchmark."""

from html import escape
from typing import ClassVar

from celsa_lib.report import (
    cost,
    cost_figures,
    faults,
    million,
    million_figures,
    scale,
    scale_model,
)
from celsa_lib.report.base import Parts, Report
from celsa_lib.report.engines import engines_table
from celsa_lib.report.rounded import rounded_table
from celsa_lib.report.tables import Html, runs_note

# The sections of rows that a table or a figure is made of; of the same name where not said. Steps
# on a CPU stand beside its "hardware", those on a GPU beside its "limits".
SECTIONS = {
    "step": ("step", "hardware"),
    "hardware share": ("step", "hardware"),
    "width growth": ("growth width",),
    "cache reads": ("reads",),
    "gpu steps": ("step", "limits"),
    "gpu trainings": ("training",),
    "inference growth": ("growth",),
    "density": ("density", "choice"),
    "scale model": ("scale",),
    "million growth": ("million items",),
    "million choice": ("million items",),
    "million aims": ("million items",),
    "load": ("million items",),
    "million limits": ("million items", "rows", "hardware"),
    "million rows": ("rows",),
    "million accuracy": ("equal accuracy",),
    "million latency": ("million items",),
    "million recall": ("million items",),
    "million costs": ("million items",),
    "growth": tuple(f"growth {size}" for size in cost_figures.GROWING),
}


class BenchmarkReport(Report):
    """A stored benchmark; each has some of the parts."""

    TABLES: ClassVar[Parts] = {
        "step": cost.step_ratios,
        "hardware": cost.hardware,
        "hardware share": cost.hardware_share,
        "bfloat16": cost.bfloat16_effect,
        "width growth": cost.width_growth,
        "cache reads": cost.cache_reads,
        "schedule": cost.whole_schedule,
        "memory": cost.memory,
        "gpu steps": cost.gpu_ratios,
        "gpu trainings": cost.gpu_trainings,
        "agreement": cost.device_agreement,
        "inference": cost.inference_table,
        "inference growth": cost.inference_growth,
        "packed": cost.packed_table,
        "rounded epochs": rounded_table,
        "engines": engines_table,
        "million items": million.million_table,
        "million growth": million.million_growth,
        "million choice": million.million_choice,
        "million aims": million.million_aims,
        "million limits": million.million_limits,
        "million rows": million.million_rows,
        "million accuracy": million.million_accuracy,
        "load": million.million_loads,
        "scale": scale.scale_table,
        "ease": scale.scale_ease,
        "scale model": scale_model.scale_model,
        "new items": scale.scale_new_items,
        "processes": scale_model.shards_table,
        "stream": scale_model.streams_table,
        "fuzz": faults.fuzz_table,
        "faults": faults.faults_table,
        "compare time": faults.compare_time_table,
    }
    FIGURES: ClassVar[Parts] = {
        "step": cost_figures.step_figure,
        "density": cost_figures.density_figure,
        "growth": cost_figures.growth_figure,
        "gpu steps": cost_figures.gpu_figure,
        "inference": cost_figures.inference_figure,
        "million latency": million_figures.million_latency,
        "million recall": million_figures.million_recall,
        "million costs": million_figures.million_costs,
    }

    def _there(self, parts: Parts) -> Parts:
        """Those whose sections were measured."""
        measured = {row["section"] for row in self.result.rows}
        return {
            name: part
            for name, part in parts.items()
            if measured.issuperset(SECTIONS.get(name, (name,)))
        }

    @property
    def title(self) -> str:
        """What a caption says of where the numbers come from."""
        return "live benchmark" if self.result.is_live else "stored benchmark"

    def notice(self) -> Html:
        """One paragraph: what was measured, on which machine, with which versions and when."""
        manifest = self.result.manifest
        versions = manifest["runs"][self.result.run]["versions"]
        named = ", ".join(f"{name} {version}" for name, version in versions.items())
        text = (
            f"{self.title.capitalize()}: {manifest['what']}; {manifest['seconds']} s. "
            f"{runs_note(manifest)} Versions: {named}."
        )
        return Html(f'<p class="celsa-provenance"><small>{escape(text)}</small></p>')
