"""From data to pages: what is missing or changed is made, by Snakemake."""

from celsa_lib.extras import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "book": ["PAGE", "book_workflow", "older_results"],
        "runs": ["NotebookRun", "runs_of"],
        "snake": ["Workflow"],
        "sweep": ["Estimate", "Sweep", "load_sweep"],
        "table": ["sweep_lines"],
    },
    extra="book",
    what="notebooks and the book",
)
