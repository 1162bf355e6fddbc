"""The live demo: what it packs, that it answers as the library does, that a keyboard is enough."""

import json
import re
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_matrix, csr_matrix

from celsa_lib import demo, experiments
from celsa_lib.data.download import locate
from celsa_lib.demo import DemoModel, as_json, packed, packed_rows, personas
from celsa_lib.demo.page import LEAST_UNSEEN
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.models import CompressedELSA
from celsa_lib.segments import segment_items

HOSTILE = [
    "</script><script>window.broken = 1</script>",
    "<!-- <script>",
    "<img src=x onerror='window.broken = 1'>",
    "quotes \" ' ` and \\",
    "line\u2028separator\u2029and 🎬",
]
# the promised 1e-5, and for large scores what the library's own sums in float32 lose
NEAR = {"atol": 1e-5, "rtol": 1e-6}
SIZE = "Bytes per item"  # the slider that chooses a model
SMALL = {"n_users": 400, "n_items": 200, "n_segments": 12}


@pytest.fixture(scope="module")
def trained():
    """Data, result and models of a short run: MovieLens where it is here, else synthetic."""
    name = "ml-100k" if locate("ml-100k") else "synthetic"
    config = experiments.demo_models(name)
    methods = [replace(m, params=m.params | {"epochs": 1}, grid={}) for m in config.methods]
    small = SMALL if name == "synthetic" else {}
    config = replace(config, methods=methods, n_test=50, n_val=0, data_params=small)
    data, task = experiments.prepare(config)
    return data, *experiments.run_and_keep(config, data, task)


@pytest.fixture(scope="module")
def html(trained) -> str:
    return demo.live_demo(*trained).html


@pytest.fixture(scope="module")
def ordered(trained) -> list[ItemEmbeddings]:
    """The embeddings in the order of the demo: by bytes, the dense one last."""
    found = [model.item_embeddings for model in trained[2]]
    return sorted(found, key=lambda rows: (rows.is_dense, rows.bytes_per_item))


def handmade(titles: list[str] | None = None) -> tuple[pd.DataFrame, ItemEmbeddings]:
    """Five items in three latents; a user of item 0 scores them −0, 0.6, 0, 0.6 and −1."""
    rows = [[1, 0, 0], [0.6, 0.8, 0], [0, 1, 0], [0.6, 0, -0.8], [-1, 0, 0]]
    items = pd.DataFrame(
        {
            "title": titles or list("abcde"),
            "genres": ["Drama", "Drama|War", "War", "War", "War"],
            "year": pd.array([1990, None, 1992, 1993, 1994], dtype="Int64"),
        }
    )
    return items, ItemEmbeddings(csr_matrix(np.array(rows, np.float32)))


def in_float64(embeddings: ItemEmbeddings, row: csr_matrix) -> np.ndarray:
    """x·A·Aᵀ − x, or x·W·(U·Uᵀ − I)·S, of one user, from its definition."""
    x, A = row.toarray()[0].astype(np.float64), embeddings.matrix.toarray().astype(np.float64)
    if embeddings.input_scales is None:
        return x @ A @ A.T - x
    lengths = np.linalg.norm(A, axis=1)
    U = A / lengths[:, None]
    return (x * embeddings.input_scales) @ (U @ U.T - np.eye(len(U))) * lengths


def handmade_page(titles: list[str] | None = None) -> str:
    items, embeddings = handmade(titles)
    model = DemoModel("Compressed ELSA", embeddings, 0.5, segment_items(embeddings, items))
    return demo.demo_page("synthetic", items, np.array([9, 8, 7, 6, 5]), [model]).html


def assert_arrows_stand_on_bars(page) -> None:
    """Each arrow of Figure 2 begins where a bar ends, or at the axis."""
    bars = re.findall(
        r"M([\d.]+) ([\d.]+)v(-?[\d.]+)", page.locator(".celsa-bars").get_attribute("d")
    )
    ends = {(x, round(float(y) + float(v), 1)) for x, y, v in bars}
    ends |= {(x, float(y)) for x, y, _ in bars}
    for shaft in page.locator(".celsa-shaft").all():
        x, y = re.match(r"M([\d.]+) ([\d.]+)V", shaft.get_attribute("d")).groups()
        assert any(abs(float(y) - end) <= 1.11 for at, end in ends if at == x)


