"""Training in the page: the library's numbers on the same batches, the reader's file, the page."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from axe import AXE, RUN, violations
from scipy.sparse import csr_matrix

from celsa_lib import CompressedELSA, evaluate, inpage
from celsa_lib.data import make_synthetic
from celsa_lib.errors import ConfigError
from celsa_lib.experiments import prepare
from celsa_lib.models.recipes import fill
from celsa_lib.split import holdout_folds, split_users
from celsa_lib.training import Stage, TrainingOptions
from celsa_lib.training.anchored import anchored_rows, neighbourhoods
from celsa_lib.training.batches import user_batch, users_of_epoch
from celsa_lib.training.dropout import seeds_of
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.rows import Rows, full_rows, initial_embeddings
from celsa_lib.training.stage import StageTrainer

CPU = torch.device("cpu")
# What the page promises on the same batches after ten epochs. An item that alone speaks for itself
# scores w·(‖a‖² − 1), which is rounding: on which side of ReLU it falls differs between machines,
# and between two backends of the library too.
LOSSES = {"rtol": 1e-3, "atol": 0}
ROWS = {"rtol": 0, "atol": 0.02}
FIRST = 2e-5  # of the first step's gradient, beside its largest entry
TITLES = ["</script><script>window.broken = 1</script>", "<img src=x onerror='window.broken = 1'>"]
SMALL = {"n_users": 200, "n_items": 120, "n_segments": 8, "mean_interactions": 20.0}
PROMISED = """([rows, X, batches, stage]) => {
    const typed = (kind, values) => kind.from(values);
    const of = {...X, items: typed(Uint32Array, X.items)};
    const logs = rows.logs && {output: typed(Float32Array, rows.logs.output),
                               input: typed(Float32Array, rows.logs.input)};
    const [starts, columns] = [rows.starts, rows.columns].map((one) => typed(Uint32Array, one));
    const mine = {...rows, starts, columns, logs, values: typed(Float32Array, rows.values)};
    const trainer = new Trainer(mine, of, stage), losses = [];
    let first = null;
    for (const {users, visible, rate, ofMean} of batches) {
        losses.push(trainer.step(users, visible, rate, ofMean));
        first ??= [...trainer.gradient.decoded];
    }
    const {unit, output, input} = resultOf(mine);
    return {losses, first, unit: [...unit], output: [...output], input: [...input]};
}"""


@pytest.fixture(scope="module")
def engine(browser):
    """A page that has the worker's script and nothing else: its functions are asked."""
    page = browser.new_page()
    page.add_script_tag(content=inpage.worker_source())
    yield page
    page.close()


@pytest.fixture(scope="module")
def few() -> csr_matrix:
    return make_synthetic(**SMALL).X


def plain(X: csr_matrix) -> dict:
    return {"starts": X.indptr.tolist(), "items": X.indices.tolist(), "nItems": X.shape[1]}


def plain_rows(rows: Rows) -> dict:
    values, columns, starts = (part.tolist() for part in rows.flat())
    scales = rows.scales
    logs = None if scales is None else {"output": scales[0].tolist(), "input": scales[1].tolist()}
    return {"starts": starts, "columns": columns, "values": values, "width": rows.width,
            "logs": logs}  # fmt: skip


def steps(X: csr_matrix, trainer: StageTrainer, n_epochs: int, seed: int = 5) -> list[dict]:
    """Steps of the library's trainer; what each was given, for the page to be given the same."""
    options, given = trainer.options, []
    n_steps = n_epochs * options.steps_per_epoch(X)
    rates, rng = options.rates(n_steps), np.random.default_rng(seed)
    seeds = seeds_of(seed, 0, n_steps)
    for _ in range(n_epochs):
        users = users_of_epoch(X, options.length_exponent, rng)
        for first in range(0, len(users), options.batch_size):
            part, step = users[first : first + options.batch_size], len(given)
            dropout = (int(seeds[step]), options.dropout) if options.dropout else None
            batch = user_batch(X, part, CPU, None, dropout)
            visible = np.ones(X.nnz, np.uint8)
            if dropout:
                places = np.concatenate([np.arange(*X.indptr[u : u + 2]) for u in part])
                visible[places] = batch.visible.numpy()
            trainer.learning_rate, trainer.of_mean = rates[step]
            trainer.step(batch)
            given.append({"users": part.tolist(), "visible": visible.tolist(),
                          "rate": rates[step][0], "ofMean": rates[step][1]})  # fmt: skip
    return given


