"""`celsa segments`, `celsa export`, `celsa pack`: shown, written, refused."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from chat_server import completion, failure, items_of
from commands import call
from scipy.sparse import csr_matrix, load_npz

import celsa_lib as cl
from celsa_lib.cli.browsing import short
from celsa_lib.data import load_goodbooks_test_users
from celsa_lib.experiments import recommend_by_title
from celsa_lib.models import PrunedEASE
from celsa_lib.segments import Label, TfidfDescriber

ROOT = Path(cl.__file__).parents[1]
NAMES = ROOT / "results/names/goodbooks-released.jsonl"
KEY = "sk-test-0123456789abcdefghijklmnop"
MODEL = "gpt-4.1-nano-2025-04-14"


def refused(*arguments) -> str:
    """The one line that the command ends with."""
    result = call(*arguments)
    assert result.exit_code == 1 and "Traceback" not in result.output
    [line] = [line for line in result.stderr.splitlines() if line.startswith("celsa: ")]
    return line


def read_csv(path) -> list[dict]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def data():
    return cl.load_dataset("synthetic")


@pytest.fixture(scope="module")
def embeddings(data, tmp_path_factory):
    """A file of rows whose dominant signed latent is the planted segment; 2 smaller ones each."""
    segment = data.truth.item_segment
    rows = np.random.default_rng(0).uniform(-0.3, 0.3, (len(segment), 80))
    rows[np.abs(rows) < 0.29] = 0
    rows[np.arange(len(segment)), segment // 2] = np.where(segment % 2, -1, 1)
    path = tmp_path_factory.mktemp("segments") / "planted.npz"
    return cl.ItemEmbeddings(csr_matrix(rows), data.item_ids).save(path)


def test_the_segments_chosen_most_are_shown(embeddings, data):
    result = call("segments", embeddings, "synthetic", "--tau", 1, "-n", 4)
    assert result.exit_code == 0, result.output
    counted, heading, *rows = result.stdout.splitlines()
    assert counted == "3,000 items in 150 segments"
    assert heading.split() == ["segment", "items", "chosen", "label", "typical", "titles"]
    planted = np.bincount(data.truth.item_segment, np.diff(data.X.tocsc().indptr))
    most = [f"{count:,.0f}" for count in sorted(planted)[::-1][:4]]
    assert [row.split()[1:3] for row in rows] == [["20", count] for count in most]
    assert all("Item" in row for row in rows)


def test_a_csv_has_every_item_once(embeddings, data, tmp_path):
    out = tmp_path / "new" / "segments.csv"
    result = call("segments", embeddings, "synthetic", "--tau", 1, "--out", out)
    assert result.stdout.splitlines()[-1] == str(out)
    rows = read_csv(out)
    assert list(rows[0]) == ["segment", "label", "source", "item_id", "title"]
    assert [int(row["segment"]) for row in rows] == sorted(list(range(150)) * 20)
    assert sorted(int(row["item_id"]) for row in rows) == data.item_ids.tolist()
    for row in rows:  # in one segment are the items of one planted segment, named by its genre
        item = int(row["item_id"])
        assert row["title"] == data.items["title"][item]
        assert row["label"] == data.items["genres"][item]
        assert row["source"] == "class-based TF-IDF"


def test_an_npz_is_read_by_the_library(embeddings, tmp_path):
    out = tmp_path / "segments.npz"
    assert call("segments", embeddings, "synthetic", "--tau", 1, "--out", out).exit_code == 0
    loaded = cl.Segmentation.load(out, cl.ItemEmbeddings.load(embeddings))
    assert (len(loaded), len(loaded.titles)) == (150, 3000)


def test_segments_for_a_taste(embeddings, data):
    """First the segment of both liked items, without them; the same as in Python."""
    liked = np.flatnonzero(data.truth.item_segment == 7)[:2]
    titles = data.items["title"].to_numpy()
    options = ["--tau", 1, "-n", 2, *(word for item in liked for word in ("--like", titles[item]))]
    result = call("segments", embeddings, "synthetic", *options)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()[1:]
    x = csr_matrix((np.ones(2, np.float32), liked, [0, 2]), shape=(1, 3000))
    segmentation = cl.segment_items(cl.ItemEmbeddings.load(embeddings), data.items, tau=1)
    expected = segmentation.rows(x, 2, 5)
    assert len(lines) == 2 + 10
    assert lines[0].split(maxsplit=1)[1] == data.items["genres"].iloc[liked[0]]
    shown = [line.split(maxsplit=1)[1] for line in lines if line.startswith("     ")]
    assert shown == expected["title"].tolist()
    assert not set(shown) & set(titles[liked])


def test_nobodys_title_is_found_before_anything_is_named(embeddings):
    line = refused("segments", embeddings, "synthetic", "--like", "no such title")
    assert "no such title" in line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--out", "segments.xlsx"], "a name in .csv or .npz"),
        (["--names", "tfidf"], 'tf-idf, chat or a file, and there is no file "tfidf"'),
        (["--names", "{embeddings}"], "name another file"),
        (["--model", "gpt-6-luna"], "go with --names chat"),
        (["--names", "tf-idf", "--cache", "a.jsonl"], "go with --names chat"),
        (["--tau", "2"], "tau is a cosine"),
        (["--out", "{embeddings}/segments.csv", "--tau", "1"], "choose a folder you can write to"),
    ],
)
def test_what_cannot_be_done_is_refused(embeddings, options, said):
    options = [option.format(embeddings=embeddings) for option in options]
    assert said in refused("segments", embeddings, "synthetic", *options)


def test_a_csv_runs_nothing_in_a_spreadsheet(tmp_path):
    """Titles, ids and labels that would be formulas keep their text behind a '."""
    titles = ['=HYPERLINK("http://x")', "+1", "-2", "@SUM(A1)", "\t=1", 'a, "b";=1\nc', "Ö 文"]
    ids = [f"{sign}{place}" for place, sign in enumerate("=+-@xyz")]
    rows = cl.ItemEmbeddings(csr_matrix(np.eye(7)), np.array(ids))
    labels = [Label(f"-{name}", "=source") for name in "abcdefg"]
    cl.Segmentation(rows, np.arange(7), labels, titles).to_csv(tmp_path / "a.csv")
    found = read_csv(tmp_path / "a.csv")
    cells = [cell for row in found for cell in row.values()]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r\n"]
    assert [row["title"].removeprefix("'") for row in found] == titles
    assert [row["item_id"].removeprefix("'") for row in found] == ids
    assert found[5]["title"] == titles[5] and found[0]["title"] == f"'{titles[0]}"
    assert [row["label"] for row in found] == [f"'-{name}" for name in "abcdefg"]
    quoted = (tmp_path / "a.csv").read_text().splitlines()[-1]
    assert quoted == '6,"\'-g","\'=source","z6","Ö 文"'  # a comma or ; in text splits no cell