def numbers_of(packed: dict) -> np.ndarray:
    return np.frombuffer(b64decode(packed["data"]), dtype=np.dtype(packed["type"]))


def contents_of(html: str) -> dict:
    return json.loads(re.search(r'id="celsa-demo-data">(.*?)</script>', html, re.S)[1])


# What is packed


def test_packed_numbers_come_back():
    values = np.array([0.1, -2.5, 3e-9], np.float32)
    assert (numbers_of(packed(values)) == values).all()
    assert packed(values.astype(">f4")) == packed(values)


def test_columns_take_as_few_bytes_as_they_need():
    for width, kind in ((256, "uint8"), (257, "uint16"), (70_000, "uint32")):
        rows = packed_rows(csr_matrix(([1.0], ([0], [width - 1])), shape=(2, width)))
        assert rows["columns"]["type"] == kind
        assert numbers_of(rows["columns"]) == width - 1
        assert list(numbers_of(rows["starts"])) == [0, 1, 1]


def test_full_rows_have_no_columns():
    full = csr_matrix(([2.0, 1.0], [1, 0], [0, 2]), shape=(1, 2))  # columns out of order
    rows = packed_rows(full)
    assert "columns" not in rows and list(numbers_of(rows["values"])) == [1, 2]


@pytest.mark.parametrize("text", HOSTILE)
def test_json_cannot_leave_its_script_element(text):
    made = as_json([text])
    assert "<" not in made and made.isascii() and json.loads(made) == [text]


def test_personas_are_popular_items_of_a_genre():
    items = pd.DataFrame({"genres": ["sci-fi", "sci-fi|War", "War", "", None, "sci-fi"]})
    found = personas(items, np.array([10, 12, 7, 99, 99, 3]))
    # sci-fi weighs 10 + 6 + 3, War 6 + 7; item 1 stands with sci-fi and is then taken
    assert [(p.name, p.items) for p in found] == [("Sci-fi", [0, 1, 5]), ("War", [2])]
    assert personas(items[[]], np.ones(6)) == []


def test_the_page_takes_counts_of_the_users_and_no_history(trained, html):
    data, result, models = trained
    columns = data.X.tocsc()
    rng = np.random.default_rng(0)
    drawn = [rng.choice(data.X.shape[0], n, replace=False) for n in np.diff(columns.indptr)]
    others = csc_matrix((columns.data, np.concatenate(drawn), columns.indptr), data.X.shape).tocsr()
    assert (others != data.X).nnz > 0
    assert demo.live_demo(replace(data, X=others), result, models).html == html
    contents = contents_of(html)
    assert set(contents) == {"noun", "segments", "titles", "about", "places", "personas", "models"}
    assert sorted(contents["places"]) == list(range(len(data.items)))


def test_a_notebook_keeps_the_page_once(trained):
    assert len(repr(demo.live_demo(*trained))) < 60


# In a browser


@pytest.fixture(scope="module")
def recommended(trained) -> ItemEmbeddings:
    """Rows of the recommended recipe: a latent per item, two scales each."""
    model = CompressedELSA(nnz=16, recipe="recommended", epochs=1, progress=False)
    return model.fit(trained[0].X, trained[0].item_ids).item_embeddings


def test_rows_with_input_scales_are_scored_as_in_the_library(trained, recommended, open_html):
    """And a segment of them as x·W·U·Bᵀ."""
    data = trained[0]
    segments = segment_items(recommended, data.items)
    popularity = np.diff(data.X.tocsc().indptr)
    model = DemoModel("Recommended setting", recommended, 0.5, segments)
    page = open_html(demo.demo_page(data.name, data.items, popularity, [model]).html)
    assert np.ptp(recommended.input_scales) > 0
    for user in (0, 7, 42, int(np.diff(data.X.indptr).argmax())):
        row = data.X[user]
        picks = row.indices.tolist()
        given = np.array(page.evaluate("p => celsaDemo.scores(p, 0)", picks[::-1]))
        np.testing.assert_allclose(given, in_float64(recommended, row), **NEAR)
        np.testing.assert_allclose(given, recommended.score(row)[0], **NEAR)
        best = page.evaluate("p => celsaDemo.best(p, 0, 20)", picks)
        items, scores = recommended.recommend(row, n=20)
        np.testing.assert_allclose(given[best], scores[0], **NEAR)
        assert np.mean(best == items[0]) > 0.9  # others are as good, within rounding
    picks = contents_of(page.content())["personas"][0]["items"]  # shown at first
    x = csr_matrix((np.ones(len(picks)), ([0] * len(picks), picks)), shape=(1, len(data.items)))
    left = np.bincount(np.delete(segments.of_item, picks), minlength=len(segments)) >= LEAST_UNSEEN
    relevance = np.where(left, segments.score(x)[0], -np.inf)
    shown = page.locator(".celsa-row h4").all_inner_texts()
    for heading, score in zip(shown, np.sort(relevance)[::-1], strict=False):
        assert f"score {score:.2f}" in heading
    assert len(shown) == 5 and not page.trouble