def trainer_of(rows: Rows, X: csr_matrix, options: TrainingOptions, nnz: int) -> StageTrainer:
    return StageTrainer(rows, Nadam.start(rows.values), Stage(nnz, 1), options, X)


# The same numbers as the library


@pytest.mark.parametrize("non_negative", [True, False])
def test_recommended_steps_are_those_of_the_library(engine, few, non_negative):
    """Two scales, hiding, falling rate, mean of the rows: ten epochs on the same batches."""
    rows = anchored_rows(neighbourhoods(few, 300.0, CPU), 8, 6, True, CPU)
    start = plain_rows(rows)
    options = TrainingOptions(batch_size=32, learning_rate=0.04, cosine_decay=True, dropout=0.65,
                              length_exponent=0.5, weight_averaging=0.2, scales=True,
                              non_negative=non_negative, backend="sparse")  # fmt: skip
    trainer = trainer_of(rows, few, options, 8)
    gradients, ask = [], trainer._gradient_of

    def noted(*asked):
        loss, gradient = ask(*asked)
        gradients.append(gradient.clone().numpy())
        return loss, gradient

    trainer._gradient_of = noted
    given = steps(few, trainer, 10)
    stage = {"epsilon": options.epsilon, "nonNegative": non_negative}
    found = engine.evaluate(PROMISED, [start, plain(few), given, stage])
    assert np.abs(found["first"] - gradients[0]).max() < FIRST * np.abs(gradients[0]).max()
    np.testing.assert_allclose(found["losses"], trainer.losses, **LOSSES)
    theirs = rows.averaged().to_csr()
    mine = np.repeat(found["output"], np.diff(start["starts"])) * found["unit"]
    dense = csr_matrix((mine, start["columns"], start["starts"]), theirs.shape)
    assert len(given) > 50 and abs(dense - theirs).max() < ROWS["atol"]
    np.testing.assert_allclose(found["output"], rows.scales[0].exp(), **ROWS)
    np.testing.assert_allclose(found["input"], rows.input_scales(), **ROWS)


def test_pruning_steps_and_prunes_are_those_of_the_library(engine, few):
    initial = full_rows(initial_embeddings(few.shape[1], 32, 0))
    options = TrainingOptions(batch_size=32, backend="sparse")
    stage, rows = {"epsilon": options.epsilon, "nonNegative": False}, initial.copy()
    for nnz in (32, 12, 4):
        if nnz < 32:
            asked = {"starts": rows.row_starts().tolist(), "columns": rows.flat()[1].tolist(),
                     "values": rows.values.flatten().tolist(), "nnz": nnz,
                     "initial": initial.values.flatten().tolist()}  # fmt: skip
            rows = rows.prune(nnz).restarted(initial)
            mine = engine.evaluate("""({starts, columns, values, nnz, initial}) => {
                const rows = {starts, columns, values: Float32Array.from(values), width: 32};
                const found = prunedRows(rows, nnz, {values: initial});
                return {columns: [...found.columns], values: [...found.values]};
            }""", asked)  # fmt: skip
            assert mine["columns"] == rows.cols.flatten().tolist()
            assert mine["values"] == rows.values.flatten().tolist()
        trainer = trainer_of(rows, few, options, nnz)
        start = plain_rows(rows)
        given = steps(few, trainer, 2)
        found = engine.evaluate(PROMISED, [start, plain(few), given, stage])
        np.testing.assert_allclose(found["losses"], trainer.losses, **LOSSES)
        theirs = csr_matrix((found["unit"], start["columns"], start["starts"]), (few.shape[1], 32))
        assert abs(theirs - rows.to_csr()).max() < ROWS["atol"]


def test_the_start_is_that_of_the_library(engine, few):
    near = neighbourhoods(few, 300.0, CPU)
    for nnz, floor in ((8, 6), (4, 1), (16, 16)):
        theirs = anchored_rows(near, nnz, floor, True, CPU)
        settings = {"reg": 300, "shrink": 10, "strength": 1.5, "neighbours": 50}
        found = engine.evaluate("""([X, settings]) => {
            const of = {...X, items: Uint32Array.from(X.items)};
            const near = neighbourhoods(of, settings);
            const {starts, columns, values, logs} = anchoredRows(near, settings);
            return [starts, columns, values, logs.output].map((array) => [...array]);
        }""", [plain(few), settings | {"nnz": nnz, "floor": floor}])  # fmt: skip
        starts, columns, values, output = found
        shape = few.shape[1], few.shape[1]
        mine = csr_matrix((values, columns, starts), shape)
        flat = theirs.flat()
        wanted = csr_matrix(tuple(part.numpy() for part in flat), shape)
        assert mine.nnz == wanted.nnz and abs(mine - wanted).max() < 1e-4
        np.testing.assert_allclose(output, theirs.scales[0], atol=1e-5)


