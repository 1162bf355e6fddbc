"""The interactive figures, in a real browser: the library's numbers, a keyboard, both themes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from celsa_lib import CompressedELSA, experiments, load_dataset, report
from celsa_lib.models.schedules import SCHEDULES, make_schedule
from celsa_lib.report import style
from celsa_lib.training import sparsify_rows

BOOK = Path(__file__).parents[1] / "book"
STATIC = BOOK / "_static"
SHAPES = [(width, nnz, epochs) for width in (64, 1000, 4096, 8192) for nnz in (1, 7, 16, 64)
          for epochs in (1, 2, 3, 7, 10, 20)]  # fmt: skip


def figure_of(page: str) -> str:
    """The markup of a page's figure."""
    return re.search(r"```\{raw\} html\n(.*?)```", (BOOK / page).read_text(), re.S)[1]


@pytest.fixture(scope="module")
def runs() -> list[dict]:
    config = experiments.few_places()
    data = load_dataset(config.dataset, progress=False, **config.data_params)
    return experiments.latents_in_use(config, data.X)


@pytest.fixture
def opened(open_html):
    """A function that opens figures with the book's script and style."""
    script, css = ((STATIC / f"figures.{kind}").read_text() for kind in ("js", "css"))
    head = f"<title>Figures</title><style>{css}</style><script>{script}</script>"
    return lambda *figures, **options: open_html("".join(figures), head, **options)


def nonzeros(name: str, shape: tuple) -> list[int]:
    """Nonzeros in each epoch, by the library."""
    return [stage.nnz for stage in make_schedule(name, *shape) for _ in range(stage.epochs)]


def test_schedules_are_those_of_the_library(opened):
    page = opened(figure_of("pruning.md"))
    ask = "([name, shape]) => celsaFigures.SCHEDULES[name](...shape)"
    assert set(page.evaluate("Object.keys(celsaFigures.SCHEDULES)")) == set(SCHEDULES)
    for name in SCHEDULES:
        for shape in SHAPES:
            assert page.evaluate(ask, [name, shape]) == nonzeros(name, shape), (name, shape)
    assert not page.trouble


def test_sliders_move_curves_table_and_words(opened):
    page = opened(figure_of("pruning.md"))
    width, nnz, epochs = page.get_by_role("slider").all()
    assert width.get_attribute("aria-valuetext") == "4,096"
    for slider, key in ((width, "ArrowLeft"), (nnz, "ArrowRight"), (epochs, "Home")):
        slider.press(key)
    shape = 2048, 32, 1
    assert [s.get_attribute("aria-valuetext") for s in (width, nnz, epochs)] == ["2,048", "32", "1"]
    shown = [row.locator("th, td").all_inner_texts() for row in page.locator("tbody tr").all()]
    ks = {name: nonzeros(name, shape) for name in SCHEDULES}
    wanted = [[name, str(len(k)), f"{sum(k) / 2048:.2f}"] for name, k in ks.items()]
    assert sorted(shown) == sorted(wanted)
    assert "From 2,048 to 32 nonzeros with E = 1" in page.get_by_role("status").inner_text()
    drawn = page.locator("path.celsa-curve[d*=V]").all()
    steps = [len(re.findall("H", path.get_attribute("d"))) for path in drawn]
    assert sorted(steps) == sorted(map(len, ks.values()))
    ends = {circle.get_attribute("cy") for circle in page.locator("circle").all()}
    assert len(ends) == 1  # all end at the target
    assert not page.trouble


def test_work_by_hand(opened):
    page = opened(figure_of("pruning.md"))
    assert page.evaluate("celsaFigures.work([64, 32, 16, 16], 64)") == 2