def test_titles_cannot_steer_the_terminal():
    assert short("A\x1b[2JB\u202e C", 9) == "A [2JB C"
    assert short("abcdef", 6) == "abcdef" and short("abcdefg", 6) == "abcde…"


def run(folder, *arguments, **environment):
    """The command in a process of its own, as a user starts it."""
    usual = {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "CELSA_OFFLINE"))}
    command = [sys.executable, "-m", "celsa_lib.cli", *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=kept | usual | environment, capture_output=True, text=True
    )


def test_names_from_a_chat_api(embeddings, server, tmp_path):
    """Cost before and after, answers kept, no key anywhere; then again without a network."""
    pytest.importorskip("openai")
    server.answer = lambda number, body: completion(f"The {items_of(body)[0]['genres']}")
    ask = ["segments", embeddings, "synthetic", "--tau", 1, "--names", "chat"]
    api = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
    first = run(tmp_path, *ask, "--cache", "kept.jsonl", "--out", "a.csv", **api)
    assert first.returncode == 0, first.stderr
    assert f"about to ask {MODEL}: requests 150, tokens" in first.stderr
    assert f"asked {MODEL}: requests 150, tokens 15,000 in and 750 out\n" in first.stdout
    assert len(server.bodies) == 150
    assert {row["source"] for row in read_csv(tmp_path / "a.csv")} == {MODEL}
    assert all(row["label"].startswith("The ") for row in read_csv(tmp_path / "a.csv"))
    again = run(tmp_path, *ask, "--cache", "kept.jsonl", "--out", "b.csv", CELSA_OFFLINE="1")
    assert again.returncode == 0 and "requests 0" in again.stdout
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    files = [path.read_text() for path in tmp_path.iterdir()]
    for said in (first.stdout, first.stderr, again.stdout, again.stderr, *files):
        assert KEY[:12] not in said


