"""The paper's claims, each with the rule that judges it."""

from functools import partial

from celsa_lib.data import dataset_info
from celsa_lib.models.registry import BASELINES, RECOMMENDED
from celsa_lib.report import rules
from celsa_lib.report.claim import Claim
from celsa_lib.report.findings import slug
from celsa_lib.report.verdicts import contrast, somewhere
from celsa_lib.results import BUDGETS, GRADUAL

BOOKS, FILMS, PRIZE, SMALL = (
    dataset_info(name).short for name in ("goodbooks-10k", "ml-20m", "netflix-prize", "ml-100k")
)
PLANTED = "planted segments"
IN_PROSE = {"Pruned EASE": "pruned EASE", "Low-dim ELSA": "low-dimensional ELSA"}
BY_USER = "difference in nDCG@100 by user, 95 % bootstrap interval over users"
OF_SEGMENTS = {  # what is computed of each claim about them
    "coherence": "groups − random groups of the same sizes, 95 % interval over groups",
    "agreement": "signs, recommended − all segments; so by construction of x·A·Bᵀ",
    "reach": "held-out items of users, as the top N agrees by construction; 95 % interval",
}


def _best() -> list[Claim]:
    """Table 1's comparisons; then the same on data that is not in the paper."""
    places = [
        (BOOKS, ("goodbooks-10k", "goodbooks-10k-partial"), False),
        (FILMS, ("ml-20m",), False),
        (PRIZE, ("netflix-prize",), False),
        (SMALL, ("ml-100k",), True),
        (PLANTED, ("synthetic",), True),
    ]
    return [
        Claim(
            id=f"best/{stored[0]}/{budget}/{slug(baseline)}",
            statement=f"At {budget:,} bytes per item, Compressed ELSA is better than {baseline}.",
            section="3, Accuracy vs. Compression; Table 1",
            notebook="table_1",
            data=data,
            stored=stored,
            checks=partial(rules.best_at, budget=budget, baseline=baseline),
            recommended=partial(rules.best_at, budget=budget, baseline=baseline, ours=RECOMMENDED),
            computed=f"Compressed ELSA − {baseline}: {BY_USER}",
            pair=("Compressed ELSA", IN_PROSE.get(baseline, baseline)),
            cell=(baseline, budget),
            extra=extra,
        )
        for data, stored, extra in places
        for budget in BUDGETS
        for baseline in BASELINES
    ]


def _twice(study: str, **about) -> list[Claim]:
    """A claim about Goodbooks, and the same question asked of MovieLens-100K."""
    books, films = ("goodbooks-10k", "goodbooks-10k-partial"), ("ml-100k",)
    stored = ((f"goodbooks{study}",), (f"ml-100k{study}",)) if study else (books, films)
    name = about.pop("id")
    small = {"id": f"{name}/ml-100k", "data": SMALL, "extra": True}
    return [
        Claim(id=name, data=BOOKS, stored=stored[0], beside=books, **about),
        Claim(stored=stored[1], beside=films, **small, **about),
    ]


def _from_table() -> list[Claim]:
    accuracy = "3, Accuracy vs. Compression; Table 1"
    dense = "Compressed ELSA − {} × dense ELSA: " + BY_USER
    return [
        *_twice(
            "",
            id="ten-times-smaller",
            statement="Vectors ten times smaller than dense ELSA's lose no accuracy "
            "(here: less than half a percent).",
            section="3, Accuracy vs. Compression; abstract",
            notebook="table_1",
            checks=partial(rules.smaller, factor=10, share=rules.NO_LOSS),
            recommended=partial(rules.smaller, factor=10, share=rules.NO_LOSS, ours=RECOMMENDED),
            computed=dense.format(rules.NO_LOSS),
        ),
        *_twice(
            "",
            id="hundred-times-smaller",
            statement="Vectors a hundred times smaller than dense ELSA's lose at most 2.5 %.",
            section="3, Accuracy vs. Compression; abstract",
            notebook="table_1",
            checks=partial(rules.smaller, factor=100, share=rules.SMALL_LOSS),
            recommended=partial(
                rules.smaller, factor=100, share=rules.SMALL_LOSS, ours=RECOMMENDED
            ),
            rule=contrast,
            computed=dense.format(rules.SMALL_LOSS),
        ),
        *_twice(
            "",
            id="low-dimensional",
            statement="ELSA with few dimensions loses a lot, the more the fewer there are "
            "(here: more than 10 % at 64 bytes).",
            section=accuracy,
            notebook="table_1",
            checks=rules.narrow_loses,
            computed=f"dense ELSA − low-dimensional ELSA: {BY_USER}",
        ),
        *_twice(
            "",
            id="post-hoc",
            statement="Making vectors sparse after training (ELSA + SAE) degrades them.",
            section=f"{accuracy}; 4",
            notebook="table_1",
            checks=rules.afterwards_is_worse,
            computed=f"dense and Compressed ELSA − ELSA + SAE: {BY_USER}",
        ),
        *_standard_errors(),
    ]