def test_what_is_hidden_is_what_the_library_hides(engine, few):
    users = np.arange(0, few.shape[0], 3)
    for seed, step, rate in ((0, 0, 0.65), (7, 12, 0.35), (2**31, 3, 0.05)):
        (own,) = seeds_of(seed, step, 1)
        batch = user_batch(few, users, CPU, None, (int(own), rate))
        mine = engine.evaluate("""([X, users, seed, step, rate]) => {
            const visible = new Uint8Array(X.items.length);
            hide(X, users, seedOfStep(seed, step), rate, visible);
            return users.flatMap((u) => [...visible.subarray(X.starts[u], X.starts[u + 1])]);
        }""", [plain(few), users.tolist(), seed, step, rate])  # fmt: skip
        assert mine == batch.visible.int().tolist()


def test_users_of_an_epoch_come_as_often_as_expected(engine, few):
    drawn = engine.evaluate("""([X, exponent]) => {
        const random = randomNumbers(3);
        return [0, exponent].map((e) => [...usersOfEpoch(X, e, random)]);
    }""", [plain(few), 0.5])  # fmt: skip
    assert sorted(drawn[0]) == list(range(few.shape[0])) != drawn[0]
    lengths = np.diff(few.indptr)
    expected = lengths**0.5 * (len(lengths) / (lengths**0.5).sum())
    often = np.bincount(drawn[1], minlength=len(lengths))
    assert (np.abs(often - expected) < 1).all()


def test_ndcg_is_that_of_the_library(engine, few):
    split = split_users(few, 60)
    (fold,) = holdout_folds(split.test, n_folds=1)
    model = CompressedELSA(nnz=4, recipe="recommended", epochs=2, progress=False).fit(split.train)
    rows = model.item_embeddings
    norms = np.sqrt(np.asarray(rows.matrix.multiply(rows.matrix).sum(axis=1)).ravel())
    unit = rows.matrix.data / np.repeat(norms, np.diff(rows.matrix.indptr))
    asked = {"starts": rows.matrix.indptr.tolist(), "columns": rows.matrix.indices.tolist(),
             "width": few.shape[1], "unit": unit.tolist(), "output": norms.tolist(),
             "input": rows.input_scales.tolist()}  # fmt: skip
    mine = engine.evaluate("""([rows, given, target]) => {
        target.items = Uint32Array.from(target.items);
        return meanNdcg(scoresBy(rows, given), given, target);
    }""", [asked, *map(plain, fold)])  # fmt: skip
    assert mine == pytest.approx(evaluate(rows, [fold]).mean["ndcg@100"], abs=1e-6)


@pytest.mark.parametrize("shape", [(200, 20), (9_000, 20), (12_000, 20), (12_000, 60)])
def test_the_recommended_setting_is_that_of_the_library(engine, shape):
    users, length = shape
    X = csr_matrix((np.ones(users * length, np.float32), np.tile(np.arange(length), users),
                    np.arange(users + 1) * length), (users, 100))  # fmt: skip
    theirs, small = (
        SimpleNamespace(**fill(CompressedELSA(nnz=nnz, recipe="recommended").get_params(), X, 0))
        for nnz in (8, 4)
    )
    numbers = inpage.page_numbers()
    mine = engine.evaluate(
        "([X, numbers]) => recommendedFor(X, numbers)", [plain(X), numbers["recommended"]]
    )
    assert mine["rate"] == theirs.learning_rate and mine["batchSize"] == theirs.batch_size
    assert mine["hiding"] == theirs.dropout and mine["exponent"] == theirs.length_exponent
    assert mine["nonNegative"] == theirs.non_negative and mine["reg"] == theirs.reg
    assert mine["smallReg"] == small.reg
    assert mine["epochs"] == theirs.epochs and mine["averaging"] == theirs.weight_averaging
    assert numbers["floors"][8] == theirs.floor and mine["neighbours"] == theirs.n_neighbours


