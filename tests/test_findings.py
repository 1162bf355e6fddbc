"""Words made of evidence: another result, another sentence; other words, no page."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from celsa_lib.book.findings import MARKED, QUOTED, ROLES, prose, stored_checks, unmarked
from celsa_lib.errors import DataError
from celsa_lib.report import finding_list, recommended_findings
from celsa_lib.report.findings import PHRASES, comparison, evidence, finding, verdict
from celsa_lib.report.verdicts import CONTRADICTED, HOLDS, MISSING, UNDECIDED
from celsa_lib.results import Result, load_result

ROOT = Path(__file__).parents[1]
SIZES = (1024, 512, 256, 128, 64)
PAIR = ["Compressed ELSA", "pruned EASE"]


def claim(name: str, *checks: tuple, pair=PAIR) -> dict:
    """A claim with (what, outcome) checks."""
    made = [{"what": what, "outcome": outcome} for what, outcome in checks]
    return {"id": name, "verdict": "partly reproduced", "pair": pair, "checks": made}


def best(*outcomes: str) -> list[dict]:
    """A claim for each size, the largest first."""
    return [
        claim(f"best/films/{size}/pruned-ease", (f"Pruned EASE, {size:,} B", outcome))
        for size, outcome in zip(SIZES, outcomes, strict=True)
    ]


WIDER = claim(
    "wider", *((f"width {w}, {s:,} B", HOLDS) for w in (2, 4) for s in SIZES), pair=["wider", "it"]
)
MIXED = claim("mixed", ("a, 64 B", HOLDS), ("a, 128 B", CONTRADICTED), ("b, 64 B", UNDECIDED),
              ("b, 128 B", CONTRADICTED), pair=["A", "B"])  # fmt: skip
REACH = claim("reach", ("in 5 minus the popular", HOLDS), ("in 5 minus the counted", CONTRADICTED),
              pair=["segments", ""])  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (HOLDS, "Compressed ELSA is ahead of pruned EASE at every size"),
        (CONTRADICTED, "Compressed ELSA is behind pruned EASE at every size"),
        (UNDECIDED, "Compressed ELSA has no clear difference from pruned EASE at any size"),
        (MISSING, "Compressed ELSA has not been compared with pruned EASE"),
    ],
)
def test_one_outcome_is_one_clause(outcome, words):
    assert comparison(best(*[outcome] * 5), "films", "Pruned EASE") == words


def test_several_outcomes_name_their_sizes():
    found = best(CONTRADICTED, CONTRADICTED, UNDECIDED, UNDECIDED, HOLDS)
    assert comparison(found, "films", "Pruned EASE") == (
        "Compressed ELSA is ahead of pruned EASE at 64 bytes, is behind it at 512 and 1,024 bytes "
        "and has no clear difference from it at 128 and 256 bytes"
    )


def test_a_claim_that_was_not_tested_says_so():
    untested = [one | {"checks": []} for one in best(*[HOLDS] * 5)]
    assert "has not been compared with pruned EASE" in comparison(untested, "films", "Pruned EASE")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("wider: helps", "wider helps at every size"),
        ("wider; width 2: helps", "wider (width 2) helps at every size"),
        ("wider; width *; 64 B: helps", "wider (64 B) helps at 64 bytes"),
        ("mixed; a: is better", "A (a) is better than B at 64 bytes and is worse than it at 128 "
         "bytes"),
        ("mixed: is better", "A is better than B in 1 of 4 comparisons, is worse than it in 2 and "
         "has no clear difference from it in 1"),
        ("reach; *the popular: hold more", "segments hold more than the popular"),
        ("reach; *the counted: hold more", "segments hold less than the counted"),
    ],
)  # fmt: skip
def test_a_finding_says_who_what_and_where(asked, words):
    assert finding([WIDER, MIXED, REACH], asked) == words


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("narrower: helps", 'no check for "narrower"'),
        ("wider; width 3: helps", 'no check for "wider; width 3"'),
        ("wider: hurts", '"hurts" is no phrase'),
        ("wider", '"wider" is no phrase'),
        ("reach: hold more", "several pairs"),
    ],
)
def test_what_has_no_evidence_is_an_error(asked, why):
    with pytest.raises(DataError, match=why):
        finding([WIDER, MIXED, REACH], asked)


@pytest.mark.parametrize("where", [("books", "Pruned EASE"), ("films", "Low-dim ELSA")])
def test_a_comparison_without_a_claim_is_an_error(where):
    with pytest.raises(DataError, match="no check for"):
        comparison(best(*[HOLDS] * 5), *where)
    with pytest.raises(DataError, match='no baseline is called "Prunde"'):
        comparison(best(*[HOLDS] * 5), "films", "Prunde")


def test_each_phrase_says_four_things():
    for phrase, words in PHRASES.items():
        assert words[0].removesuffix(" than {}").startswith(phrase.removesuffix(" on {}"))
        assert len(set(words)) == 4


def test_evidence_gives_what_was_compared_and_its_interval():
    measured = claim("a", ("16×", HOLDS), ("0 of 5 unused", HOLDS))
    measured["checks"][0] |= {"mean": 0.02, "low": 0.01, "high": 0.03}
    assert evidence([measured], "a") == "16× (+0.0100 to +0.0300); 0 of 5 unused"
    sizes = claim("b", ("Pruned EASE, 1,024 B", HOLDS), ("Pruned EASE, 64 B", HOLDS))
    for check in sizes["checks"]:
        check |= {"mean": -0.02, "low": -0.03, "high": -0.01}
    assert evidence([sizes], "b") == "1,024 B (−0.0300 to −0.0100); 64 B (−0.0300 to −0.0100)"
    with pytest.raises(DataError, match='no check for "c"'):
        evidence([measured], "c")


def test_the_word_for_a_claim():
    found = [{"id": "restarts", "verdict": "partly reproduced"}]
    assert verdict(found, "restarts") == "partly reproduced"
    with pytest.raises(DataError, match='no claim "restart"'):
        verdict(found, "restart")


def test_a_deviation_and_rounding_are_judged_by_their_intervals():
    """Names lose their commas, so that each part of a check can be asked for."""
    row = {"deviation": "scored 0, not left out", "model": "EASE", "difference": -0.2}
    (check,) = finding_list.deviations(Result({}, [row | {"low": -0.3, "high": -0.1}]))
    assert (check.what, check.outcome) == ("scored 0 not left out, EASE", CONTRADICTED)
    row = {"dataset": "films", "seed": 1, "mean": 0.1, "low": -0.1, "high": 0.3}
    (check,) = finding_list.bfloat16_differences(Result({}, [row]))
    assert (check.what, check.outcome) == ("films, seed 1", UNDECIDED)


@pytest.mark.parametrize(("low", "outcome"), [(0.5, HOLDS), (0.3, UNDECIDED)])
def test_raw_groups_beside_k_means_where_intervals_are_apart(low, outcome):
    about = {"section": "groupings", "space": "ours", "measure": "genres"}
    ours = about | {"grouping": "raw groups", "value": 0.6, "low": low, "high": 0.7}
    theirs = about | {"grouping": "k-means, as many as raw groups", "value": 0.3, "low": 0.2}
    random = about | {"grouping": "random", "value": 0.1, "low": 0.0, "high": 0.2}
    (check,) = finding_list.coherence(
        Result({}, [ours, theirs | {"high": 0.4}, random]),
        "raw groups",
        "k-means, as many as raw groups",
    )
    assert (check.what, check.outcome) == ("ours, genres", outcome)


def test_times_of_two_contenders_by_nonzeros():
    def row(name: str, nnz: int, seconds: float, **ends) -> dict:
        return {"section": "step", "contender": name, "nnz": nnz, "seconds": seconds} | ends

    rows = [row("a", 8, 1.0, low=0.9, high=1.1), row("b", 8, 3.0, fastest=2.0, slowest=4.0),
            row("a", 16, 3.0, low=2.0, high=4.0), row("b", 16, 3.0, low=2.0, high=4.0),
            row("a", 32, 1.0, low=1.0, high=1.0)]  # fmt: skip
    found = finding_list.quicker(Result({}, rows), "step", "contender", "a", "b")
    assert [check.outcome for check in found] == [HOLDS, UNDECIDED]
    assert found[0].what == "8 nonzeros, 3.0× the time"


def test_choices_at_an_end_of_their_grid_are_named():
    def row(size: int, rate: float) -> dict:
        trials = [{"choice": {"learning_rate": r}, "ndcg@100": r} for r in (0.1, 0.2, 0.3)]
        return {"label": "A", "budget_bytes": size, "seed": 0, "trials": trials,
                "params": {"learning_rate": rate}}  # fmt: skip

    about = {"config": {"seeds": [0]}}
    rows = [row(128, 0.3), row(64, 0.1), row(256, 0.2)]
    (check,) = finding_list.grid_ends(Result(about, rows))
    assert (check.what, check.outcome) == ("A (learning rate) at 64 and 128 bytes", CONTRADICTED)
    (check,) = finding_list.grid_ends(Result(about, rows[2:]))
    assert (check.what, check.outcome) == ("none", HOLDS)


def strict(folder: Path, page: str, stored: list[dict], quoted: str = ""):
    """What a strict build of one page gives: its exit code and text."""
    from sphinx.cmd.build import main

    (folder / "book/front").mkdir(parents=True)
    content = {"format": "celsa-claims", "version": 1, "claims": [], "findings": stored}
    (folder / "book/front/claims.json").write_text(json.dumps(content))
    (folder / QUOTED).write_text(quoted)
    (folder / "index.md").write_text(page)
    extensions = "['myst_parser', 'celsa_lib.book.findings']"
    (folder / "conf.py").write_text(f"extensions = {extensions}\nexclude_patterns = ['book']\n")
    code = main(["-W", "-q", "-b", "text", str(folder), str(folder / "out")])
    built = folder / "out/index.txt"
    return code, " ".join(built.read_text().split()) if built.exists() else ""


PAGE = "# Results\n\n{Versus}`films/Pruned EASE`. So {finding}`wider: helps`.\n"


def test_a_page_says_what_the_evidence_says(tmp_path):
    for name, outcome, word in (("a", HOLDS, "ahead of"), ("b", CONTRADICTED, "behind")):
        code, text = strict(tmp_path / name, PAGE, [*best(*[outcome] * 5), WIDER])
        assert code == 0 and f"Compressed ELSA is {word} pruned EASE at every size." in text
        assert "So wider helps at every size." in text


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("films", "book"), "no check for"),
        (("Pruned", "Prunde"), "no baseline"),
        (("helps", "hurts"), "no phrase"),
        (("wider", "narrower"), "no check for"),
    ],
)
def test_a_page_with_other_words_is_not_built(tmp_path, change, why, capsys):
    code, _ = strict(tmp_path, PAGE.replace(*change), [*best(*[HOLDS] * 5), WIDER])
    printed = capsys.readouterr().err
    assert code and "index.md:3" in printed and why in printed


def test_a_finding_typed_by_hand_is_not_built(tmp_path, capsys):
    typed = "Pruned EASE is ahead at every size."
    code, _ = strict(tmp_path / "a", f"# Results\n\n{typed}\n", [])
    printed = capsys.readouterr().err
    assert code and "index.md" in printed and f"finding without evidence: {typed}" in printed
    code, text = strict(tmp_path / "b", f"# Results\n\n{typed}\n", [], quoted=typed)
    assert code == 0 and typed in text


@pytest.mark.parametrize(
    "typed",
    [
        "Pruned EASE is ahead.",
        "It is far behind at 64 bytes.",
        "On Goodbooks, it\nloses nothing.",
        "- Compressed ELSA keeps far more of it.",
        "* A wider start helps.",
        "Released embeddings beat ours.",
        "It has an nDCG@100 of 0.45.",
        "EASE scores higher than Compressed ELSA.",
        "Compressed ELSA surpasses it at every size.",
        "Restarts improve on it: schedules without them trail.",
        "On MovieLens, Compressed ELSA is the best method.",
        "EASE needs fewer bytes for as much.",
        "[Constant pruning](pruning.md) does harm: it is worse than any.",
    ],
)
def test_typed_findings_are_found(typed):
    assert len(list(unmarked(f"Before it.\n\n{typed} After it."))) == 1


@pytest.mark.parametrize(
    "plain",
    [
        "Is Compressed ELSA better at equal bytes?",
        "Beside it, {versus}`goodbooks-10k/Pruned EASE`.",
        "Scores below zero are kept.",
        "```python\nELSA()  # better than EASE\n```",
        "Compressed ELSA has `better`.",
        "See <!-- {verdict}`wider` -->Compressed ELSA is better<!-- end -->.",
    ],
)
def test_plain_sentences_are_left_alone(plain):
    assert not list(unmarked(plain))


def test_captions_and_descriptions_of_figures_are_read():
    figure = {"caption": "Pruned EASE is ahead.", "name": "x"}
    options = {"figure": figure, "image": {"alt": "EASE beats ELSA."}}
    cells = [{"cell_type": "code", "metadata": {"mystnb": options}, "source": ["1"]}]
    assert len(list(unmarked(prose(json.dumps({"cells": cells}))))) == 2
    page = "Text.\n\n```{figure} x.svg\n:alt: EASE beats ELSA.\nCaption.\n```\n"
    assert list(unmarked(prose(page))) == ["EASE beats ELSA."]


PAGES = [
    *sorted((ROOT / "book").glob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
    ROOT / "README.md",
]


def test_no_page_has_a_finding_in_words_of_its_own():
    """What is left is quoted from the paper or true by definition, and stands in a short list."""
    found = {s for page in PAGES for s in unmarked(prose(page.read_text()))}
    quoted = (ROOT / QUOTED).read_text().splitlines()
    assert found == set(quoted) and len(quoted) <= 20


def test_the_readme_says_what_the_evidence_says():
    checks = stored_checks(ROOT / "results/claims.json")
    marked = re.findall(r"<!-- {(\w+)}`([^`]+)` -->(.*?)<!-- end -->", README, re.DOTALL)
    assert len(marked) == len(MARKED.findall(README)) >= 2
    for role, text, words in marked:
        assert " ".join(words.split()) == ROLES[role](checks, text)


README = (ROOT / "README.md").read_text()


def test_the_recommended_setting_is_compared_at_every_size_that_both_have():
    """Below the sizes of Table 1 only with methods that are there; whole ones at each."""
    models = [("Recommended setting", 32, 0.3), ("Recommended setting", 64, 0.4)]
    models += [("Pruned EASE", 32, 0.35), ("Pruned EASE", 64, 0.3), ("Compressed ELSA", 64, 0.2)]
    models += [("EASE", 4000, 0.35)]
    rows = [
        {"label": label, "budget_bytes": size, "params": {}, "hash": f"{label} {size}"}
        for label, size, _ in models
    ]
    users = {f"{label} {size}": np.full(4, value) for label, size, value in models}
    stored = Result({}, rows, users=users)
    outcomes = lambda label: [  # noqa: E731
        (check.what, round(check.difference.mean, 2))
        for check in recommended_findings.recommended_against(stored, label)
    ]
    assert outcomes("Pruned EASE") == [("32 B", -0.05), ("64 B", 0.1)]
    assert outcomes("Compressed ELSA") == [("64 B", 0.2)]
    assert outcomes("EASE") == [("32 B", -0.05), ("64 B", 0.05)]


TAKES = re.compile(
    r"\{finding\}`(recommended|bytes)/([\w-]+)/(ease|elsa): is ahead`[\s\\n\",]*"
    r"\((?:whole|dense) \w+(?: in 4 bits)? takes ([\d,]+)"
)
STUDIES_OF = {"goodbooks": "goodbooks-10k-partial"}  # in the names of findings


def test_bytes_that_prose_says_of_a_baseline_are_those_stored():
    pages = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    said = [found for page in pages for found in TAKES.findall(page.read_text())]
    assert len(said) >= 8
    for kind, data, method, number in said:
        name = f"{data}-bytes" if kind == "bytes" else STUDIES_OF.get(data, data)
        of = {"form": "float32" if method == "ease" else "4 bits"} if kind == "bytes" else {}
        rows = load_result(ROOT / f"results/{name}.json").select(label=method.upper(), **of)
        taken = {round(row["bytes_per_item" if of else "budget_bytes"]) for row in rows}
        assert taken == {int(number.replace(",", ""))}, (kind, data, method)