def _standard_errors() -> list[Claim]:
    places = {
        BOOKS: ("goodbooks-10k", "goodbooks-10k-partial"),
        FILMS: ("ml-20m",),
        PRIZE: ("netflix-prize",),
    }
    return [
        Claim(
            id=f"standard-errors/{stored[0]}",
            statement="Standard errors are at most around 0.001.",
            section="3, Table 1, caption",
            notebook="table_1",
            data=data,
            stored=stored,
            checks=rules.small_errors,
            computed="the largest standard error over users in Table 1, a user's folds averaged",
        )
        for data, stored in places.items()
    ]


def _ablations() -> list[Claim]:
    section = "3, Pruning Schedules and Embedding Width; Figure 1"
    pruning = {"section": section, "notebook": "schedules"}
    width = {"section": section, "notebook": "widths"}
    return [
        *_twice(
            "-schedules",
            id="gradual",
            statement="Pruning gradually is better than pruning to k from the start.",
            checks=partial(rules.schedules_against, ours=GRADUAL, theirs="constant"),
            pair=("gradual pruning", "constant pruning"),
            computed="gradual schedules with restarts − constant, as many epochs at the end and so "
            f"more in all: {BY_USER}",
            **pruning,
        ),
        *_twice(
            "-equal-epochs",
            id="gradual-as-long",
            statement="Pruning gradually is better than pruning to k from the start "
            "(here: given as many epochs in all).",
            checks=partial(rules.schedules_against, ours=GRADUAL[:1], theirs="constant"),
            pair=("gradual pruning", "constant pruning with as many epochs"),
            computed=f"exponential with restarts − constant, equal numbers of epochs: {BY_USER}",
            **pruning,
        ),
        *_twice(
            "-schedules",
            id="every-epoch",
            statement="Pruning after every epoch is better than waiting until training converges.",
            checks=partial(rules.schedules_against, ours=GRADUAL[:2], theirs=GRADUAL[2]),
            pair=("pruning after every epoch", "step-wise pruning"),
            computed=f"exponential and linear − step-wise, all with restarts: {BY_USER}",
            **pruning,
        ),
        *_twice(
            "-schedules",
            id="restarts",
            statement="Going back to the initial values after a prune is better, slightly.",
            checks=rules.restarts,
            pair=("restarting", "going on"),
            computed=f"with − without restarts: {BY_USER}",
            section=section,
            notebook="restarts",
        ),
        *_twice(
            "-schedules",
            id="no-dead-latents",
            statement="Gradual pruning leaves no dead latents; a fixed k from the start does.",
            section="2, Pruning strategies",
            notebook="dead_latents",
            checks=rules.latents,
            computed="latents that no item uses after training, the most of all seeds",
            rule=contrast,
        ),
        *_twice(
            "-widths",
            id="wider",
            statement="Starting wider is better at the same final size.",
            checks=rules.wider,
            pair=("doubling the width", "half of it"),
            computed=f"each width − the next smaller one: {BY_USER}",
            **width,
        ),
        *_twice(
            "-widths",
            id="diminishing-returns",
            statement="Widening further gains less and less "
            "(here: the last doubling less than the first).",
            checks=rules.diminishing,
            computed=f"gain of the first doubling − gain of the last: {BY_USER}",
            **width,
        ),
        *_twice(
            "-widths",
            id="above-dense",
            statement="In some settings the compressed model is better than dense ELSA.",
            checks=rules.above_dense,
            recommended=rules.recommended_above_dense,
            pair=("Compressed ELSA", "dense ELSA"),
            computed="Compressed − dense ELSA: difference in nDCG@100 by user, bootstrap interval "
            "over users at 95 % for all settings together",
            rule=somewhere,
            **width,
        ),
    ]


def _segments() -> list[Claim]:
    statements = {
        "coherence": "Items with the same dominant latent and sign form coherent segments.",
        "agreement": "Recommended segments agree with the latent activations of users.",
        "reach": "Items of the recommended segments reach users' top N.",
    }
    return [
        Claim(
            id=f"segments/{name}",
            statement=statement,
            section="3, Segment Interpretability in Practice; Figure 2",
            notebook="interpretability",
            data=BOOKS,
            stored=("segments",),
            checks=partial(rules.measured, section=name),
            recommended=partial(rules.measured, section=name, recommended=True),
            computed=OF_SEGMENTS[name],
            pair=("recommended segments" if name == "reach" else "grouping by latents", "chance"),
        )
        for name, statement in statements.items()
    ]


INFERENCE = Claim(
    id="inference",
    statement="Sparse vectors make inference faster (here: compiled loops over 16 nonzeros per "
    "item against dense products in torch).",
    section="2, Inference with Sparse Layers",
    notebook="training_cost",
    data="any",
    stored=("inference-cost",),
    checks=rules.faster,
    pair=("ranking by sparse rows", "dense ELSA"),
    computed="seconds for all users: dense ELSA − sparse rows, between quartiles of the "
    "rounds; how it grows with the nonzeros is on the linked page",
)
CLAIMS = (*_from_table(), *_ablations(), INFERENCE, *_segments(), *_best())