def test_a_chat_api_that_refuses(embeddings, server, tmp_path, monkeypatch):
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    server.answer = lambda number, body: failure(401, f"bad key {KEY}")
    options = ["--names", "chat", "--model", "mine", "--out", "a.csv"]
    line = refused("segments", embeddings, "synthetic", *options)
    assert "check OPENAI_API_KEY" in line and "mine" in line and KEY[:12] not in line
    assert not (tmp_path / "a.csv").exists()


def test_the_cost_of_a_merge_is_counted_too(server, tmp_path, monkeypatch):
    pytest.importorskip("openai")
    from celsa_lib.segments import AnswerCache, ChatDescriber

    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.answer = lambda number, body: completion("Same Name")
    chat = ChatDescriber(TfidfDescriber(), AnswerCache(tmp_path / "a"), progress=False)
    items = pd.DataFrame({"title": list("abc")}, index=range(3))
    rows = cl.ItemEmbeddings(csr_matrix(np.eye(3)))
    merged = cl.segment_items(
        rows, items, 0.9, describer=chat, embed=lambda names: np.ones((len(names), 1))
    )
    assert len(merged) == 1 and len(server.bodies) == 4
    assert (chat.spent.requests, chat.total.requests) == (1, 4)
    assert (chat.total.tokens_in, chat.total.tokens_out) == (400, 20)


@pytest.mark.slow
def test_stored_names_of_the_released_embeddings(real_data, tmp_path):
    """The committed answers, for groups that no merge has changed."""
    users = load_goodbooks_test_users(real_data)
    path = cl.ItemEmbeddings(users.released, users.item_ids).save(tmp_path / "released.npz")
    options = ["--names", NAMES, "--out", tmp_path / "segments.csv"]
    result = call("segments", path, "goodbooks-10k-partial", *options)
    assert result.exit_code == 0, result.output
    rows = read_csv(tmp_path / "segments.csv")
    assert len(rows) == 10_000
    by_title = {row["title"]: row for row in rows}
    redwall = by_title["Redwall (Redwall, #1)"]
    assert redwall["label"] == "Redwall Animal Fantasy"
    assert redwall["source"] == "the book's authors (stored)"


def test_similar_items_are_listed(embeddings, data):
    """Items of one planted segment share their largest latent, with its sign."""
    segment, titles = data.truth.item_segment, data.items["title"].tolist()
    result = call("similar", embeddings, "synthetic", titles[9], "-n", 19)
    assert result.exit_code == 0, result.output
    shown = [line.split(maxsplit=1)[1] for line in result.stdout.splitlines()]
    others = np.flatnonzero(segment == segment[9])
    assert sorted(shown) == sorted(titles[item] for item in others if item != 9)
    assert "no such title" in refused("similar", embeddings, "synthetic", "no such title")


class TestExport:
    @pytest.mark.parametrize("form", ["parquet", "jsonl", "csr"])
    def test_every_format(self, embeddings, data, tmp_path, form):
        out = tmp_path / "rows"
        result = call("export", embeddings, "synthetic", "--format", form, "--out", out)
        assert result.exit_code == 0, result.output
        matrix = cl.ItemEmbeddings.load(embeddings).matrix
        assert result.stdout == f"{out}: 3,000 items × 80, {matrix.nnz:,} nonzeros\n"
        if form == "csr":
            assert (load_npz(out) != matrix).nnz == 0
            return
        if form == "parquet":
            row = pq.read_table(out).to_pylist()[9]
        else:
            row = json.loads(out.read_text().splitlines()[9])
            row["item_id"] = row.pop("id")
        assert row == {
            "item_id": int(data.item_ids[9]),
            "title": data.items["title"].iloc[9],
            "indices": matrix[9].indices.tolist(),
            "values": matrix[9].data.tolist(),
        }

    def test_input_scales_are_written_and_the_query_said(self, embeddings, data, tmp_path):
        rows = cl.ItemEmbeddings.load(embeddings)
        scales = np.linspace(0.5, 2, len(rows.item_ids)).astype(np.float32)
        path = tmp_path / "scaled.npz"
        cl.ItemEmbeddings(rows.matrix, rows.item_ids, None, scales).save(path)
        out = tmp_path / "rows.parquet"
        result = call("export", path, "synthetic", "--format", "parquet", "--out", out)
        assert "divided by its length and multiplied by its input_scale" in result.stdout
        assert np.array_equal(pq.read_table(out)["input_scale"].to_numpy(), scales)

    def test_non_negative(self, embeddings, tmp_path):
        out = tmp_path / "rows.npz"
        options = ["--format", "csr", "--out", out, "--non-negative"]
        result = call("export", embeddings, "synthetic", *options)
        assert "3,000 items × 160" in result.stdout
        split = load_npz(out)
        signed = cl.ItemEmbeddings.load(embeddings).matrix
        assert (split.data > 0).all() and split.nnz == signed.nnz
        assert (split[:, ::2] - split[:, 1::2] != signed).nnz == 0

    def test_refusals(self, embeddings, tmp_path):
        out = tmp_path / "rows"
        line = refused("export", embeddings, "synthetic", "--format", "csv", "--out", out)
        assert "choose one of parquet, jsonl, csr" in line
        inside = embeddings / "rows"
        line = refused("export", embeddings, "synthetic", "--format", "csr", "--out", inside)
        assert "choose a folder you can write to" in line
        line = refused("export", tmp_path / "no.npz", "synthetic", "--format", "csr", "--out", out)
        assert "no.npz" in line and not out.exists()


