"""Servers that answer badly: slowly, without end, packed, busy; and what celsa makes of them."""

import hashlib
import http.server
import io
import os
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

LIMIT = 300  # seconds of a command; longer is a hang
WAITS = 50  # seconds that a busy server names
MUCH = 256  # MiB that a packed answer would become
FILES = ("ml-1m/ratings.dat", "ml-1m/movies.dat")


class _Bad(http.server.BaseHTTPRequestHandler):
    """Answers as its server's `fault` says; `asked` and `sent` count requests and bytes."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        if self.server.fault == "later":
            self.begin(429, **{"Retry-After": WAITS, "Content-Length": 0})
        elif self.server.fault == "packed":
            self.begin(200, **{"Content-Encoding": "gzip"})
            self.send([_packed()])
        elif self.server.fault == "slow head":
            self.send([b"HTTP/1.0 200 OK\r\nX: ", *[b"x"] * 1000], pause=0.2)
        elif self.server.fault == "slow":
            self.begin(200)
            self.send([b" "] * 1000, pause=0.2)
        else:
            self.begin(200)
            self.send([b" " * 2**16] * 10_000)

    def do_GET(self):
        self.server.asked += 1
        archive, asked = _archive(), self.server.asked
        if self.server.fault == "busy" and asked < 3:
            self.begin(503, **{"Content-Length": 0})
            return
        self.begin(200, **{"Content-Length": len(archive)})
        if self.server.fault == "stuck" and asked == 1:
            self.send([archive[:9], archive[9:]], pause=LIMIT)
        self.send([archive])

    def begin(self, status: int, **headers) -> None:
        """The head of an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def send(self, pieces: list[bytes], pause: float = 0) -> None:
        """The body, until nobody listens any more."""
        for piece in pieces:
            try:
                self.wfile.write(piece)
            except OSError:
                return
            self.server.sent += len(piece)
            time.sleep(pause)

    def log_message(self, *args):
        """Keep the output quiet."""


def _packed() -> bytes:
    """A quarter of a megabyte that becomes MUCH."""
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(b" " * 2**20) for _ in range(MUCH)) + packer.flush()


def _archive() -> bytes:
    """Two users' ratings of MovieLens-1M, zipped; the same bytes each time."""
    ratings = "".join(f"{u}::{i}::5::978300760\n" for u in (1, 2) for i in range(1, 7))
    movies = "".join(f"{i}::Movie {i} (2000)::Drama\n" for i in range(1, 7))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in zip(FILES, (ratings, movies), strict=True):
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


@contextmanager
def bad_server(fault: str):
    """A server with this fault, at `server.url`."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Bad) as server:
        server.daemon_threads, server.fault, server.sent, server.asked = True, fault, 0, 0
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
            server.block_on_close = False  # a handler may still be at work


def program(code: str, *words: str, **environment: str) -> subprocess.Popen:
    """A Python program that may ask local servers."""
    settings = {"CELSA_OFFLINE": "", "CELSA_DATA": "", "NO_PROXY": "*"} | environment
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], env=os.environ | settings, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def succeeded(process: subprocess.Popen) -> None:
    """Wait for a program, which ends well and in time."""
    try:
        out, said = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError("it hangs") from None
    assert process.returncode == 0, (process.returncode, out, said[-400:])


ASKING = """
import resource, sys, time
from celsa_lib.errors import CelsaError
from celsa_lib.segments.naming.client import Chat, connect
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
chat = Chat(connect(2.0, int(sys.argv[1])), "m")
import openai.resources.chat
began, before = time.monotonic(), peak()
try:
    chat.ask("a")
except CelsaError as error:
    took, more = time.monotonic() - began, peak() - before
    print(error, took, more)
    sys.exit(0 if took < 20 and more < 100 else 2)
sys.exit(3)
"""


def asked_badly(fault: str, retries: int):
    """A language model's server is given up after the timeout, here 2 s, and read in part only."""

    def inject(folder: Path) -> None:
        with bad_server(fault) as server:
            succeeded(program(ASKING, str(retries), OPENAI_BASE_URL=f"{server.url}/v1"))
            assert server.sent < 2**25 and server.asked == 1 + retries, (server.sent, server.asked)

    return inject


PROXY = """
from celsa_lib.errors import DescriberError
from celsa_lib.segments.naming.client import connect
try: connect(2.0, 0)
except DescriberError as error: assert "HTTP_PROXY" in str(error)
else: raise SystemExit(3)
"""


def bad_proxy(folder: Path) -> None:
    """An address of a proxy that is none is named."""
    proxy = {"HTTP_PROXY": "nonsense://x", "NO_PROXY": "", "no_proxy": ""}
    succeeded(program(PROXY, OPENAI_BASE_URL="http://a.example/v1", **proxy))


FETCHING = """
import sys
from celsa_lib.data import fetch_dataset
from celsa_lib.data.registry import Source
url, checksum, *members = sys.argv[1:]
fetch_dataset("ml-1m", sources=(Source(url, checksum, tuple(members)),), progress=False)
"""


def fetching(folder: Path, url: str) -> subprocess.Popen:
    """A download of the archive into folder/cache."""
    checksum = "sha256:" + hashlib.sha256(_archive()).hexdigest()
    words = (f"{url}/ml-1m.zip", checksum, *FILES)
    return program(FETCHING, *words, CELSA_CACHE=str(folder / "cache"))


def fetched_whole(folder: Path) -> None:
    """The cache holds the data and nothing else but its lock."""
    found = {path.name for path in (folder / "cache").iterdir() if path.suffix != ".lock"}
    assert found == {"ml-1m"}, found


def busy_download(folder: Path) -> None:
    """A server that is busy twice, with status 503, is asked a third time."""
    with bad_server("busy") as server:
        succeeded(fetching(folder, server.url))
        assert server.asked == 3, server.asked
    fetched_whole(folder)


def killed_download(folder: Path) -> None:
    """What a killed download leaves goes with the next one."""
    with bad_server("stuck") as server:
        first, until = fetching(folder, server.url), time.monotonic() + LIMIT
        while server.sent == 0:
            assert time.monotonic() < until and first.poll() is None, "it never began"
            time.sleep(0.05)
        first.kill()
        first.communicate()
        assert list((folder / "cache").glob(".ml-1m-*")), "it left nothing, so nothing is tested"
        succeeded(fetching(folder, server.url))
    fetched_whole(folder)
