"""Ids of users and items as they are kept: whole numbers, or text."""

import numpy as np
import pandas as pd

from celsa_lib.errors import LONGEST_ID, DataError, plainly


def ids_of(values: pd.Series, where: str, as_text: bool = False) -> np.ndarray:
    """Ids as integers where the column holds nothing else, as 64 bits hold them; else as text.

    A float column of whole numbers holds integers too: it is what a gap makes of them. as_text: all
    are text; what was text in the file stays as it stands there.
    """
    missing = (values.isna() | (values.astype(object) == "")).to_numpy()
    if missing.any():
        row = int(missing.argmax()) + 1
        raise DataError(f"{where}, data row {row}, column {values.name!r}: no id; drop such rows")
    codes, known = pd.factorize(values)
    try:
        texts = pd.Series(known).astype(str)
    except UnicodeError as error:
        raise DataError(f"{where}, column {values.name!r}: an id is no text: {error}") from error
    if texts.duplicated().any():
        one, other = known[(texts == texts[texts.duplicated()].iloc[0]).to_numpy()][:2]
        raise DataError(
            f"{where}, column {values.name!r} has {plainly(one)} and {plainly(other)}, which are "
            "the same when written; make all ids text, or all numbers"
        )
    if (texts.str.len() > LONGEST_ID).any():
        raise DataError(
            f"{where}, column {values.name!r}: an id has more than {LONGEST_ID:,} characters; "
            "shorten it, or name another column"
        )
    kind = getattr(values.dtype, "categories", values).dtype
    as_written = as_text and not pd.api.types.is_numeric_dtype(kind)
    if not as_written and texts.str.fullmatch(r"-?\d+\.0").all():
        texts = texts.str.removesuffix(".0")
    whole = pd.to_numeric(texts, errors="coerce")
    if not as_text and whole.dtype == np.int64 and (whole.astype(str) == texts).all():
        return whole.to_numpy()[codes]
    return texts.to_numpy(dtype=object)[codes]