def test_a_whole_training_ends_where_the_library_does(engine, few):
    """On batches of its own: within what another seed changes."""
    split = split_users(few, 60)
    (fold,) = holdout_folds(split.test, n_folds=1)
    theirs = [
        evaluate(
            CompressedELSA(nnz=8, recipe="recommended", seed=seed, progress=False).fit(split.train),
            [fold],
        ).mean["ndcg@100"]
        for seed in range(3)
    ]
    mine = engine.evaluate("""([train, given, target, numbers]) => {
        const [X, asked, wanted] = [train, given, target].map((one) => ({...one,
            starts: Uint32Array.from(one.starts), items: Uint32Array.from(one.items)}));
        const settings = {...recommendedFor(X, numbers), nnz: 8, floor: 6, seed: 0}, found = [];
        trainAnchored(X, settings, (kind, loss, rows) => {
            if (kind !== "epoch") return;
            found.push(meanNdcg(scoresBy(resultOf(rows), asked), asked, wanted));
        });
        return found;
    }""", [*map(plain, (split.train, *fold)), inpage.page_numbers()["recommended"]])  # fmt: skip
    assert len(mine) == 11 and mine[-1] == pytest.approx(np.mean(theirs), abs=0.02)


# The page


@pytest.fixture(scope="module")
def prepared():
    config = replace(inpage.small_training(), data_params=SMALL | {"seed": 0}, n_test=40)
    return prepare(config)


@pytest.fixture(scope="module")
def html(prepared) -> str:
    return inpage.training_page(*prepared).html


@pytest.fixture
def opened(html, open_html):
    """A function that opens the page, and the trainer in it."""

    def open_trainer(**options):
        page = open_html(
            f"<h1>Training</h1><h2>Here</h2>{html}", "<title>Training</title>", **options
        )
        page.locator("summary").click()
        page.get_by_text("users learn").wait_for()
        return page

    return open_trainer


def own_trouble(page) -> list[str]:
    """What went wrong, and addresses asked for; its own worker is no address."""
    return [text for text in page.trouble if not text.startswith("blob:")]


def ended(page) -> bool:
    """Whether no worker is left; that one has ended is heard a moment later."""
    for _ in range(400):
        if not page.workers:
            return True
        page.wait_for_timeout(25)
    return False


def status(page) -> str:
    return page.locator("[data-part=status]").inner_text()


def runs_of(page) -> list[list[str]]:
    lines = page.locator("[data-part=runs] tbody tr").all()
    return [line.locator("th, td").all_inner_texts() for line in lines]


def train(page, says: str = "Finished.") -> list[list[str]]:
    page.get_by_role("button", name="Train").click()
    page.locator("[data-part=status]", has_text=says).wait_for()
    return runs_of(page)


def test_nothing_is_read_or_made_before_it_is_opened(html, open_html):
    page = open_html(html)
    assert page.workers == [] and page.locator("[data-part=chart] *").count() == 0
    assert page.locator("#celsa-train-item option").count() == 0 and not page.trouble


def test_both_ways_train_and_are_shown(opened, prepared):
    page = opened()
    assert "160 users learn, 40 are held out; 120 items" in status(page)
    theirs, ours = train(page)
    assert [ours[0], theirs[0]] == ["Recommended setting", "The paper’s pruning"]
    assert ours[1:5] == ["8", "6", "65 %", "0.04"] and ours[7] == "10"
    assert float(ours[6]) > 0.15 and float(theirs[6]) > 0
    assert page.locator(".celsa-curve").count() >= 2
    label = page.locator("[data-part=chart]").get_attribute("aria-label")
    assert f"Recommended setting: nDCG@100 {ours[6]}" in label and "most popular items" in label
    rows = page.locator("[data-part=ours] tbody tr")
    assert rows.count() >= 6 and rows.first.locator("th").inner_text() == "itself"
    assert "8 nonzeros among 256 latents" in page.locator("[data-part=theirs]").inner_text()
    chosen = page.locator("#celsa-train-item").select_option(index=5)
    assert chosen and not own_trouble(page)
    assert ended(page)


def test_the_library_ends_where_the_page_does(opened, prepared):
    """The page's own batches; the row of nDCG is what the notebook's table is about."""
    _, task = prepared
    page = opened()
    page.get_by_label("the paper’s pruning").uncheck()
    (ours,) = train(page)
    model = CompressedELSA(nnz=8, recipe="recommended", progress=False).fit(task.fit)
    assert float(ours[6]) == pytest.approx(evaluate(model, task.folds).mean["ndcg@100"], abs=0.03)


