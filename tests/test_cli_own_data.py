"""A file of one's own in every command: read alike, searched by title and id, never confused."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from commands import call_in

import celsa_lib as cl
from celsa_lib.data import make_synthetic

COLUMNS = ["--user", "customer", "--item", "product"]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with interactions, titles of the items and rows trained on them."""
    folder = tmp_path_factory.mktemp("own")
    X = make_synthetic(n_users=300, n_items=90, n_segments=6, seed=1).X.tocoo()
    ids = np.array([f"{i:05d}" for i in range(90)])
    frame = pd.DataFrame({"customer": [f"c{u}" for u in X.row], "product": ids[X.col]})
    frame.to_csv(folder / "mine.csv", index=False)
    (folder / "twice.csv").write_text("product,title\n00003,A\n00003,B\n")
    (folder / "strange.csv").write_text("product,title\nx,A\n")
    titles = ["The Amélie", *(f"Title {i}\x1b[31m" for i in range(1, 90))]
    pd.DataFrame({"product": ids, "title": titles}).to_csv(folder / "items.csv", index=False)
    done = call_in(folder, "train", "mine.csv", *COLUMNS, "--items", "items.csv", "--nnz", 4,
                 "--out", "emb.npz")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    return folder


def test_rows_know_how_their_file_was_read(own):
    """So the options need not be repeated; ids keep their zeros."""
    assert cl.ItemEmbeddings.load(own / "emb.npz").item_ids[3] == "00003"
    done = call_in(own, "evaluate", "emb.npz", "mine.csv")
    assert done.exit_code == 0, done.stderr
    assert "50 users, 5 disjoint folds, 32 B per item" in done.stdout
    for command in ("recommend", "similar", "segments", "export"):
        more = {
            "recommend": ["amelie", "00007"],
            "similar": ["00002"],
            "segments": [],
            "export": ["--format", "csr", "--out", "rows.npz"],
        }[command]
        done = call_in(own, command, "emb.npz", "mine.csv", *more)
        assert done.exit_code == 0 and done.stdout, done.stderr
        assert "\x1b" not in done.stdout


def test_a_user_is_recommended_what_the_user_has_not(own):
    data = cl.load_interactions(own / "mine.csv", user="customer", item="product")
    seen = set(data.item_ids[data.X[data.user_ids.tolist().index("c7")].indices])
    done = call_in(own, "recommend", "emb.npz", "mine.csv", "--for", "c7", "-n", 90)
    titles = [line.split("  ", 1)[1] for line in done.stdout.splitlines()]
    shown = {f"{int(t.split()[1]):05d}" if t.startswith("Title") else "00000" for t in titles}
    assert shown and not shown & seen
    done = call_in(own, "recommend", "emb.npz", "mine.csv", "--for", "nobody")
    assert done.exit_code == 1 and "has no user nobody; its users begin c0" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["recommend", "emb.npz", "mine.csv"], "name a user by --for"),
        (["recommend", "emb.npz", "absent.csv", "x"], '"absent.csv" is no data set'),
        (["train", "synthetic", "--user", "u", "--out", "a.npz"], "columns are named for a file"),
        (["train", "mine.csv", "--nnz", 4, "--out", "items.csv/a"], "cannot write items.csv/a"),
        (["train", "mine.csv", "--nnz", 4, "--out", "a.npz"], "no column 'user_id'"),
        (["recommend", "emb.npz", "ml-nothing", "x"], "no such file"),
        (["recommend", "emb.npz", "mine.csv", "--items", "twice.csv", "7"],
         "twice.csv has the id '00003' more than once; keep one row per item\n"),
        (["recommend", "emb.npz", "mine.csv", "--items", "strange.csv", "7"], "write them alike\n"),
        (["similar", "emb.npz", "mine.csv", "Title \x1b[31m?"], "\"Title  [31m?\" in its title"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_a_line(own, words, said):
    done = call_in(own, *words)
    assert done.exit_code == 1 and said in done.stderr and "\x1b[31m?" not in done.stderr


def test_a_terminal_of_another_alphabet_is_no_error(own):
    """cp437 has no ellipsis; and NO_COLOR is heeded."""
    environment = os.environ | {"PYTHONIOENCODING": "cp437", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "celsa_lib.cli", "segments", "emb.npz", "mine.csv", "-n", "3"]
    done = subprocess.run(command, cwd=own, env=environment, capture_output=True, check=True)
    assert done.stdout.decode("cp437").count("\n") >= 4
    failed = subprocess.run([*command, "--tau", "5"], cwd=own, env=environment, capture_output=True)
    assert failed.returncode == 1 and b"\x1b" not in failed.stderr


def test_what_is_read_is_not_written_over(own):
    """Found out before the work; the file is as it was."""
    for words in (
        ["train", "mine.csv", *COLUMNS, "--nnz", 4, "--out", "mine.csv"],
        ["train", "mine.csv", *COLUMNS, "--items", "items.csv", "--nnz", 4, "--out", "items.csv"],
        ["export", "emb.npz", "mine.csv", "--format", "jsonl", "--out", "./emb.npz"],
        ["pack", "emb.npz", "--out", "emb.npz"],
    ):
        before = (own / words[-1]).read_bytes()
        done = call_in(own, *words)
        assert done.exit_code == 1 and "would be lost; name another" in done.stderr
        assert (own / words[-1]).read_bytes() == before


def test_an_option_changes_that_one_alone(own):
    """The others stay as they were for training; items are also looked for beside the data."""
    (own / "others.csv").write_text((own / "items.csv").read_text().replace("Title", "Name"))
    done = call_in(own, "similar", "emb.npz", "mine.csv", "--items", "others.csv", "00002")
    assert "Name" in done.stdout, done.stderr
    (own / "below").mkdir(exist_ok=True)
    done = call_in(own / "below", "similar", "../emb.npz", "../mine.csv", "00002")
    assert "Title" in done.stdout, done.stderr


def test_rows_of_a_file_are_not_asked_about_a_data_set(own):
    done = call_in(own, "recommend", "emb.npz", "ml-100k", "Alien")
    assert done.exit_code == 1 and "was trained on mine.csv, not on ml-100k" in done.stderr


def test_options_of_a_later_version_are_refused(own):
    found = cl.ItemEmbeddings.load(own / "emb.npz")
    for loading in ("text", None, {"user": "customer", "unheard_of": 1}):
        about = found.about | {"loading": loading}
        cl.ItemEmbeddings(found.matrix, found.item_ids, about).save(own / "later.npz")
        done = call_in(own, "evaluate", "later.npz", "mine.csv")
        assert done.exit_code == 1 and "does not know how its data was read" in done.stderr
