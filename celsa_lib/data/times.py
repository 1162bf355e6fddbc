"""When interactions took place: a column of dates or numbers, read strictly; moments in words."""

import numpy as np
import pandas as pd

from celsa_lib.errors import ConfigError, DataError, plainly

UNIX_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # in a second
UNIX_SECONDS = 320_000_000, 4_100_000_000  # 1980 to 2099: what of numbers looks like Unix time
TIME_YEARS = 1980, 2099
DATE_PARTS = ((1, 12), (1, 31), (0, 23), (0, 59), (0, 59))  # month, day, hour, minute, second
# Dates in digits, the largest part first: how pandas calls them, digits of the year, other parts.
DATE_DIGITS = {
    "YYYYMMDD": ("%Y%m%d", 4, 2),
    "YYYYMMDDhhmm": ("%Y%m%d%H%M", 4, 4),
    "YYYYMMDDhhmmss": ("%Y%m%d%H%M%S", 4, 5),
}
LIKE_UNIX = {"YYYYMMDDhh": (4, 3), "YYMMDDhhmm": (2, 4), "YYMMDDhhmmss": (2, 5)}
NEARLY_ALL = 0.99  # of times in digits; of Unix times one in 200 looks like them
MICRO = "datetime64[us]"
NEVER = np.datetime64("NaT", "us")


def times_of(values: pd.Series, where: str) -> np.ndarray:
    """Times, one per row: datetime64[us] in UTC for dates (ISO 8601), dates in digits (20240301,
    20240301123000) and Unix times of 1980 to 2099 in s, ms, µs or ns, which are told by their size;
    other numbers, as days counted from a start, stay int64 or float64.

    Raises DataError, naming the row, for one that is neither, where Unix units are mixed, or where
    numbers may be Unix times as well as dates in digits (YYMMDDhhmm).
    """
    kind = values.dtype
    if pd.api.types.is_bool_dtype(kind) or pd.api.types.is_timedelta64_dtype(kind):
        raise DataError(f"{where}, column {values.name!r} has {kind}, not times")
    if pd.api.types.is_datetime64_any_dtype(kind):
        return _complete(_in_utc(values), values, where)
    if pd.api.types.is_numeric_dtype(kind):
        return _unix_or_plain(values, values, where)
    codes, known = pd.factorize(values)  # a text is parsed once, however many rows have it
    texts = pd.Series(known, dtype=object).astype(str).str.strip()
    parsed = pd.to_numeric(texts, errors="coerce")
    if 2 * parsed.notna().sum() > len(texts):  # numbers, and the others are at fault
        return _unix_or_plain(parsed.reindex(codes), values, where)
    texts = texts.where(texts.str.contains(r"\d"))  # "now" and "today" are other dates each day
    dates = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    return _complete(np.append(_in_utc(dates), NEVER)[codes], values, where)  # code −1: missing


def _in_utc(dates: pd.Series) -> np.ndarray:
    return pd.to_datetime(dates, utc=True).dt.tz_localize(None).to_numpy(dtype=MICRO)


def _complete(found: np.ndarray, values: pd.Series, where: str) -> np.ndarray:
    """`found`, the times of `values`. Raises DataError at the first that is none."""
    bad = ~np.isfinite(found)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"{where}, data row {row + 1}, column {values.name!r}: {plainly(values.iloc[row])} is "
            "no time; write a date as 2024-03-01 or 2024-03-01T12:30:00, or a number as Unix time"
        )
    return found