def test_sliders_decide_by_keyboard_and_earlier_runs_stay(opened):
    page = opened()
    page.get_by_label("the paper’s pruning").uncheck()
    nnz, floor, hiding, rate = page.get_by_role("slider").all()
    assert [s.get_attribute("aria-valuetext") for s in (nnz, floor, hiding, rate)] == [
        "8 (64 bytes)", "6", "65 %", "0.04"]  # fmt: skip
    nnz.press("Home")
    assert floor.get_attribute("aria-valuetext") == "2"  # as recommended for two
    hiding.press("Home")
    rate.press("End")
    train(page)
    page.get_by_role("button", name="Recommended setting").press("Enter")
    last, first = train(page)
    assert first[1:5] == ["2", "2", "0 %", "0.32"] and last[1:5] == ["8", "6", "65 %", "0.04"]
    assert page.locator(".celsa-faint").count() == 1 and not own_trouble(page)
    assert train(page)[0][5:8] == last[5:8]  # the same once more


def test_stop_ends_it_and_keeps_what_there_is(html, open_html):
    page = open_html(html.replace('"epochs":10', '"epochs":5000'))
    page.locator("summary").click()
    page.get_by_text("users learn").wait_for()
    page.get_by_label("the paper’s pruning").uncheck()
    page.get_by_role("button", name="Train").click()
    page.get_by_text(re.compile(r"epoch \d+ of")).wait_for()
    page.get_by_role("button", name="Stop").click()
    assert status(page).endswith("Stopped.") and ended(page)
    assert runs_of(page)[0][7].endswith(", stopped")
    assert page.locator("[data-part=stop]").get_attribute("aria-disabled") == "true"
    assert not own_trouble(page)


def test_histories_of_people_are_no_part_of_a_page(prepared):
    data, task = prepared
    with pytest.raises(ConfigError, match="histories of people"):
        inpage.training_page(replace(data, truth=None), task)


def test_the_known_segments_are_above_what_is_learned(prepared, html):
    contents = json.loads(re.search(r'id="celsa-train-data">(.*?)</script>', html, re.S)[1])
    assert 0.2 < contents["known"] < 1 and len(contents["titles"]) == 120
    assert not re.search("</script|<!--", inpage.worker_source())


# The reader's file


def table_of(X: csr_matrix, separator: str, header: str = "", more: str = "") -> str:
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    lines = [f"u{u}{separator}i{i}{more}" for u, i in zip(rows, X.indices, strict=True)]
    return "\n".join([header, *lines] if header else lines) + "\n"


def give(page, text: str | bytes, name: str = "mine.csv") -> None:
    """Choose a file with this text, and wait for an answer."""
    page.get_by_label("A table of your own").check()
    content = text if isinstance(text, bytes) else text.encode()
    file = {"name": name, "mimeType": "text/csv", "buffer": content}
    page.locator("#celsa-train-file").set_input_files(file)
    page.locator("[data-part=status]").filter(has_not_text=re.compile("Reading|Drop or")).wait_for()


def take(page) -> str:
    page.get_by_role("button", name="Take this file").click()
    page.locator("[data-part=status]").filter(
        has_not_text=re.compile("Check them|Dividing|Counting")
    ).wait_for()
    return status(page)


@pytest.mark.parametrize(
    ("separator", "header", "more"),
    [
        (",", "", ""),
        (";", "user_id;item_id", ""),
        ("\t", "user\tfilm\trating\ttime", "\t5\t881250949"),
        (",", "", ",4.5"),
    ],
)
def test_kinds_of_tables(opened, few, separator, header, more):
    page = opened()
    give(page, table_of(few, separator, header, more))
    said = take(page)
    large = (np.diff(few.indptr) >= 5).sum()
    n = re.match(r"mine.csv: ([\d,]+) users learn, ([\d,]+) are held out; ([\d,]+) items", said)
    assert sum(int(count) for count in n.groups()[:2]) == large and int(n[3]) <= few.shape[1]
    assert not own_trouble(page)


def test_a_file_is_trained_on_and_stays_here(opened, few):
    page = opened()
    asked = []
    page.context.on("request", lambda request: asked.append(request.url))
    hostile = (
        table_of(few, ",").replace("i3\n", f'"{TITLES[0]}"\n').replace("i4\n", f'"{TITLES[1]}"\n')
    )
    give(page, hostile)
    take(page)
    ours = train(page)[-1]
    assert float(ours[6]) > 0.1
    shown = page.locator("#celsa-train-item").inner_text()
    assert all(title in shown for title in TITLES)
    for title in TITLES:
        page.locator("#celsa-train-item").select_option(label=title)
    assert page.evaluate("window.broken") is None and page.locator("#celsa-train img").count() == 0
    assert not own_trouble(page) and not [url for url in asked if not url.startswith("blob:")]
    page.get_by_label("Synthetic").check()  # and back
    page.get_by_text("160 users learn").wait_for()
    page.get_by_label("A table of your own").check()
    page.locator("[data-part=status]", has_text="mine.csv").wait_for()


