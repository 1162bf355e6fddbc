"""Troubles with recommending, measuring and keeping: shapes, seen items, metrics, files."""

from functools import partial
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix, csr_array, csr_matrix
from scipy.sparse import random as random_matrix
from trouble_kind import Trouble, equal, read_table_of, refusal, written_table

import celsa_lib as cl
from celsa_lib.titles import find_title

Case = partial(Trouble, "models")
N_ITEMS = 12


def rows(ids=None) -> "cl.ItemEmbeddings":
    """Rows of 12 items; every item may be recommended."""
    rng = np.random.default_rng(0)
    values = rng.random((N_ITEMS, 6)) * (rng.random((N_ITEMS, 6)) < 0.6) + 0.05
    return cl.ItemEmbeddings(csr_matrix(values.astype(np.float32)), ids)


def users(n: int = 5, density: float = 0.3) -> csr_matrix:
    """Histories of `n` users, none of them empty."""
    X = random_matrix(n, N_ITEMS, density, "lil", np.float32, np.random.default_rng(1))
    X[:, 2] = 1
    X = csr_matrix(X)
    X.data[:] = 1
    return X


class Fixed:
    """Recommends the same ranking to all, −1 where it has ended."""

    def __init__(self, ranking: list[int]):
        self.ranking = ranking

    def recommend(self, X, n: int, exclude_seen: bool) -> tuple[np.ndarray, np.ndarray]:
        """See ItemEmbeddings."""
        row = np.array((self.ranking + [-1] * n)[:n])
        return np.tile(row, (X.shape[0], 1)), np.zeros((X.shape[0], n))


def fold(targets: list[int], n_items: int = 300) -> tuple[csr_matrix, csr_matrix]:
    """One user who was given the last item, and is to choose `targets`."""
    parts = [[n_items - 1], sorted(targets)]
    given, target = (
        csr_matrix((np.ones(len(p), np.float32), p, [0, len(p)]), shape=(1, n_items)) for p in parts
    )
    return given, target


def other_forms(folder: Path) -> str:
    model, X = rows(), users()
    wanted = model.recommend(X, n=4)[0].tolist()
    for form in (csc_matrix, coo_matrix, csr_array, lambda X: X.toarray()):
        assert model.recommend(form(X), n=4)[0].tolist() == wanted, form
    return equal(wanted[0][:3], model.recommend(X[:1], n=3)[0][0].tolist())


def one_dimension(folder: Path) -> str:
    model, X = rows(), users()
    found = model.recommend(csr_array(X)[0], n=3)[0].tolist()
    return equal(found, model.recommend(X[:1], n=3)[0].tolist())


def own_lists(folder: Path) -> str:
    model, X = rows(), users()
    together = model.recommend(X, n=4)[0].tolist()
    equal(together, [model.recommend(X[u : u + 1], n=4)[0][0].tolist() for u in range(5)])
    assert len(set(map(tuple, together))) > 1, "all users get one list"
    return f"{len(set(map(tuple, together)))} different lists for 5 users"


def full_lists(folder: Path) -> str:
    X = users()
    found = rows().recommend(X, n=5)[0]
    assert (found >= 0).all() and found.shape == (5, 5)
    seen = sum(len(set(X[u].indices) & set(found[u].tolist())) for u in range(5))
    return f"5 unseen items each, {equal(seen, 0)} seen"


def all_seen(folder: Path) -> str:
    found, _ = rows().recommend(csr_matrix(np.ones((1, N_ITEMS), np.float32)), n=3)
    return equal(found, [[-1, -1, -1]])


def more_than_there_are(folder: Path) -> str:
    X = users(1)
    found, _ = rows().recommend(X, n=30)
    there = found[0][found[0] >= 0].tolist()
    equal(sorted(there), sorted(set(range(N_ITEMS)) - set(X.indices.tolist())))
    return f"{len(there)} items, then {equal(set(found[0][len(there) :].tolist()), {-1})}"


def first_item(folder: Path) -> str:
    X = csr_matrix(([1.0], ([0], [3])), shape=(1, N_ITEMS))
    found = rows().recommend(X, n=N_ITEMS - 1)[0][0].tolist()
    return f"item 0 has rank {found.index(0) + 1}" if 0 in found else equal(found, "item 0")


def equal_scores(folder: Path) -> str:
    model, X = rows(), users()
    (places, scores), every = model.recommend(X, n=4), model.score(X)
    apart = np.abs(np.take_along_axis(every, places, 1) - scores).max()
    assert apart < 1e-5, f"they differ by {apart}"
    return "each score is that of `score`"


def without_some(folder: Path) -> str:
    found, _ = rows().recommend(users(), n=4, without=[0, 1])
    assert found.shape == (5, 4) and not {0, 1} & set(found.ravel().tolist()), found
    return "4 items each, without the two"


def not_numbers(folder: Path) -> str:
    values = np.ones((3, 2), np.float32)
    values[1, 1] = np.nan
    return refusal(lambda: cl.ItemEmbeddings(csr_matrix(values)), "not finite")


def kept_ids(folder: Path) -> str:
    ids = np.array([f"item {i}" for i in range(N_ITEMS)], object)
    path = rows(ids).save(folder / "rows.npz")
    return equal(cl.ItemEmbeddings.load(path).item_ids[:2], ["item 0", "item 1"])


def ids_of_places(folder: Path) -> str:
    data = read_table_of(folder, "user_id,item_id\na,30\na,4\nb,30\nb,5\n")
    model = cl.EASE(reg=1.0).fit(data.X, data.item_ids)
    return equal(data.item_ids[model.recommend(data.X[:1], n=1)[0][0]], [5])


