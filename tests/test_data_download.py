"""Where datasets are looked for, and downloads from a real local server, good and bad."""

import functools
import hashlib
import http.server
import io
import logging
import socket
import subprocess
import sys
import threading
import zipfile

import pooch
import pytest
import requests

from celsa_lib.data import dataset_info, datasets, fetch_dataset, load_dataset, locate
from celsa_lib.data import download as downloads
from celsa_lib.data.checks import require_checksum
from celsa_lib.data.registry import Source
from celsa_lib.errors import CelsaError, DataError, DatasetNotFoundError, DownloadError

RATINGS = "".join(f"{u}::{i}::5::978300760\n" for u in (1, 2) for i in range(1, 7)).encode()
MOVIES = "".join(f"{i}::Movie {i} (2000)::Drama\n" for i in range(1, 7)).encode()


def make_zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("ml-1m/ratings.dat", RATINGS)
        archive.writestr("ml-1m/movies.dat", MOVIES)
        archive.writestr("ml-1m/README", "not needed " * 30_000)
    return buffer.getvalue()


ZIP = make_zip()
GOOD = "md5:" + hashlib.md5(ZIP).hexdigest()
MEMBERS = ("ml-1m/ratings.dat", "ml-1m/movies.dat")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves ZIP; /cut/ breaks the first transfer half-way, /always-cut/ every one.

    /busy/ has status 503 twice.
    """

    def do_GET(self):
        self.server.requests.append(self.path)
        if "/none/" in self.path:
            self.send_error(404)
            return
        if "/busy/" in self.path and len(self.server.requests) < 3:
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(ZIP)))
        self.end_headers()
        first = len(self.server.requests) == 1
        cut = "/always-cut/" in self.path or ("/cut/" in self.path and first)
        self.wfile.write(ZIP[: len(ZIP) // 2] if cut else ZIP)

    def log_message(self, *args):
        """Keep the test output quiet."""


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("CELSA_DATA", raising=False)
    monkeypatch.delenv("CELSA_OFFLINE", raising=False)
    monkeypatch.setenv("CELSA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)  # before a retry
    return tmp_path / "cache"


def kept(folder):
    """What lies in a folder but for locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def source_at(server, path="", checksum=GOOD):
    url = f"http://127.0.0.1:{server.server_address[1]}/{path}ml-1m.zip"
    return (Source(url, checksum, MEMBERS),)


fetch = functools.partial(fetch_dataset, "ml-1m", progress=False)


def test_download_keeps_the_needed_files_and_is_done_once(server, cache):
    folder = fetch(sources=source_at(server))
    assert folder == cache / "ml-1m" == locate("ml-1m")
    assert kept(folder) == ["SHA256SUMS", "movies.dat", "ratings.dat"]
    assert (folder / "ratings.dat").read_bytes() == RATINGS
    fetch(sources=source_at(server))
    assert len(server.requests) == 1
    assert kept(cache) == ["ml-1m"]
    assert load_dataset("ml-1m").X.shape == (2, 6)


def test_progress_goes_to_stderr_and_can_be_off(server, capsys):
    fetch_dataset("ml-1m", sources=source_at(server), progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "100%" in captured.err
    fetch_dataset("ml-100k", sources=source_at(server), progress=False)
    assert capsys.readouterr() == ("", "")


def test_a_broken_transfer_is_tried_again(server):
    folder = fetch(sources=source_at(server, "cut/"))
    assert (folder / "movies.dat").read_bytes() == MOVIES
    assert len(server.requests) == 2


def test_a_busy_server_is_asked_again(server):
    assert (fetch(sources=source_at(server, "busy/")) / "movies.dat").read_bytes() == MOVIES
    assert len(server.requests) == 3


def test_a_wrong_file_is_not_fetched_again(server):
    with pytest.raises(DownloadError, match="wrong checksum"):
        fetch(sources=source_at(server, checksum="md5:" + "0" * 32))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("path", "checksum", "said"),
    [
        ("", "md5:" + "0" * 32, "wrong checksum"),
        ("always-cut/", GOOD, "download failed"),
        ("none/", GOOD, "404"),
    ],
    ids=["wrong checksum", "cut", "not there"],  # a checksum would be another in every process
)
def test_bad_downloads_leave_nothing(server, cache, path, checksum, said):
    with pytest.raises(DownloadError, match=said):
        fetch(sources=source_at(server, path, checksum))
    assert kept(cache) == []