def test_a_file_may_be_dropped(opened, few):
    page = opened()
    page.get_by_label("A table of your own").check()
    page.evaluate("""(text) => {
        const moved = new DataTransfer();
        moved.items.add(new File([text], "dropped.csv"));
        document.querySelector("[data-part=drop]").dispatchEvent(
            new DragEvent("drop", {dataTransfer: moved, bubbles: true, cancelable: true}));
    }""", table_of(few, ","))  # fmt: skip
    page.get_by_role("button", name="Take this file").wait_for()
    assert "dropped.csv: 2 columns between commas" in status(page)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "mine.csv is empty"),
        ("one\ntwo\n", "has one column"),
        (b"a,b\n\x00\x01,c\n", "bytes that are no text"),
        ('u,i\n"a,b\n' + "c,d\n" * 9, "Line 2 opens a quotation mark that nothing closes"),
    ],
)
def test_a_file_that_is_no_table_is_named(opened, text, says):
    page = opened()
    give(page, text)
    assert says in status(page) and not own_trouble(page)
    assert page.locator("[data-part=train]").get_attribute("aria-disabled") == "true"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\nc,d\ne,f,g\n", "Line 3 has 3 fields and the first line has 2"),
        ("a,b\nc,\n", "Line 2 has no item"),
        ("user,item,rating\na,b,5\nc,d,good\n", "Line 3: “good” is no number"),
        ("a,b\nc,d\n", "Too little to learn from: 0 users with 5 items or more"),
        (
            "".join(f"{u},{(100 * u + i) % 5000}\n" for u in range(100) for i in range(100)),
            "Too much for a page: 100 users with 5 items or more, and 5,000 items",
        ),
    ],
)
def test_a_table_that_cannot_be_trained_on_is_named(opened, text, says):
    page = opened()
    give(page, text)
    assert says in take(page) and not own_trouble(page)


def test_a_large_file_is_refused_before_it_is_read(engine):
    found = engine.evaluate("""async (limits) => {
        const file = new File(["a,b"], "large.csv");
        Object.defineProperty(file, "size", {value: 61.2e6});
        return textOf(file, limits).catch((error) => error.message);
    }""", inpage.page_numbers()["limits"])  # fmt: skip
    assert "large.csv has 61.2 MB, and the page reads up to 30.0 MB" in found


def test_fields_are_cut_as_the_standard_has_them(engine):
    text = 'a;"b; ""c""";d\r\n\r\n"two\nlines";e;"12"" record"\n x ; y ;z'
    found = engine.evaluate("(text) => [...fieldsOf(text, ';')]", text)
    assert found == [
        [["a", 'b; "c"', "d"], 1],
        [["two\nlines", "e", '12" record'], 3],
        [["x", "y", "z"], 5],
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n1,9,3,1260759179\n",
         {"header": True, "user": 0, "item": 1, "rating": 2, "least": 4}),
        ("196\t242\t3\t881250949\n186\t302\t5\t891717742\n",
         {"header": False, "user": 0, "item": 1, "rating": 2, "least": 4}),
        ("book_id;user_id;rating\n1;2;9\n1;3;7,5\n",
         {"header": True, "user": 1, "item": 0, "rating": 2, "least": 7}),
        ("user1,item5\nuser1,item7\n", {"header": False, "user": 0, "item": 1, "rating": -1}),
    ],
)  # fmt: skip
def test_columns_are_found(engine, text, wanted):
    found = engine.evaluate("(text) => layoutOf(text, 'mine.csv')", text)
    assert {name: found[name] for name in wanted} == wanted


# Everyone can use it


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_readable_in_both_themes_and_on_a_telephone(opened, theme):
    page = opened(width=375, color_scheme=theme)
    page.add_style_tag(content=":root { color-scheme: light dark }")
    page.get_by_label("A table of your own").check()
    give(page, "user,item\n" + "".join(f"{u},{i}\n" for u in range(9) for i in range(9)))
    page.get_by_label("Synthetic").check()
    page.get_by_text("160 users learn").wait_for()
    train(page)
    page.evaluate(AXE)
    assert list(violations(page.evaluate(RUN % ""))) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