def test_pack(embeddings, tmp_path):
    out, rows = tmp_path / "rows.packed", cl.ItemEmbeddings.load(embeddings)
    result = call("pack", embeddings, "--out", out, "--bits", 3)
    assert result.exit_code == 0, result.output
    packed = cl.PackedEmbeddings.load(out)
    assert packed.bits == 3 and np.array_equal(packed.unpack().matrix.indices, rows.matrix.indices)
    assert result.stdout.startswith(f"{out}: {packed.bytes_per_item:.1f} B per item, ")
    assert "one of 3, 4, 8, got 5" in refused("pack", embeddings, "--out", out, "--bits", 5)
    assert call("pack", embeddings, "--out", "/dev/null").exit_code == 0


class TestPackedFiles:
    @pytest.fixture
    def packed(self, embeddings, tmp_path):
        rows = cl.ItemEmbeddings.load(embeddings)
        rows.about |= {"dataset": "synthetic"}
        return rows.pack(8, tmp_path / "rows.packed").path

    def test_they_are_evaluated_as_what_they_were_packed_from(self, embeddings, packed):
        before, after = (call("evaluate", file, "synthetic", "--n-test", 40) for file in
                         (embeddings, packed))  # fmt: skip
        assert after.exit_code == 0, after.output
        values = [[float(line.split()[1]) for line in result.stdout.splitlines()[:3]]
                  for result in (before, after)]  # fmt: skip
        assert values[1] == pytest.approx(values[0], abs=0.01)
        size = cl.PackedEmbeddings.load(packed).bytes_per_item
        assert f"40 users, 5 disjoint folds, {size:.1f} B per item" in after.stdout
        assert "does not say who its test users were" in after.stderr

    def test_they_recommend(self, data, packed):
        titles = data.items.title.iloc[:2]
        result = call("recommend", packed, "synthetic", *titles, "-n", 3)
        assert result.exit_code == 0, result.output
        expected = recommend_by_title(cl.PackedEmbeddings.load(packed), data, list(titles), 3)
        shown = [line.split(maxsplit=1)[1] for line in result.stdout.splitlines()]
        assert shown == expected["title"].tolist()

    def test_who_was_left_out_is_read_from_them(self, embeddings, tmp_path):
        rows = cl.ItemEmbeddings.load(embeddings)
        rows.about |= {"dataset": "synthetic", "checksum": "0" * 64, "n_test": 40, "split_seed": 1}
        path = rows.pack(path=tmp_path / "rows.packed").path
        assert "was trained on synthetic with checksum 0000" in refused(
            "evaluate", path, "synthetic"
        )

    def test_other_commands_want_whole_rows(self, packed, tmp_path):
        out = ["--out", tmp_path / "out.npz"]
        for command in (
            ["segments", packed, "synthetic"],
            ["export", packed, "synthetic", "--format", "csr", *out],
            ["pack", packed, *out],
        ):
            assert "rows.packed is packed" in refused(*command)
            assert "name the file that it was packed from" in refused(*command)

    def test_other_files_are_refused(self, tmp_path):
        for command in (["evaluate", "synthetic"], ["recommend", "synthetic", "a title"]):
            for name, content in (("no", None), ("text", b"text"), ("cut", b"PK\3\4")):
                path = tmp_path / name
                if content:
                    path.write_bytes(content)
                line = refused(command[0], path, *command[1:])
                assert str(path) in line and ("no file" in line or "is damaged" in line)
        weights = PrunedEASE(1.0, 2).fit(np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]])
        path = weights.pack(path=tmp_path / "weights").path
        assert "holds celsa-packed-weights" in refused("evaluate", path, "synthetic")
