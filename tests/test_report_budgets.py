"""Which budget keeps 99 %: worked by hand, with ties, none, and nothing to compare with."""

import numpy as np
import pytest

from celsa_lib import report
from celsa_lib.errors import DataError
from celsa_lib.evaluation import ratio_of_means
from celsa_lib.report.budgets import advice, enough, reference_of, shares_of
from celsa_lib.report.comparison import model_table
from celsa_lib.results import Result

STEADY = np.array([0.2, 0.4, 0.6, 0.8])  # a constant times this has a share without any spread


def result_of(*models) -> Result:
    """A result of (label, bytes, users' nDCG@100), one row each."""
    rows = [{"label": m[0], "budget_bytes": m[1], "hash": str(i)} for i, m in enumerate(models)]
    return Result({}, rows, users={str(i): np.asarray(m[2]) for i, m in enumerate(models)})


def answer(result: Result) -> str:
    return " ".join(advice(result))


def test_the_smallest_budget_that_keeps_99_percent():
    result = result_of(
        ("EASE", 4000, STEADY),
        ("ELSA", 2048, 0.9 * STEADY),
        ("Compressed ELSA", 256, 1.01 * STEADY),
        ("Compressed ELSA", 128, 0.99 * STEADY),  # exactly the target
        ("Compressed ELSA", 64, 0.98 * STEADY),
        ("Pruned EASE", 128, 0.5 * STEADY),
    )
    ours, pruned = enough(shares_of(result))
    assert (ours.label, ours.measured.size, ours.surely.size, ours.best.size) == (
        "Compressed ELSA", 128, 128, 256,
    )  # fmt: skip
    assert ours.measured.ratio.value == pytest.approx(0.99)
    assert pruned.measured is pruned.surely is None
    assert answer(result) == (
        "128 bytes per item: Compressed ELSA keeps 99.0 % (95 % interval 99.0 % to 99.0 %) of the "
        "nDCG@100 of EASE, which takes 4,000 bytes per item. The whole interval is at 99 % or "
        "above. Other compressed methods that keep as much: none."
    )


def test_measured_is_not_sure():
    """theirs (½, ½), ours (0.2, 0.8): draws of two users give 0.4, 1 or 1.6, each often."""
    flat, spread = [0.5, 0.5], [0.2, 0.8]
    models = [("ELSA", 2048, flat), ("Compressed ELSA", 64, spread)]
    (ours,) = enough(shares_of(result_of(*models)))
    ratio = ours.measured.ratio
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.0, 0.4, 1.6))
    assert ours.surely is None
    assert "no budget has its whole interval above" in answer(result_of(*models))
    models.append(("Compressed ELSA", 512, flat))
    assert "from 512 bytes per item the whole" in answer(result_of(*models))


def test_no_budget_keeps_it():
    result = result_of(
        ("EASE", 4000, STEADY),
        ("Compressed ELSA", 128, 0.9 * STEADY),
        ("Compressed ELSA", 64, 0.8 * STEADY),
        ("Pruned EASE", 64, 0.7 * STEADY),
    )
    assert answer(result).startswith("Compressed ELSA at 128 bytes per item comes closest to EASE")
    assert "it keeps 90.0 %" in answer(result)
    assert "No compressed model keeps 99 %" in answer(result)


@pytest.mark.parametrize(("size", "first"), [(64, "Pruned EASE"), (128, "Compressed ELSA")])
def test_the_smallest_of_all_methods_comes_first_and_ours_among_equals(size, first):
    result = result_of(
        ("EASE", 4000, STEADY),
        ("Compressed ELSA", 128, STEADY),
        ("Pruned EASE", size, STEADY),
    )
    assert answer(result).startswith(f"{size} bytes per item: {first} keeps 100.0 %")
    other = "Compressed ELSA from 128" if size == 64 else "Pruned EASE from 128"
    assert f"keep as much: {other} bytes." in answer(result)


@pytest.mark.parametrize("order", [1, -1])
def test_of_equal_references_the_smaller(order):
    models = [("EASE", 4000, STEADY), ("ELSA", 2048, STEADY), ("Low-dim ELSA", 64, 2 * STEADY)]
    assert reference_of(result_of(*models[::order])) == ("ELSA", 2048)


def test_without_an_uncompressed_model():
    result = result_of(("Compressed ELSA", 64, STEADY), ("Popularity", 4, STEADY))
    assert reference_of(result) is None
    assert shares_of(result) == []
    assert "no uncompressed model" in answer(result)


def test_without_a_compressed_model():
    assert "No compressed model was run" in answer(result_of(("EASE", 4000, STEADY)))


def test_seeds_are_averaged():
    result = result_of(
        ("ELSA", 2048, STEADY),
        ("Compressed ELSA", 64, 0.9 * STEADY),
        ("Compressed ELSA", 64, 1.1 * STEADY),
    )
    (share,) = shares_of(result)
    assert share.ratio.value == pytest.approx(1.0)


@pytest.mark.parametrize(("ours", "theirs"), [([1.0], [1.0, 1.0]), ([], []), ([1.0], [0.0])])
def test_a_share_that_means_nothing_is_refused(ours, theirs):
    with pytest.raises(DataError):
        ratio_of_means(np.array(ours), np.array(theirs))


def test_the_interval_of_a_ratio_covers_it():
    """Of 60 draws of 200 users, the 95 % interval holds the true share nearly every time."""
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(60):
        theirs = rng.gamma(2.0, 0.2, size=200)
        ours = theirs * rng.normal(0.9, 0.3, size=200)  # 0.9 in expectation
        ratio = ratio_of_means(ours, theirs, n_resamples=400)
        covered += ratio.low <= 0.9 <= ratio.high
    assert 51 <= covered <= 60


@pytest.mark.filterwarnings("error")
def test_a_single_user_has_no_standard_error():
    result = result_of(("EASE", 4000, STEADY[:1]), ("ELSA", 2048, STEADY[:1]))
    result.rows = [row | {"seconds_fit": 1.0} for row in result.rows]
    assert model_table(result)["ndcg@100 ±"].isna().all()


def test_shares_without_an_uncompressed_model_say_that_there_is_none():
    table = report.stored("ml-100k-schedules").shares()
    assert "uncompressed" in table