def test_one_row_is_pruned_as_the_library_does(opened):
    page = opened(figure_of("sparsity.md"))
    shown = json.loads(re.search(r"data-values=\"(.+?)\"", figure_of("sparsity.md"))[1])
    tied = [0.5, -0.5, 0.25, 0.5, -0.25, 0.25, 0.1, 0.5]
    for values in (shown, tied, np.random.default_rng(0).normal(size=30).tolist()):
        for k in range(1, len(values) + 1):
            row = torch.tensor([values], dtype=torch.float32)
            wanted = sparsify_rows(row, k)[0]
            given = page.evaluate("([row, k]) => celsaFigures.kept(row, k)", [values, k])
            np.testing.assert_allclose(given, wanted, atol=1e-6)
            cosine = torch.cosine_similarity(row[0], wanted, dim=0).item()
            pair = [values, given]
            assert abs(page.evaluate("(p) => celsaFigures.cosine(...p)", pair) - cosine) < 1e-6
    slider = page.get_by_role("slider")
    for k in (4, 8, 16):
        while int(slider.get_attribute("aria-valuetext")) < k:
            slider.press("ArrowRight")
        row = torch.tensor([shown])
        sparse = sparsify_rows(row, k)[0]
        cells = page.locator("tbody tr td:last-child").all_inner_texts()
        numbers = [float(text.replace("−", "-")) for text in cells]
        np.testing.assert_allclose(numbers, sparse, atol=0.0051)
        said = page.get_by_role("status").inner_text()
        cosine = torch.cosine_similarity(row[0], sparse, dim=0)
        assert said.startswith(f"{k} of 16 kept. Cosine with the dense row: {cosine:.3f}. {8 * k} ")
        assert page.locator(".celsa-kept").count() == k
    assert "128 bytes, more than the 64 of the dense row" in said
    assert not page.trouble


def test_latents_in_use_are_counted_by_the_model_too(runs):
    config = experiments.few_places()
    data = load_dataset(config.dataset, progress=False, **config.data_params)
    for run, method in zip(runs, config.methods, strict=True):
        model = CompressedELSA(**method.params, progress=False).fit(data.X)
        assert [used.count("1") for used in run["used"]] == [e["active"] for e in model.history_]
        assert run["nnz"] == [epoch["nnz"] for epoch in model.history_]
    assert [run["schedule"] for run in runs] == ["constant", "exponential"]
    assert len(runs[0]["nnz"]) == len(runs[1]["nnz"])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_the_page_says_about_latents_that_die(seed):
    """Constant begins with dead ones, exponential with none; in the end exponential has more."""
    config = experiments.few_places(seed=seed)
    data = load_dataset(config.dataset, progress=False, **config.data_params)
    found = experiments.latents_in_use(config, data.X)
    constant, exponential = ([used.count("0") for used in run["used"]] for run in found)
    assert constant[0] > 0 and exponential[0] == 0
    assert exponential[len(exponential) // 2] <= 2  # of 256, half way
    assert exponential[-1] > constant[-1] > 0


def test_the_table_of_latents_by_hand():
    runs = [{"schedule": "a", "nnz": [3, 1], "used": ["111", "100"]}]
    table = report.latents_table(runs)
    assert table.to_dict("list") == {"epoch": [1, 2], "a k": [3, 1], "a, in use": [3, 1]}


def test_the_slider_goes_through_the_epochs(opened, runs):
    page = opened(report.latents_figure(runs))
    assert page.locator("details").get_attribute("open") is None
    slider = page.get_by_role("slider")
    ask = "svg => [...svg.children].map((mark) => (mark.tagName == 'rect' ? '1' : '0')).join('')"
    for key, t in (("Home", 0), ("End", len(runs[0]["nnz"]) - 1)):
        slider.press(key)
        for figure, run in zip(page.locator("figure").all(), runs, strict=True):
            drawn = figure.locator("svg").evaluate(ask)
            assert drawn == run["used"][t]
            text = f"{run['schedule']}: {run['nnz'][t]} nonzeros, {drawn.count('1')} of 256"
            assert figure.inner_text().startswith(text)
            assert text in page.get_by_role("status").inner_text()
    assert not page.trouble


def test_without_scripts_there_are_words_or_a_table(opened, runs):
    figures = figure_of("pruning.md"), figure_of("sparsity.md"), report.latents_figure(runs)
    page = opened(*figures, java_script_enabled=False)
    words = page.locator("noscript p").all()
    assert len(words) == 2 and all(word.is_visible() for word in words)
    assert page.locator("details[open] tbody tr").count() == len(runs[0]["nnz"])


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_figures_are_as_wide_as_the_screen(opened, runs, width):
    figures = figure_of("pruning.md"), figure_of("sparsity.md"), report.latents_figure(runs)
    page = opened(*figures, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 600, "height": 800})  # and follow when it changes
    page.wait_for_function(
        "(svg => svg.viewBox.baseVal.width == svg.clientWidth)(document.querySelector('svg'))"
    )
    assert not page.trouble


def test_colours_are_those_of_the_book():
    css = (STATIC / "figures.css").read_text()
    found = dict(re.findall(r"--celsa-([\w-]+): (#\w{6})", css))
    assert found == {"compressed": style.colour("Compressed ELSA")} | style.SCHEDULE_COLOURS
    assert set(style.SCHEDULE_COLOURS) == set(SCHEDULES)