def an_item_twice(folder: Path) -> str:
    twice = csr_matrix((np.ones(3, np.float32), [2, 2, 4], [0, 3]), shape=(1, N_ITEMS))
    found = rows().recommend(twice, n=12)[0][0]
    return equal(sorted({2, 4} & set(found.tolist())), [])


def cut_list(folder: Path) -> str:
    result = cl.evaluate(Fixed([1, 5, 2]), [fold([1, 2])])
    wanted = (1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    return equal(round(result.mean["ndcg@100"], 6), round(wanted, 6))


def many_targets(folder: Path) -> str:
    result = cl.evaluate(Fixed(list(range(150))), [fold(list(range(150)))])
    return equal([round(v, 9) for v in result.mean.values()], [1.0, 1.0, 1.0])


def graded_targets(folder: Path) -> str:
    given, target = fold([0, 1, 2])
    target.data[:] = [3, 1, 2]
    one = cl.evaluate(Fixed([1, 2, 9, 0]), [(given, target)]).mean["ndcg@100"]
    target.data[:] = 1
    other = cl.evaluate(Fixed([1, 2, 9, 0]), [(given, target)]).mean["ndcg@100"]
    return f"{equal(round(one, 6), round(other, 6))}, as for ones: relevance is yes or no"


def nothing_recommended(folder: Path) -> str:
    result = cl.evaluate(Fixed([]), [fold([0, 1])])
    return equal(list(result.mean.values()), [0.0, 0.0, 0.0])


TIMED = "user_id,item_id,time\n" + "".join(
    f"u{u},i{(u + step) % 20},2024-01-{1 + (step * 3 + u) % 28:02}\n"
    for u in range(80)
    for step in range(8)
)


def no_future(folder: Path) -> str:
    data = read_table_of(folder, TIMED, time="time")
    split = cl.split_by_time(data.X, data.times, n_test=20)
    late = split.train_times.max()
    assert late < split.test_from, f"{late} is not before {split.test_from}"
    return "no training interaction is as late as any target"


def on_the_boundary(folder: Path) -> str:
    data = read_table_of(folder, TIMED, time="time")
    split = cl.split_by_time(data.X, data.times, n_test=20, test_from="2024-01-20")
    of_test = np.repeat(np.arange(data.X.shape[0]), np.diff(data.X.indptr))
    chosen = np.isin(of_test, split.test_rows)
    wanted = int((data.times[chosen] >= np.datetime64("2024-01-20")).sum())
    equal(split.given.nnz + split.target.nnz, int(chosen.sum()))
    return f"{equal(split.target.nnz, wanted)} are tested, none is lost"


def both_sides(folder: Path) -> str:
    text = "user_id,item_id\n" + "".join(f"u{u},i{i}\n" for u in range(9) for i in [*range(9)] * 2)
    X = read_table_of(folder, text).X
    shared = sum(given.multiply(target).nnz for given, target in cl.holdout_folds(X))
    return f"{equal(shared, 0)} pairs are given and held out"


def one_title_twice(folder: Path) -> str:
    items = written_table(folder, "item_id,title\n7,Heat\n8,Heat\n", "items.csv")
    data = read_table_of(folder, "user_id,item_id\nu,7\nu,8\n", items=items)
    equal(find_title(data, "8"), 1)
    return refusal(lambda: find_title(data, "Heat"), "(id 7)", "(id 8)")


MODELS = [
    Case(
        "benfred/implicit#608", "items × users instead of users × items", "the sizes are told",
        lambda folder: refusal(lambda: rows().recommend(users().T), "5 items", "12"),
    ),
    Case("benfred/implicit#504", "a matrix that is not CSR", "the same lists", other_forms),
    Case("benfred/implicit#626", "a row of a sparse array", "it is one user", one_dimension),
    Case("benfred/implicit#555", "all users get one list", "each gets its own", own_lists),
    Case("benfred/implicit#198", "lists too short, or with what was seen", "n unseen", full_lists),
    Case("benfred/implicit#476", "a user who has seen everything", "no item, no error", all_seen),
    Case(
        "benfred/implicit#507", "more wanted than there are", "those there are, then −1",
        more_than_there_are,
    ),
    Case("benfred/implicit#316", "the first item never comes", "it comes", first_item),
    Case("benfred/implicit#172", "scores that do not match", "one score", equal_scores),
    Case("benfred/implicit#736", "items left out lengthen the list", "n items", without_some),
    Case("benfred/implicit#252", "rows of NaN", "they are refused", not_numbers),
    Case("benfred/implicit#575", "a saved model cannot be read", "ids come back", kept_ids),
    Case("benfred/implicit#604", "which item a number is", "`item_ids` says it", ids_of_places),
    Case(
        "lyst/lightfm#407", "an item that is not there", "its number is named",
        lambda folder: refusal(lambda: rows().similar([2884]), "2884"),
    ),
    Case("evfro/polara#12", "an item twice in a new history", "it is seen", an_item_twice),
    Case("lenskit/lkpy#309", "nDCG of a short list", "the formula's value", cut_list),
    Case("lenskit/lenskit#869", "more targets than places", "a perfect list is 1", many_targets),
    Case(
        "recommenders-team/recommenders#1749", "nDCG of graded ratings", "yes or no, and said",
        graded_targets,
    ),
    Case("lenskit/lenskit#400", "a user without a list", "0, not NaN", nothing_recommended),
    Case(
        "recommenders-team/recommenders#1675", "a model that learns from the future",
        "one moment for all users", no_future,
    ),
    Case("irec-org/irec#79", "interactions at the very moment", "they are tested", on_the_boundary),
    Case("lyst/lightfm#423", "a pair in training and test", "it is in one", both_sides),
    Case("tensorflow/recommenders#404", "two items of one title", "ids are told", one_title_twice),
]  # fmt: skip
