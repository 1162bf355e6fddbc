"""Times of interactions that come a batch of rows at a time."""

from pathlib import Path

import numpy as np
import pandas as pd

from celsa_lib.data.folders import ParquetRows
from celsa_lib.data.times import MICRO, times_of
from celsa_lib.errors import DataError


class TimeStream:
    """A column of times, 8 bytes per row in the file `path` until all are there."""

    def __init__(self, column: str, path: Path):
        self.column, self.path, self.kind = column, path, None
        self.file = open(path, "wb")  # noqa: SIM115 (until all rows are there)

    def write(self, batch: ParquetRows, kept: np.ndarray | None) -> None:
        """Append the times of rows that are `kept`, or of all. Raises DataError.

        Numbers are told from Unix times when all are there.
        """
        where = f"{batch.file}, after data row {batch.first}" if batch.first else str(batch.file)
        values = batch.columns[self.column].to_pandas().rename(self.column)
        if values.dtype.kind in "iuf" and not values.isna().any():
            found = values.to_numpy()
        else:
            found = times_of(values, where)
        if self.kind not in (None, found.dtype) and len(found):
            raise DataError(
                f"{where}, column {self.column!r}: these are {found.dtype} and others "
                f"{self.kind}; write all as dates, or all as numbers"
            )
        self.kind = found.dtype if len(found) else self.kind
        self.file.write((found if kept is None else found[kept]).tobytes())

    def all(self, where: str) -> np.ndarray:
        """The times of all rows that were kept: datetime64[us], int64 or float64."""
        self.file.close()
        if self.kind is None or not self.path.stat().st_size:
            return np.empty(0, np.float64)
        raw = np.memmap(self.path, self.kind, "r")
        if self.kind == MICRO:
            return raw
        return times_of(pd.Series(raw, name=self.column), f"{where}, all files in order")
