"""Troubles around the model: notebooks, language models, terminals, spreadsheets, processes."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import nbformat
import numpy as np
import pandas as pd
from fault_commands import prepare
from fault_list import forked
from trouble_kind import Trouble, equal

import celsa_lib as cl
from celsa_lib.book import check_parameters
from celsa_lib.segments import AnswerCache, ChatDescriber, Label, segment_items

Case = partial(Trouble, "around the model")
LIMIT = 200  # seconds of a command; longer is a hang
FALLBACK = "Horror"  # the name of a group whose answer is refused
FILMS = pd.DataFrame({"title": ["Alien", "Aliens"], "genres": ["Horror", "Horror"]})


class _Model(http.server.BaseHTTPRequestHandler):
    """Gives its server's `replies` in turn, pairs of a status and a body; keeps what was asked."""

    def do_POST(self):
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        status, body = self.server.replies[len(self.server.asked) - 1]
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        """Keep the output quiet."""


@contextmanager
def language_model(*replies: tuple[int, dict]):
    """A server with a language model, at the address that celsa asks."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Model) as server:
        server.replies, server.asked = replies, []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        settings = {"OPENAI_BASE_URL": url, "CELSA_OFFLINE": "", "NO_PROXY": "*"}
        try:
            with patch.dict(os.environ, settings):
                yield server
        finally:
            server.shutdown()


def said(text: str | None, reason: str | None = "stop") -> tuple[int, dict]:
    """A reply with one choice."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    whole = {"id": "a", "object": "chat.completion", "created": 1, "model": "m"}
    return 200, whole | {"choices": [choice], "usage": None}


class _Fallback:
    """Names every group alike."""

    def describe(self, groups, items) -> list[Label]:
        return [Label(FALLBACK, "tf-idf") for _ in groups]


def name_by(folder: Path, *replies: tuple[int, dict]) -> tuple[str, list[dict]]:
    """The name of a group of two films that these replies give, and what was asked."""
    cache = AnswerCache(folder / f"{len(list(folder.iterdir()))}.jsonl")
    describer = ChatDescriber(_Fallback(), cache, "m", timeout=20.0, progress=False)
    with language_model(*replies) as server:
        (label,) = describer.describe([np.array([0, 1])], FILMS)
    return label.text, server.asked


def words_for_an_end(folder: Path) -> str:
    for reason in ("stop", "eos_token", "end_turn", "", None):
        equal(name_by(folder, said("Space Horror", reason))[0], "Space Horror")
    for reason in ("length", "content_filter"):
        equal(name_by(folder, said("Space Ho", reason))[0], FALLBACK)
    return "length and content_filter are refused, other words are an end"


def thoughts(folder: Path) -> str:
    found = name_by(folder, said("<think>Two films of one series…</think>\n**Space Horror**"))[0]
    return equal(found, "Space Horror")


def error_inside(folder: Path) -> str:
    busy = {"choices": None, "error": {"message": "Rate limit exceeded", "code": 429}}
    found, asked = name_by(folder, (200, busy), said("Space Horror"))
    return f"{equal(found, 'Space Horror')}, asked {equal(len(asked), 2)} times"


def no_temperature(folder: Path) -> str:
    refused = {"error": {"message": "temperature is not supported with this model"}}
    found, asked = name_by(folder, (400, refused), said("Space Horror"))
    equal(["temperature" in one for one in asked], [True, False])
    return equal(found, "Space Horror")


def default_with_equals(folder: Path) -> str:
    cell = nbformat.v4.new_code_cell('path = "all/date=2024/run=7"  # a = b\nseed = 0\n')
    cell.metadata["tags"] = ["parameters"]
    path = folder / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return equal(check_parameters(path, {"path": "x=y", "seed": "3"}), {"path": "x=y", "seed": 3})


def formulas(folder: Path) -> str:
    values = np.eye(4, dtype=np.float32)
    ids = np.array(["=1+1", "@x", "-2", "a"])
    items = pd.DataFrame({"title": ["=cmd|' /C calc'!A0", "+1", "Alien", "Heat"]}, index=ids)
    path = segment_items(cl.ItemEmbeddings(values, ids), items).to_csv(folder / "a.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    bare = [cell for cell in table.to_numpy().ravel() if cell.startswith(("=", "+", "-", "@"))]
    return f"{equal(len(bare), 0)} cells begin as a formula does"


def celsa(folder: Path, *words: str, **settings: str) -> str:
    """What the command prints; it succeeds."""
    done = subprocess.run(
        [sys.executable, "-m", "celsa_lib", *words], cwd=folder, env=os.environ | settings,
        capture_output=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    error = done.stderr.decode(errors="replace")[-400:]
    assert done.returncode == 0 and "Traceback" not in error, error
    return done.stdout.decode(settings.get("PYTHONIOENCODING", "utf-8"))


def letters_of_a_terminal(folder: Path) -> str:
    prepare(folder)
    titles = "item_id,title\n" + "".join(f"{i},█ 字 {i}\n" for i in range(40))
    (folder / "items.csv").write_text(titles)
    words = ["recommend", "rows.npz", "data.csv", "3", "--items", "items.csv", "-n", "1"]
    return celsa(folder, *words, PYTHONIOENCODING="cp1252").strip()


def nowhere_to_compile(folder: Path) -> str:
    prepare(folder)
    nowhere = str(folder / "data.csv" / "nowhere")
    settings = {"NUMBA_CACHE_DIR": nowhere, "HOME": nowhere}
    found = celsa(folder, "recommend", "rows.npz", "data.csv", "3", "-n", "1", **settings)
    return found.strip()


def after_a_fork(folder: Path) -> str:
    forked(folder)
    return "the child says to use spawn"


def as_it_is(meet: Callable[[Path], str]) -> Callable[[Path], str]:
    """`meet` in its folder, whatever the settings of whoever runs it."""

    def alone(folder: Path) -> str:
        with patch.dict(os.environ):
            os.environ.pop("OPENAI_API_KEY", None)
            return meet(folder)

    return alone


OTHERS = [
    Case(
        "MaartenGr/BERTopic#1979", "answers that were cut, and other words for an end",
        "cut ones alone are refused", as_it_is(words_for_an_end),
    ),
    Case(
        "MaartenGr/BERTopic#2481", "a model that thinks aloud", "its answer is the name",
        as_it_is(thoughts),
    ),
    Case(
        "Aider-AI/aider#3550", "no choices, and an error inside the answer", "asked again",
        as_it_is(error_inside),
    ),
    Case(
        "amaiya/onprem#255", "a model that takes no temperature", "asked without",
        as_it_is(no_temperature),
    ),
    Case("nteract/papermill#864", "a parameter with = in it", "it is set", default_with_equals),
    Case(
        "netresearch/timetracker#318", "titles that a spreadsheet would run", "they are text",
        formulas,
    ),
    Case(
        "Aider-AI/aider#1408", "letters that a terminal does not have", "they are replaced",
        letters_of_a_terminal, slow=True,
    ),
    Case(
        "numba/numba#5566", "nowhere to keep compiled code", "compiled for this once",
        nowhere_to_compile, slow=True,
    ),
    Case(
        "lmcinnes/umap#707", "a process forked after parallel work", "an error, no hang",
        after_a_fork, slow=True,
    ),
]  # fmt: skip
