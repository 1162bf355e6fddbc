"""A file is written whole or not at all."""

import pytest

from celsa_lib.errors import StorageError
from celsa_lib.files import write_whole


def test_writes_and_makes_the_folder(tmp_path):
    path = write_whole(tmp_path / "new" / "a.bin", lambda file: file.write(b"abc"))
    assert path.read_bytes() == b"abc" and path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(file):
        file.write(b"half of the new")
        raise error("stop")

    with pytest.raises(StorageError if error is OSError else error):
        write_whole(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write .*file/a.bin.*choose a folder"):
        write_whole(tmp_path / "file" / "a.bin", lambda file: None)
