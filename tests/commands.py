"""Commands of `celsa`, called in this process."""

import os
from pathlib import Path

from typer.testing import CliRunner

from celsa_lib.cli import app


def call(*words):
    """What `celsa WORDS` gives."""
    return CliRunner().invoke(app, [str(word) for word in words])


def call_in(folder: Path, *words):
    """The same from a folder."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        return call(*words)
    finally:
        os.chdir(here)
