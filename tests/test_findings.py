"""Words made of evidence: another verdict, another sentence; without evidence, no page."""

import json
from pathlib import Path

import pytest

from celsa_lib.errors import DataError
from celsa_lib.report.findings import comparison, verdict

ROOT = Path(__file__).parents[1]
SIZES = (1024, 512, 256, 128, 64)


def claims(*outcomes: str) -> list[dict]:
    """A claim for each size, the largest first."""
    return [
        {"id": f"best/films/{size}/pruned-ease", "verdict": "partly",
         "checks": [{"outcome": outcome}]}
        for size, outcome in zip(SIZES, outcomes, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("holds", "Compressed ELSA is ahead of pruned EASE at every size"),
        ("contradicted", "Compressed ELSA is behind pruned EASE at every size"),
        ("undecided", "Compressed ELSA has no clear difference from pruned EASE at every size"),
    ],
)
def test_one_outcome_is_one_clause(outcome, words):
    assert comparison(claims(*[outcome] * 5), "films", "Pruned EASE") == words


def test_several_outcomes_name_their_sizes():
    found = claims("contradicted", "contradicted", "undecided", "undecided", "holds")
    assert comparison(found, "films", "Pruned EASE") == (
        "Compressed ELSA is ahead of pruned EASE at 64 bytes, is behind it at 512 and 1,024 bytes "
        "and has no clear difference from it at 128 and 256 bytes"
    )


def test_a_claim_that_was_not_tested_says_so():
    untested = [claim | {"checks": []} for claim in claims(*["holds"] * 5)]
    assert "has not been compared with pruned EASE" in comparison(untested, "films", "Pruned EASE")


@pytest.mark.parametrize("where", [("books", "Pruned EASE"), ("films", "Low-dim ELSA")])
def test_what_no_claim_is_about_is_an_error(where):
    with pytest.raises(DataError, match="no claim compares"):
        comparison(claims(*["holds"] * 5), *where)


def test_the_word_for_a_claim():
    found = [{"id": "restarts", "verdict": "partly"}]
    assert verdict(found, "restarts") == "partly reproduced"
    with pytest.raises(DataError, match='no claim "restart"'):
        verdict(found, "restart")


def strict(folder: Path, page: str, stored: list[dict]):
    """What a strict build of one page gives: its exit code, messages and text."""
    from sphinx.cmd.build import main

    (folder / "book/front").mkdir(parents=True)
    (folder / "book/front/claims.json").write_text(json.dumps({"claims": stored}))
    (folder / "index.md").write_text(page)
    extensions = "['myst_parser', 'celsa_lib.book.findings']"
    (folder / "conf.py").write_text(f"extensions = {extensions}\nexclude_patterns = ['book']\n")
    code = main(["-W", "-q", "-b", "text", str(folder), str(folder / "out")])
    built = folder / "out/index.txt"
    return code, built.read_text() if built.exists() else ""


PAGE = "# Results\n\nHere {versus}`films/Pruned EASE`.\n"


def test_a_page_says_what_the_evidence_says(tmp_path):
    for name, outcome, word in (("a", "holds", "ahead of"), ("b", "contradicted", "behind")):
        code, text = strict(tmp_path / name, PAGE, claims(*[outcome] * 5))
        assert code == 0 and f"Here Compressed ELSA is {word} pruned EASE at every size." in text


@pytest.mark.parametrize("page", [PAGE.replace("films", "book"), PAGE.replace("Pruned", "Prunde")])
def test_a_page_without_evidence_is_not_built(tmp_path, page, capsys):
    code, _ = strict(tmp_path, page, claims(*["holds"] * 5))
    told = capsys.readouterr().err
    assert code and "index.md:3" in told and "no claim compares" in told


def test_the_results_page_has_no_comparison_of_its_own_words():
    """Who is ahead of a baseline on the stored data is said by the role, never typed."""
    page = (ROOT / "book/results.md").read_text()
    for typed in ("ahead of Compressed ELSA", "ahead of pruned EASE", "below pruned EASE",
                  "behind pruned EASE", "Pruned EASE is ahead"):  # fmt: skip
        assert typed not in page
    assert page.count("{versus}") >= 10
