"""From data to pages: what is missing or changed is made, by Snakemake."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "book": ["PAGE", "book_workflow", "older_results"],
        "runs": ["NotebookRun", "runs_of"],
        "snake": ["Workflow"],
        "sweep": ["Estimate", "Sweep", "load_sweep"],
        "table": ["sweep_lines"],
    },
)
