"""The book: consistent with the code, built without a warning, readable without a network."""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

import celsa_lib as cl
from celsa_lib.book.findings import prose
from celsa_lib.evaluation import standard_error
from celsa_lib.evaluation.metrics import ndcg_at, recall_at

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "book").glob("*.md"))


def toc_files() -> list[str]:
    """Every page of the book, as _toc.yml names it."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]


def has_source(name: str) -> bool:
    return any((ROOT / f"{name}{suffix}").exists() for suffix in (".md", ".ipynb"))


@pytest.mark.parametrize("name", toc_files())
def test_every_page_of_the_contents_exists(name):
    assert has_source(name), f"_toc.yml names {name}, and there is no such page"


def test_every_page_is_in_the_contents():
    assert {f"book/{page.stem}" for page in PAGES} <= set(toc_files())


def test_every_citation_has_an_entry():
    entries = set(re.findall(r"^@\w+\{(\S+),", (ROOT / "book/references.bib").read_text(), re.M))
    for page in PAGES:
        cited = ",".join(re.findall(r"\{cite\}`([^`]+)`", page.read_text()))
        missing = {key.strip() for key in cited.split(",") if key} - entries
        assert not missing, f"{page.name} cites {missing}, not in references.bib"


def test_the_configuration_names_no_other_host():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    del config["repository"]["url"]  # where the book itself is, once it is published
    assert not re.search(r"https?://|//cdn", json.dumps(config))
    script = config["sphinx"]["config"]["mathjax_path"]
    assert (ROOT / "book/assets/_static" / script).exists()
    assert (ROOT / "book/assets/_static" / script).with_name("LICENSE").exists()


def named_in_code(page: Path) -> list[str]:
    """The dotted names of celsa_lib that a page gives."""
    return sorted(set(re.findall(r"\bcelsa_lib(?:\.\w+)+", page.read_text())))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_function_that_a_page_names_exists(page):
    for name in named_in_code(page):
        assert resolves(name), f"{page.name} names {name}, which celsa_lib does not have"


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute reached from one."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_every_equation_has_a_label_of_its_own():
    labels = []
    for page in PAGES:
        text = page.read_text()
        found = re.findall(r"^```\{math\}\n:label: (\S+)$", text, re.M)
        assert text.count("```{math}") == len(found), f"{page.name} has an equation without label"
        labels += found
    assert len(labels) == len(set(labels))


def chapters() -> list[str]:
    """Pages of the story: all parts but the last two, which are for looking things up."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [c["file"] for part in toc["parts"][:-2] for c in part["chapters"]]


@pytest.mark.parametrize("name", chapters())
def test_a_chapter_opens_with_its_question_and_closes_with_key_takeaways(name):
    text = source_of(name)
    assert re.match(r"# .+\n\n\*Question: [^*]+\?\*\n", text), f"{name} asks no question"
    assert re.findall(r"^## (.+)$", text, re.M)[-1] == "Key takeaways"


def source_of(name: str) -> str:
    """The text of a page, or the Markdown of a notebook."""
    if (page := ROOT / f"{name}.md").exists():
        return page.read_text()
    cells = json.loads((ROOT / f"{name}.ipynb").read_text())["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def test_every_reference_has_a_doi_or_says_that_there_is_none():
    entries = re.split(r"^@", (ROOT / "book/references.bib").read_text(), flags=re.M)[1:]
    for entry in entries:
        name = entry.split("{")[1].split(",")[0]
        assert re.search(r"doi +=|No DOI", entry), f"{name} has neither a DOI nor a note"


def test_the_page_on_citing_agrees_with_the_citation_file():
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    page, bib = (ROOT / "book/cite.md").read_text(), (ROOT / "book/references.bib").read_text()
    for value in (cff["title"], cff["version"], cff["license"]):
        assert f"{{{value}}}" in page
    assert cff["version"] == cl.__version__
    shown = bib.split("@inproceedings{vancura2022elsa")[0]  # what the page takes from it
    assert cff["preferred-citation"]["doi"] in shown
    assert shown.count("@") == 1


def test_the_example_of_the_metrics_page():
    text = (ROOT / "book/metrics.md").read_text()
    found = np.zeros((1, 100), dtype=bool)
    found[0, [1, 4]] = True  # ranks 2 and 5
    three = np.array([3])
    assert f"nDCG@100 = 1.018 / 2.131 = {ndcg_at(found, three, 100)[0]:.3f}" in text
    assert f"min(20, 3) = {recall_at(found, three, 20)[0]:.3f}" in text
    assert f"min(2, 3) = {recall_at(found, three, 2)[0]:g}" in text
    worth = 1 / np.log2(np.arange(5) + 2)
    assert f"| {' | '.join(f'{value:.3g}' for value in worth)} |" in text
    ours, theirs = np.array([0.48, 0.10, 0.30]), np.array([0.45, 0.06, 0.28])
    assert round((ours - theirs).mean(), 4) == 0.03
    for values in (ours, theirs):
        assert round(standard_error(values), 2) == 0.11
    assert 0.005 < standard_error(ours - theirs) < 0.006


UNUSUAL = (
    r"\b(bytes|nonzeros|numbers|seconds|lines?|rows?) an? (item|row|user|epoch|step|variant)\b|"
    r"\brivals?\b|\bkept out\b|\bown data\b|\bamounts? of data\b|[Ww]hat was learned|"
    r"\bsize of an item\b|\bhabits? of\b|\bstrangers\b|\bledgers?\b|\bplanted truth\b|"
    r"\byet small\b|\bthinned histories\b|\btimes ours\b|[Ff]igures to move|"
    r"\bat an end of (its|their) grid\b"
)
STORED_WORDS = "users kept out"  # in results/, under digests


WHERE = ["book", "notebooks", "celsa_lib", "README.md", "CONTRIBUTING.md"]


@pytest.mark.parametrize("where", WHERE)
def test_standard_words(where):
    """Per item, baselines, held-out users, data size, user data, deviations, key takeaways."""
    paths = [ROOT / where, *(ROOT / where).rglob("*.*")]
    read = [path for path in paths if path.suffix in (".md", ".py", ".ipynb")]
    assert read
    for path in read:
        found = re.search(UNUSUAL, prose(path.read_text()).replace(STORED_WORDS, ""))
        assert not found, f"{path.name}: {found[0]}; CONTRIBUTING.md has the usual words"


def test_the_book_builds_strictly(site):
    assert (site / "index.html").exists()
    for name in toc_files():
        assert (site / f"{name}.html").exists()


def test_the_page_on_reproducing_names_every_notebook():
    page = (ROOT / "book/reproduce.md").read_text()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        assert f"notebooks/{path.name})" in page, path.name