def test_all_scores_are_those_of_the_library(trained, ordered, html, open_html):
    data = trained[0]
    page = open_html(html)
    longest = int(np.diff(data.X.indptr).argmax())
    for user in (0, 7, 42, longest):
        row = data.X[user]
        picks = row.indices.tolist()
        for place, rows in enumerate(ordered):
            given = page.evaluate("([p, k]) => celsaDemo.scores(p, k)", [picks[::-1], place])
            # a browser sums in float64 and rounds twice, at the end and where it takes x off;
            # scales of an item are rounded besides
            twice = {"rtol": 2**-23, "atol": 2**-23} if rows.input_scales is None else NEAR
            np.testing.assert_allclose(given, in_float64(rows, row), **twice)
            np.testing.assert_allclose(given, rows.score(row)[0], **NEAR)
            best = page.evaluate("([p, k]) => celsaDemo.best(p, k, 20)", [picks, place])
            assert not set(best) & set(picks)
            np.testing.assert_allclose(
                np.array(given)[best], rows.recommend(row, n=20)[1][0], **NEAR
            )
    sizes = page.evaluate("celsaDemo.sizes")
    assert [size["bytes"] for size in sizes] == [rows.bytes_per_item for rows in ordered]
    assert len(ordered) == 9 and sizes[-1]["dense"]
    assert not page.trouble


def test_equal_scores_go_by_the_lower_index(open_html):
    page = open_html(handmade_page())
    scores = page.evaluate("celsaDemo.scores([0], 0)")
    np.testing.assert_allclose(scores, [0, 0.6, 0, 0.6, -1], atol=1e-7)
    assert page.evaluate("celsaDemo.best([0], 0, 9)") == [1, 3, 2, 4]


def test_the_segments_are_x_a_b_and_their_arrows_follow_the_signs(
    trained, ordered, html, open_html
):
    data = trained[0]
    page = open_html(html)
    page.get_by_role("radio", name="Compressed ELSA").check()
    (place,) = [
        k for k, rows in enumerate(ordered) if rows.bytes_per_item == 128 and not rows.is_anchored
    ]
    segments = segment_items(ItemEmbeddings(ordered[place].matrix, data.item_ids), data.items)
    picks = page.evaluate("JSON.parse(document.getElementById('celsa-demo-data').textContent)")
    picks = picks["personas"][0]["items"]  # shown at first
    x = csr_matrix((np.ones(len(picks)), ([0] * len(picks), picks)), shape=(1, len(data.items)))
    scores = ordered[place].score(x)[0]
    relevance = (ordered[place].activations(x) @ segments.matrix.T)[0]
    left = [set(members) - set(picks) for members in segments.members]
    open_ones = [s for s, i in enumerate(left) if len(i) >= LEAST_UNSEEN and relevance[s] > 0]
    activations = ordered[place].activations(x)[0]
    wanted = sorted(open_ones, key=lambda s: (-relevance[s], s))[:5]
    shown = page.locator(".celsa-row")
    assert shown.count() == len(wanted) > 0
    for k, segment in enumerate(wanted):
        assert f"score {relevance[segment]:.2f}" in shown.nth(k).locator("h4").inner_text()
        first = max(left[segment], key=lambda item: (scores[item], -item))
        assert shown.nth(k).locator("strong").first.inner_text() == data.items["title"].iloc[first]
        circles = page.locator(f".celsa-arrow.celsa-color-{k + 1} circle").all()
        arrows = sorted(
            (float(c.get_attribute("cx")), float(c.get_attribute("cy"))) for c in circles
        )
        drawn = [1 if y < 130 else -1 for _, y in arrows]
        ends = [(abs(activations[i]), sign) for i, sign in segments.latents(segment)]
        ends = sorted((end for end in ends if end[0]), reverse=True)[:6]  # the most filled
        assert sorted(drawn) == sorted(sign for _, sign in ends)
    assert_arrows_stand_on_bars(page)
    assert not page.trouble