def _unix_or_plain(parsed: pd.Series, values: pd.Series, where: str) -> np.ndarray:
    """Numbers as they are, or the dates that they stand for as Unix time. Raises DataError."""
    found = parsed.to_numpy(dtype=np.float64, na_value=np.nan)
    found = _complete(found, values, where)
    if not len(found):
        return found
    if (form := _digits_of(found)) is not None:
        digits = pd.Series(found.astype(np.int64)).astype(str)
        dates = pd.to_datetime(digits, format=DATE_DIGITS[form][0], utc=True, errors="coerce")
        return _complete(_in_utc(dates), values, where)
    first, last = found.argmin(), found.argmax()
    units = [_unix_unit(found[row]) for row in (first, last)]
    if None in units and _unix_unit(np.median(found)) is not None:
        row = int(first if units[0] is None else last)
        raise DataError(
            f"{where}, data row {row + 1}, column {values.name!r}: {plainly(values.iloc[row])} is "
            "no Unix time, as the others are; correct it, or leave such rows out"
        )
    if None not in units and units[0] != units[1]:
        raise DataError(
            f"{where}, column {values.name!r} mixes Unix times in {units[0]} and {units[1]}: data "
            f"row {first + 1} has {plainly(values.iloc[first])}, data row {last + 1} "
            f"{plainly(values.iloc[last])}; write all in one unit"
        )
    if None not in units and (form := _like_unix(found)) is not None:
        raise DataError(
            f"{where}, column {values.name!r} may hold Unix times in {units[0]} or dates as "
            f"{form}: data row 1 has {plainly(values.iloc[0])}; write dates as 2024-03-01T12:30:00"
        )
    if pd.api.types.is_integer_dtype(parsed.dtype) and found[last] < 2**63:
        found = parsed.to_numpy(dtype=np.int64)
    return found if None in units else _microseconds(found, UNIX_UNITS[units[0]]).view(MICRO)


def _digits_of(found: np.ndarray) -> str | None:
    """The form of numbers that all are dates in digits: they look like nothing else."""
    forms = (name for name, (_, *form) in DATE_DIGITS.items() if _are_digits(found, *form).all())
    return next(forms, None)


def _like_unix(found: np.ndarray) -> str | None:
    """The form of dates in digits that nearly all of many Unix times have too."""
    if found.min() == found.max():
        return None
    shares = {name: _are_digits(found, *form).mean() for name, form in LIKE_UNIX.items()}
    return next((name for name, share in shares.items() if share >= NEARLY_ALL), None)


def _are_digits(found: np.ndarray, of_year: int, n_parts: int) -> np.ndarray:
    """Whether each number is a year of so many digits with two for each part after it."""
    rest, fit = found, found % 1 == 0
    for low, high in reversed(DATE_PARTS[:n_parts]):
        rest, part = np.divmod(rest, 100)
        fit &= (low <= part) & (part <= high)
    low, high = TIME_YEARS if of_year == 4 else (0, 99)
    return fit & (low <= rest) & (rest <= high)


def _unix_unit(value: float) -> str | None:
    """The unit in which a number is a Unix time of these decades."""
    low, high = UNIX_SECONDS
    fitting = (name for name, unit in UNIX_UNITS.items() if low * unit <= value <= high * unit)
    return next(fitting, None)


def _microseconds(found: np.ndarray, unit: int) -> np.ndarray:
    """Unix times as int64 microseconds, rounded down."""
    if unit > 10**6:
        return (found // (unit // 10**6)).astype(np.int64)
    return np.floor(found * (10**6 // unit)).astype(np.int64)


def moment(given, times: np.ndarray) -> np.generic:
    """A moment that someone names (text, number, date) as one of the kind of `times`.

    Raises ConfigError for what is no moment, or one of another kind.
    """
    span = f"times go from {written(times.min())} to {written(times.max())}"
    try:
        found = times_of(pd.Series([str(given)], name="test_from"), "it")
    except DataError:
        raise ConfigError(f"test_from is {plainly(given)}, which is no time; {span}") from None
    if (found.dtype.kind == "M") != (times.dtype.kind == "M"):
        if times.dtype.kind == "M":
            raise ConfigError(
                f"test_from is {plainly(given)}, and {span}; give a date, as 2024-03-01"
            )
        try:  # a number that by itself would look like Unix time
            return np.float64(given)
        except (TypeError, ValueError):
            raise ConfigError(f"test_from is {plainly(given)}, and {span}; give a number") from None
    return found[0]


def written(at: np.generic) -> str:
    """A moment as text that `moment` reads again: 2024-03-01, or a number."""
    if isinstance(at, np.datetime64):
        return str(np.datetime_as_string(at, unit="auto"))
    return repr(at.item())
