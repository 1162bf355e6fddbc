"""Which answers become names, and answers on disk: torn, foreign, hand-written, shared."""

import json
import threading
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celsa_lib.errors import ConfigError, StorageError
from celsa_lib.segments import AnswerCache
from celsa_lib.segments.naming.answers import HEADER, clean_name, leaks

KEY = "sk-test-Zq7fantasyK2m9Xw4"


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("Epic Fantasy", "Epic Fantasy"),
        ("  Epic Fantasy.\n", "Epic Fantasy"),
        ('"Epic Fantasy."', "Epic Fantasy"),
        ("“Epic Fantasy”", "Epic Fantasy"),
        ("Segment: Epic Fantasy", "Epic Fantasy"),
        ('segment name: "Epic  Fantasy"', "Epic Fantasy"),
        ("Crime, Noir & Heists", "Crime, Noir & Heists"),
        ("Children’s Sci-Fi of 1990", "Children’s Sci-Fi of 1990"),
        ("Café Romance", "Café Romance"),
        ("U.S. History", "U.S. History"),
        ("World War I Memoirs", "World War I Memoirs"),
        ("I, Robot and Others", "I, Robot and Others"),
        ("Here Be Dragons", "Here Be Dragons"),
        ("AI and Robots", "AI and Robots"),
        ("**Epic Fantasy**", "Epic Fantasy"),
        ("# `Epic Fantasy`", "Epic Fantasy"),
        ("<think>Dragons?\nFantasy.</think>\n\nEpic Fantasy", "Epic Fantasy"),
    ],
)
def test_names_are_accepted(answer, name):
    assert clean_name(answer) == name


@pytest.mark.parametrize(
    "answer",
    [
        None,
        7,
        "",
        " . ",
        "1984",
        "奇幻小说",
        "Эпическое фэнтези",
        "Epic Fantаsy",  # the last а but one is Cyrillic
        "A" * 49,
        "Epic " * 2000,
        "one two three four five six",
        "Epic\nFantasy",
        "Epic\u2028Fantasy",
        "<b>Epic</b>",
        "<script>alert(1)</script>",
        "&lt;b&gt; Epic",
        "[Epic](x)",
        '{"name": "Epic Fantasy"}',
        "https://example.org",
        "www.example.org",
        "Visit example.org",
        "Epic\x1b[31m Fantasy",
        "Epic\u202eFantasy",
        "Epic\u200bFantasy",
        "Epic 😀",
        "Epic = Fantasy",
        "Sure! Here is a name: Epic Fantasy",
        "Sure, here is Epic Fantasy",
        "Sure, Epic Fantasy",
        "Segment: Here's Epic Fantasy",
        "I think this is fantasy",
        "Epic Fantasy, I think",
        "I’d say Epic Fantasy",
        "I'm sorry",
        "I cannot name this",
        "<think>Dragons? Fantasy",
        "segment" + " " * 60_000 + "name",
        "I, an assistant, cannot",
        "As an AI language model",
        "Sorry, no name",
        "Of course, Epic Fantasy",
        "This is Epic Fantasy",
        "The name is Epic Fantasy",
        "These items share magic",
    ],
)
def test_other_answers_are_refused(answer):
    assert clean_name(answer) is None


def is_allowed(character):
    latin = unicodedata.name(character, "").startswith("LATIN ")
    return latin or character in "0123456789 &'’-,."


TRICKY = st.text("Aé7 .,-&'’\"<>:/\n\t\u202e漢я{}*\\|ǃ×÷", max_size=60)


@given(st.one_of(st.text(max_size=80), TRICKY))
def test_a_name_is_short_latin_and_stays_itself(answer):
    name = clean_name(answer)
    if name is not None:
        assert all(map(is_allowed, name))
        assert 1 <= len(name.split(" ")) <= 5 and len(name) <= 48
        assert clean_name(name) == name


@given(st.text("Aa -", max_size=5), st.integers(0, len(KEY) - 8), st.booleans())
def test_no_piece_of_the_key_is_a_name(before, start, upper):
    piece = KEY[start : start + 8].upper() if upper else KEY[start : start + 8]
    assert leaks(before + piece, KEY)
    assert clean_name(before + piece, KEY) is None


def test_a_placeholder_is_no_secret():
    assert clean_name("The None Such", "none") == "The None Such"


def filled(path, n=3):
    cache = AnswerCache(path)
    for number in range(n):
        cache.add(f"key{number}", "model-a", f"Name {number}" if number else None)
    return cache


def test_answers_come_back(tmp_path):
    filled(tmp_path / "new folder" / "answers.jsonl")
    again = AnswerCache(tmp_path / "new folder" / "answers.jsonl")
    assert len(again) == 3 and again.models == ["model-a"]
    assert again.get("key0").label is None
    assert again.get("key2").label == "Name 2"
    assert again.get("key3") is None


def test_the_last_line_of_a_key_counts(tmp_path):
    filled(tmp_path / "a").add("key1", "model-b", "Later")
    assert AnswerCache(tmp_path / "a").get("key1").label == "Later"


def test_a_file_cut_anywhere_goes_on(tmp_path):
    filled(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    path = tmp_path / "cut"
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        cache = AnswerCache(path)
        complete = len([line for line in whole[:end].split(b"\n")[1:] if line.endswith(b"}")])
        assert len(cache) == complete
        assert path.read_bytes() == whole[:end]  # reading repairs nothing
        cache.add("more", "model-b", "More")
        assert len(AnswerCache(path)) == complete + 1
        assert all(map(json.loads, path.read_text().splitlines()))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n", "does not begin with"),
        (b"title,year\nA,1\n", "does not begin with"),
        (b'{"format": "celsa-result", "version": 1}\n', "does not begin with"),
        (b"\x93NUMPY\x01\x00\xff\xfe\n", "does not begin with"),
        (json.dumps(HEADER).encode() + b"\n{torn\n{}\n", "line 2"),
        (json.dumps(HEADER).encode() + b"\n[]\n", "line 2"),
    ],
)
def test_other_files_are_refused_and_left_alone(tmp_path, content, said):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(StorageError, match=said):
        AnswerCache(tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == content


@pytest.mark.parametrize(
    "changed", [{"label": "<b>Bold</b>"}, {"label": 5}, {"model": 5}, {"date": None}, {"more": 1}]
)
def test_a_changed_line_is_refused(tmp_path, changed):
    line = {"key": "k", "model": "m", "label": "Name", "date": "2026-11-24"} | changed
    (tmp_path / "a").write_text(f"{json.dumps(HEADER)}\n{json.dumps(line)}")
    with pytest.raises(StorageError, match="line 2"):
        AnswerCache(tmp_path / "a")


def test_nothing_but_a_name_is_kept(tmp_path):
    with pytest.raises(ConfigError, match="is no name"):
        AnswerCache(tmp_path / "a").add("k", "m", "<b>Bold</b>")
    assert not (tmp_path / "a").exists()


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        AnswerCache(tmp_path / "file" / "answers").add("k", "m", "Name")
    with pytest.raises(StorageError, match="cannot be read"):
        AnswerCache(tmp_path)


def test_threads_share_a_cache(tmp_path):
    cache = AnswerCache(tmp_path / "a")
    threads = [
        threading.Thread(target=lambda t=t: [cache.add(f"{t}-{i}", "m", "Name") for i in range(20)])
        for t in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache) == len(AnswerCache(tmp_path / "a")) == 160