def test_why_leads_from_picks_to_the_item(open_html):
    page = open_html(handmade_page())
    page.evaluate("document.querySelector('.celsa-clear').click()")
    page.locator("#celsa-demo-search").press_sequentially("a")
    page.keyboard.press("Enter")
    page.locator(".celsa-why").first.click()  # item b: 0.6 of its 0.6 by latent 0, from a
    chain = page.locator(".celsa-chain li").first
    assert page.locator(".celsa-drawn text").first.text_content() == "a"
    links = [link.replace("\xa0", " ") for link in chain.locator("> span").all_inner_texts()]
    assert links[0] == "a" and links[1] == "latent 0 ↑" and links[-1] == "+0.60 of 0.60"
    assert "Drama" in links[2]


def test_latents_that_are_items_have_their_titles(trained, html, open_html):
    """The recommended setting comes first; its chains and its figure name latents by items."""
    titles = set(trained[0].items["title"])
    page = open_html(html)
    assert page.get_by_role("radio", name="Recommended setting").is_checked()
    page.locator(".celsa-why").first.click()
    chain = page.locator(".celsa-chain li").first.locator("> span")
    named = chain.nth(1).inner_text().replace("\xa0", " ").removeprefix("latent of ")
    assert named in titles
    assert page.locator(".celsa-numbers tbody th").first.text_content() in titles
    ends = page.locator(".celsa-arrow.celsa-color-1").count()
    assert 1 <= ends <= 6  # of a segment with a latent for each of its items
    assert_arrows_stand_on_bars(page)
    assert not page.trouble


def test_the_way_of_training_is_chosen_and_the_size_kept(html, open_html):
    page = open_html(html)
    slider, status = page.get_by_label(SIZE), page.get_by_role("status")
    slider.press("Home")
    before = page.locator(".celsa-list .celsa-title").all_inner_texts()
    page.get_by_role("radio", name="Compressed ELSA").check()
    assert slider.get_attribute("aria-valuetext").startswith("64 bytes per item")
    assert status.inner_text().startswith("Compressed ELSA, 64 bytes per item")
    assert page.locator(".celsa-list .celsa-title").all_inner_texts() != before
    page.get_by_role("radio", name="Recommended setting").check()
    assert page.locator(".celsa-list .celsa-title").all_inner_texts() == before
    slider.press("End")
    page.get_by_role("radio", name="Compressed ELSA").check()  # the dense model belongs to both
    assert "dense" in slider.get_attribute("aria-valuetext")
    assert not page.trouble


def test_a_keyboard_is_enough(html, open_html):
    page = open_html(html)
    chips = page.locator(".celsa-picks li:has(button[aria-label])")
    before = chips.count()
    field = page.locator("#celsa-demo-search")
    field.focus()
    page.keyboard.type("e")  # in many titles
    assert field.get_attribute("aria-expanded") == "true"
    assert re.match(r"\d+ \w+ found", page.get_by_role("status").inner_text())
    options = page.locator("#celsa-demo-options [role=option]")
    count = options.count()
    page.keyboard.press("ArrowUp")  # from the first to the last
    assert options.nth(count - 1).get_attribute("aria-selected") == "true"
    active = field.get_attribute("aria-activedescendant")
    assert options.nth(count - 1).get_attribute("id") == active
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert chips.count() == before + 1 and field.input_value() == ""
    assert "First of the list" in page.get_by_role("status").inner_text()
    page.keyboard.type("e")
    page.keyboard.press("Escape")
    assert field.get_attribute("aria-expanded") == "false" and field.input_value() == "e"
    page.keyboard.press("Escape")
    assert field.input_value() == ""
    page.keyboard.press("Tab")  # the first pick's button
    for left in range(before, -1, -1):  # the focus goes on to the next pick, then to the field
        page.keyboard.press("Enter")
        assert chips.count() == left
    assert page.evaluate("document.activeElement.id") == "celsa-demo-search"
    assert page.locator("[data-part=empty]").is_visible()
    page.locator(".celsa-personas button").first.press("Enter")
    slider = page.get_by_label(SIZE)
    slider.press("End")
    assert "dense" in slider.get_attribute("aria-valuetext")
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext").startswith("64 bytes per item, the whole model")
    row = page.locator(".celsa-row button").first
    label = row.get_attribute("aria-label")
    row.press("Enter")
    assert f"Take out {label.removeprefix('Pick ')}" in page.locator(".celsa-picks").inner_html()
    page.locator(".celsa-why").nth(1).press("Enter")
    assert page.locator(".celsa-why").nth(1).get_attribute("aria-pressed") == "true"
    knob = page.locator(".celsa-knobs input").first
    knob.press("ArrowRight")
    assert knob.get_attribute("aria-valuetext") == "+0.1"
    assert not page.trouble