def test_an_archive_that_is_no_zip(server, cache, monkeypatch):
    monkeypatch.setattr(f"{__name__}.ZIP", b"<html>moved</html>")
    checksum = "md5:" + hashlib.md5(b"<html>moved</html>").hexdigest()
    with pytest.raises(DataError, match="truncated or corrupt"):
        fetch(sources=source_at(server, checksum=checksum))
    assert kept(cache) == []


def test_connection_refused(cache):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/ml-1m.zip"
        with pytest.raises(DownloadError, match="check the network"):
            fetch(sources=(Source(url, GOOD, MEMBERS),))
    assert kept(cache) == []


def test_offline_refuses(monkeypatch, server, cache):
    monkeypatch.setenv("CELSA_OFFLINE", "1")
    with pytest.raises(DownloadError, match="CELSA_OFFLINE=1"):
        fetch(sources=source_at(server))
    assert server.requests == []
    assert not cache.exists()


def test_unwritable_cache(monkeypatch, tmp_path, server):
    """A path under a file: not even root can make a folder there."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CELSA_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DownloadError, match="cannot write to the cache folder"):
        fetch(sources=source_at(server))


def fake_pip(monkeypatch, wheel, outcome=None):
    """Let `pip download` put `wheel` (bytes) into its destination, or fail."""

    def run(command, **kwargs):
        assert command[1:4] == ["-m", "pip", "download"]
        if outcome is not None:
            raise outcome
        destination = command[command.index("--dest") + 1]
        with open(f"{destination}/recbole.whl", "wb") as stream:
            stream.write(wheel)

    monkeypatch.setattr(downloads.subprocess, "run", run)


def refuse_transfers(monkeypatch):
    def refuse(*args):
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", refuse)


def test_ml100k_falls_back_on_the_wheel_and_verifies_it(monkeypatch, cache):
    refuse_transfers(monkeypatch)
    fake_pip(monkeypatch, b"another wheel")
    with pytest.raises(DownloadError, match=r"recbole==1.2.1: wrong checksum"):
        fetch_dataset("ml-100k", progress=False)
    assert kept(cache) == []


def test_no_network_at_all(monkeypatch, cache):
    refuse_transfers(monkeypatch)
    fake_pip(monkeypatch, b"", downloads.subprocess.TimeoutExpired("pip", 1))
    with pytest.raises(DownloadError, match="pip could not download"):
        fetch_dataset("ml-100k", progress=False)
    assert kept(cache) == []


@pytest.mark.parametrize("place", ["ml-1m.zip", "ml-1m/ml-1m.zip"])
def test_a_zip_in_the_data_folder(tmp_path, place, monkeypatch):
    path = tmp_path / "data" / place
    path.parent.mkdir(parents=True)
    path.write_bytes(ZIP)
    monkeypatch.setenv("CELSA_OFFLINE", "1")
    with pytest.raises(DownloadError, match="wrong checksum"):
        fetch(tmp_path / "data")
    monkeypatch.setattr(downloads, "require_checksum", lambda *args: None)
    assert (fetch(tmp_path / "data") / "ratings.dat").read_bytes() == RATINGS


def test_the_data_folder_comes_before_the_cache(tmp_path, server):
    fetch(sources=source_at(server))
    mine = tmp_path / "data" / "ml-1m"
    mine.mkdir(parents=True)
    (mine / "ratings.dat").write_bytes(RATINGS)
    (mine / "movies.dat").write_bytes(MOVIES)
    assert locate("ml-1m", tmp_path / "data") == mine


def test_folders_that_are_not_there(tmp_path, monkeypatch):
    with pytest.raises(DatasetNotFoundError, match="data_dir names"):
        load_dataset("ml-1m", data_dir=tmp_path / "none")
    monkeypatch.setenv("CELSA_DATA", str(tmp_path / "none"))
    with pytest.raises(DatasetNotFoundError, match="CELSA_DATA names"):
        load_dataset("ml-1m")


def test_netflix_says_that_it_cannot_be_downloaded():
    with pytest.raises(DatasetNotFoundError, match=r"no free download.*combined_data_1.txt"):
        load_dataset("netflix-prize")


def test_synthetic_has_no_files():
    with pytest.raises(DatasetNotFoundError, match="load_dataset generates it"):
        fetch_dataset("synthetic")


def test_another_version_in_the_data_folder_is_reported(tmp_path, caplog):
    folder = tmp_path / "goodbooks-10k-partial"
    folder.mkdir()
    (folder / "ratings.csv.gz").write_bytes(b"mine")
    with caplog.at_level(logging.WARNING):
        locate("goodbooks-10k-partial", tmp_path)
    assert "not the known version" in caplog.text


def test_git_blob_checksum(tmp_path):
    """The id that `git hash-object` gives the text 'hello' and a newline."""
    (tmp_path / "f").write_bytes(b"hello\n")
    require_checksum(tmp_path / "f", "git-blob:ce013625030ba8dba906f756967f9e9ca394464a", "f")


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("ml-100", "ml-100k"), ("Netflix", "netflix-prize"), ("goodbook", "goodbooks")],
)
def test_unknown_names_suggest_the_closest(asked, meant):
    with pytest.raises(CelsaError, match=f"did you mean '{meant}"):
        load_dataset(asked)


@pytest.mark.parametrize("name", datasets())
def test_every_entry_is_complete(name):
    info = dataset_info(name)
    assert all((info.title, info.citation, info.licence))
    assert min(info.users, info.items, info.test_users) > 0
    assert info.rating_range[0] <= info.rating_range[1]
    for source in info.sources:
        algorithm, digest = source.checksum.split(":")
        assert len(digest) == {"md5": 32, "git-blob": 40, "sha256": 64}[algorithm]


def test_the_papers_test_users():
    counts = {name: dataset_info(name).paper_test_users for name in datasets()}
    assert (counts["goodbooks-10k"], counts["ml-20m"], counts["netflix-prize"]) == (
        2500,
        10000,
        40000,
    )


@pytest.mark.parametrize("change", [lambda b: b[:-9], lambda b: b"9" + b[1:], None])
def test_a_file_that_was_changed_in_the_cache_is_named(server, change):
    folder = fetch(sources=source_at(server))
    path = folder / "ratings.dat"
    path.write_bytes(change(RATINGS)) if change else path.rename(folder / "ratings.dat.gz")
    with pytest.raises(DataError, match="ratings.dat is not as it was fetched.*delete"):
        load_dataset("ml-1m")


def test_a_cut_file_of_a_known_wheel_is_reported(tmp_path, caplog):
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    for name in ("ml-100k.inter", "ml-100k.item"):
        (folder / name).write_text("cut")
    assert locate("ml-100k", data_dir=tmp_path) == folder
    assert "ml-100k.inter is not the known version" in caplog.text


def test_what_a_killed_fetch_left_goes_with_the_next(server, cache):
    (cache / ".ml-1m-killed" / "ml-1m").mkdir(parents=True)
    fetch(sources=source_at(server))
    assert kept(cache) == ["ml-1m"]


def test_processes_that_start_together_fetch_once(server, cache):
    """Four at once: one downloads, the others wait and find it."""
    url = source_at(server)[0].url
    code = (
        "from celsa_lib.data import fetch_dataset; from celsa_lib.data.registry import Source\n"
        f"fetch_dataset('ml-1m', sources=(Source({url!r}, {GOOD!r}, {MEMBERS!r}),), progress=False)"
    )
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]
    assert len(server.requests) == 1 and kept(cache) == ["ml-1m"]