def test_hostile_titles_are_text(open_html):
    page = open_html(handmade_page(HOSTILE))
    for asked in page.locator(".celsa-why").all():
        asked.click()
    page.locator("#celsa-demo-search").press_sequentially("e")
    assert page.locator("#celsa-demo-options [role=option]").count() > 0
    page.keyboard.press("Escape")
    shown = page.locator("#celsa-demo").inner_text()
    assert all(re.sub(r"\s", " ", title) in re.sub(r"\s", " ", shown) for title in HOSTILE)
    assert page.evaluate("window.broken") is None
    assert page.locator("#celsa-demo img").count() == 0
    assert not page.trouble


def test_a_click_is_answered_at_once(html, open_html):
    """50 ms is the aim; the limit leaves room for a busy machine."""
    page = open_html(html)
    times = page.evaluate("""() => {
        const root = document.getElementById("celsa-demo"), times = [];
        const time = (act) => {
            const started = performance.now();
            act();
            root.offsetHeight;  // layout belongs to the answer
            times.push(performance.now() - started);
        };
        const slider = root.querySelector("[type=range]");
        for (let k = 0; k < 60; k++) {
            slider.value = String(k % 6);
            time(() => slider.dispatchEvent(new Event("input")));
            time(() => root.querySelector(".celsa-add").click());
        }
        return times.sort((a, b) => a - b);
    }""")
    median = times[len(times) // 2]
    print(f"median of a click: {median:.1f} ms")
    assert median < 250
    assert not page.trouble


CONTRASTS = """() => {
    const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
    const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = parse(getComputedStyle(e).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return document.documentElement.dataset.theme === "dark" ? [18, 18, 18] : [255, 255, 255];
    };
    const texts = [...document.querySelectorAll("#celsa-demo *")].filter((e) =>
        e.checkVisibility() && !e.closest("svg, style, script") &&
        [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
    return texts.map((e) => {
        const pair = [parse(getComputedStyle(e).color), behind(e)].map(light).sort((a, b) => b - a);
        return [(pair[0] + 0.05) / (pair[1] + 0.05), e.className, e.textContent.slice(0, 30)];
    }).filter(([ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_contrast_and_a_telephone_is_wide_enough(html, open_html, theme):
    """The book's theme decides, whatever the system prefers."""
    other = {"light": "dark", "dark": "light"}[theme]
    page = open_html(html, width=375, color_scheme=other)
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    assert page.evaluate(CONTRASTS) == []
    page.get_by_label(SIZE).press("End")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.locator("#celsa-demo-search").focus()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_motion_is_left_out_where_it_is_unwanted(html, open_html):
    ask = "getComputedStyle(document.querySelector('.celsa-bar span')).transitionDuration"
    assert open_html(html, reduced_motion="reduce").evaluate(ask) == "0s"
    assert open_html(html, reduced_motion="no-preference").evaluate(ask) == "0.2s"


def test_the_script_does_nothing_without_its_element(open_html):
    page = open_html(handmade_page().replace('id="celsa-demo"', 'id="something-else"'))
    assert page.evaluate("window.celsaDemo") is None
    assert not page.trouble


def test_the_assets_are_part_of_the_package_and_of_its_digest():
    from celsa_lib.workflow.digests import code_files

    names = {path.name for path in code_files()}
    assert {"demo.css", "engine.js", "page.js", "demo.html.jinja"} <= names
    settings = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert '"**/*.js", "**/*.css"' in settings
