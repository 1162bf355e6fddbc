"""Segments: grouping, names, merging, the segment matrix, recommending and explaining."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.errors import ConfigError, DataError, StorageError
from celsa_lib.segments import (
    AnswerCache,
    Label,
    ReplayDescriber,
    Segmentation,
    SentenceEmbedder,
    TfidfDescriber,
    dominant_latents,
    group_items,
    merge_by_activation,
    merge_by_name,
    segment_matrix,
)
from celsa_lib.segments.grouping import indicator_of, members_of
from celsa_lib.segments.naming.terms import genres_of, terms_of

ROOT = Path(__file__).parents[1]

# Six items × 4 latents: latent 0 with both signs, a tie (item 3), latent 3 unused.
ROWS = np.array(
    [
        [0.9, 0.1, 0.0, 0.0],
        [-0.8, 0.6, 0.0, 0.0],
        [-0.9, 0.0, 0.1, 0.0],
        [0.0, -0.5, 0.5, 0.0],
        [0.0, 0.2, 0.9, 0.0],
        [0.7, 0.7, 0.0, 0.0],
    ],
    dtype=np.float32,
)
TITLES = ["Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta"]
GENRES = ["fantasy", "crime", "crime|noir", "horror", "horror", "fantasy"]


@pytest.fixture
def items() -> pd.DataFrame:
    return pd.DataFrame({"title": TITLES, "genres": GENRES}, index=pd.Index(range(6)))


@pytest.fixture
def embeddings() -> cl.ItemEmbeddings:
    return cl.ItemEmbeddings(csr_matrix(ROWS), np.arange(6))


class MainGenre:
    """Names a group by its most frequent genre; order of groups and members plays no part."""

    def describe(self, groups, items):
        return [Label(items["genres"].iloc[g].mode().iloc[0], "test") for g in groups]


def one_hot(texts):
    """Equal texts have cosine 1, others 0."""
    known = sorted(set(texts))
    return np.eye(len(known))[[known.index(text) for text in texts]]


class TestGrouping:
    def test_by_hand(self):
        latents, signs = dominant_latents(csr_matrix(ROWS))
        assert latents.tolist() == [0, 0, 0, 1, 2, 0]  # item 3 and 5: ties go to the lower index
        assert signs.tolist() == [1, -1, -1, -1, 1, 1]
        groups = group_items(csr_matrix(ROWS))
        assert list(zip(groups.latents, groups.signs, strict=True)) == [
            (0, 1), (0, -1), (1, -1), (2, 1)
        ]  # fmt: skip
        assert [m.tolist() for m in groups.members] == [[0, 5], [1, 2], [3], [4]]

    def test_latent_zero_keeps_its_sign(self):
        groups = group_items(csr_matrix(np.array([[1.0], [-1.0]])))
        assert groups.of_item.tolist() == [0, 1]
        assert groups.signs.tolist() == [1, -1]

    def test_members_and_indicator_say_the_same(self):
        of_item = np.array([2, 0, 2, 1])
        columns = indicator_of(of_item, 4).tocsc()
        members = members_of(of_item, 4)
        assert [m.tolist() for m in members] == [[1], [3], [0, 2], []]
        assert np.array_equal(columns.indices, np.concatenate(members))
        assert np.diff(columns.indptr).tolist() == [1, 1, 2, 0] and (columns.data == 1).all()

    def test_an_empty_row_is_named(self):
        with pytest.raises(DataError, match="1 items have no nonzero, the first at position 1"):
            group_items(csr_matrix(np.array([[1.0, 0], [0, 0]])))

    def test_stored_zeros_and_unsorted_columns_do_not_matter(self):
        messy = csr_matrix(
            (np.array([0.0, -2.0, 2.0, 1.0]), np.array([3, 2, 1, 0]), np.array([0, 4])), (1, 4)
        )
        assert [part.tolist() for part in dominant_latents(messy)] == [[1], [1]]

    @given(arrays(np.float32, (7, 5), elements=st.floats(-1, 1, width=32)))
    def test_like_a_loop(self, rows):
        rows[:, 0] += (np.abs(rows).sum(axis=1) == 0).astype(np.float32)
        latents, signs = dominant_latents(csr_matrix(rows))
        for row, latent, sign in zip(rows, latents, signs, strict=True):
            best = max(range(5), key=lambda j: (abs(row[j]), -j))
            assert (latent, sign) == (best, np.sign(row[best]))


class TestTerms:
    def test_of_a_book(self):
        book = {"title": "The Hobbit (Middle Earth, #0)", "genres": "fantasy|classics"}
        book |= {"authors": "J.R.R. Tolkien, Alan Lee", "year": 1937}
        found = terms_of(pd.DataFrame([book]))
        assert set(zip(found.kinds, found.names, strict=True)) == {
            ("genre", "Fantasy"), ("genre", "Classics"), ("author", "J.R.R. Tolkien"),
            ("series", "Middle Earth"), ("word", "Hobbit"), ("decade", "1930s"),
        }  # fmt: skip

    def test_missing_metadata(self):
        table = pd.DataFrame({"title": ["A", None], "genres": [None, "x|"], "year": [pd.NA, 0]})
        assert terms_of(table).names.tolist() == ["X"]

    def test_no_genre_is_no_name(self):
        """As MovieLens writes it, in a file of one's own too."""
        table = pd.DataFrame({"title": ["", ""], "genres": ["(no genres listed)", "Drama"]})
        assert terms_of(table).names.tolist() == ["Drama"]
        assert genres_of(table, 1, 1.0).names.tolist() == ["Drama"]

    @pytest.mark.parametrize("year", ["199x", "1999", 1999.0, True, [1999], pd.Timestamp(0)])
    def test_what_is_no_year_counts_as_none(self, year):
        table = pd.DataFrame({"title": ["A", "B"], "year": pd.Series([year, None], dtype=object)})
        known = year in ("1999", 1999.0)
        assert terms_of(table).names.tolist() == ["1990s"] * known
        assert terms_of(table.convert_dtypes(dtype_backend="pyarrow")).names.size == known

    def test_genres_keep_what_tells_items_apart(self):
        genres = ["a|b"] * 3 + ["a|c"] * 2 + ["a"] * 5
        found = genres_of(pd.DataFrame({"title": ["t"] * 10, "genres": genres}), 3, 0.5)
        assert found.names.tolist() == ["b"]  # a is on all, c on two
        assert found.idf == pytest.approx([np.log(10 / 3)])


class TestTfidf:
    def test_an_author_and_the_genre_that_sets_the_group_apart(self):
        genres = ["fiction|horror"] * 3 + ["fiction|romance"] * 17
        authors = ["Stephen King"] * 3 + list("ABCDEFGHIJKLMNOPQ")
        table = pd.DataFrame({"title": ["x"] * 20, "genres": genres, "authors": authors})
        label = TfidfDescriber().describe([np.array([0, 1, 2])], table)[0]
        assert label == Label("Stephen King Horror", "class-based TF-IDF")

    def test_two_genres_the_more_general_one_last(self):
        genres = ["noir|crime", "noir|crime", "crime", *["comedy"] * 7, *["drama"] * 5]
        table = pd.DataFrame({"title": ["x"] * 15, "genres": genres})
        assert TfidfDescriber().describe([np.array([0, 1])], table)[0].text == "Noir Crime"

    def test_without_any_term_the_first_title(self):
        table = pd.DataFrame({"title": ["Of It " * 20, "My"], "genres": ["", ""]})
        label = TfidfDescriber().describe([np.array([0, 1])], table)[0].text
        assert label.startswith("Of It") and len(label) <= 48

    def test_items_of_which_nothing_is_known(self):
        table = pd.DataFrame({"title": [None, np.nan], "genres": ["", None]})
        assert TfidfDescriber().describe([np.array([0, 1])], table)[0].text == "Unnamed"

    def test_a_name_does_not_depend_on_the_other_groups(self, items):
        alone = TfidfDescriber().describe([np.array([1, 2])], items)
        among = TfidfDescriber().describe([np.array([0, 5]), np.array([2, 1])], items)
        assert alone[0] == among[1]


class TestMergingByName:
    def test_equal_names_merge_and_largest_comes_first(self, items):
        groups = np.array([0, 1, 1, 2, 3, 4])
        of_item, labels = merge_by_name(groups, items, MainGenre(), one_hot, 0.9)
        assert of_item.tolist() == [0, 1, 1, 2, 2, 0]
        assert [label.text for label in labels] == ["fantasy", "crime", "horror"]

    def test_goes_on_until_nothing_merges(self):
        """Two rounds: the merged group's new name is close to a third one."""

        class BySize:
            def describe(self, groups, items):
                return [Label("ab" if len(g) == 1 and g[0] < 2 else "c", "test") for g in groups]

        table = pd.DataFrame({"title": ["x"] * 3})
        of_item, labels = merge_by_name(np.arange(3), table, BySize(), one_hot, 0.9)
        assert of_item.tolist() == [0, 0, 0]
        assert labels == [Label("c", "test")]

    def test_all_pairs_of_a_merge_are_close(self):
        """a–b and b–c are close, a–c is not: no chain of three."""
        angles = {"a": 0.0, "b": 0.4, "c": 0.8}
        items = pd.DataFrame({"title": list("abc"), "genres": list("abc")})

        def embed(texts):
            return np.array([[np.cos(angles[t]), np.sin(angles[t])] for t in texts])

        class First:
            def describe(self, groups, items):
                return [Label(items["genres"].iloc[min(g)], "test") for g in groups]

        of_item, _ = merge_by_name(np.arange(3), items, First(), embed, 0.9)
        assert len(set(of_item)) == 2

    @pytest.mark.parametrize("tau", [1.5, -2, float("nan"), "a", True])
    def test_tau_is_a_cosine(self, embeddings, items, tau):
        for merge in (
            lambda: merge_by_name(np.arange(6), items, MainGenre(), one_hot, tau),
            lambda: merge_by_activation(np.arange(6), csr_matrix(np.eye(6)), tau),
            lambda: cl.segment_items(embeddings, items, tau),
        ):
            with pytest.raises(ConfigError, match="tau is a cosine, a number from −1 to 1"):
                merge()

    @pytest.mark.parametrize("groups", [[0, 1], [[0] * 6], []])
    def test_one_group_per_item(self, items, groups):
        with pytest.raises(DataError, match="for 6 items; pass one group per item"):
            merge_by_name(np.array(groups), items, MainGenre(), one_hot, 0.9)

    @settings(deadline=None, max_examples=60)
    @given(data=st.data(), tau=st.sampled_from([0.2, 0.5, 0.8]))
    def test_the_order_of_groups_and_items_does_not_matter(self, data, tau):
        n = data.draw(st.integers(2, 12))
        genres = data.draw(st.lists(st.sampled_from("abcdef"), min_size=n, max_size=n))
        groups = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)))
        rng = np.random.default_rng(0)
        vectors = rng.normal(size=(6, 3))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        table = pd.DataFrame({"title": ["t"] * n, "genres": genres})

        def embed(texts):
            return vectors[["abcdef".index(t) for t in texts]]

        renamed = np.array(data.draw(st.permutations(range(6))))[groups]
        order = np.array(data.draw(st.permutations(range(n))))
        one, labels = merge_by_name(groups, table, MainGenre(), embed, tau)
        two, again = merge_by_name(renamed, table, MainGenre(), embed, tau)
        assert one.tolist() == two.tolist() and labels == again
        shuffled = table.iloc[order].reset_index(drop=True)
        three, other = merge_by_name(groups[order], shuffled, MainGenre(), embed, tau)
        together = one[order][:, None] == one[order][None]
        assert np.array_equal(together, three[:, None] == three[None])
        assert sorted(x.text for x in labels) == sorted(x.text for x in other)
        names = embed([label.text for label in labels])
        assert ((names @ names.T)[~np.eye(len(names), dtype=bool)] <= tau + 1e-9).all()


class TestMergingByActivation:
    def test_groups_of_the_same_users_merge(self):
        X = csr_matrix(np.kron(np.eye(2), np.ones((5, 4))))  # two blocks of users and items
        of_item = merge_by_activation(np.array([0, 0, 1, 1, 2, 2, 3, 3]), X, 0.5)
        assert of_item.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]

    def test_an_item_without_users_stays_apart(self):
        X = csr_matrix(np.array([[1.0, 1, 0], [1, 1, 0]]))
        assert merge_by_activation(np.array([0, 1, 2]), X, 0.5).tolist() == [0, 0, 1]

    def test_users_of_other_items(self):
        with pytest.raises(DataError, match="X has 3 items, the groups have 2"):
            merge_by_activation(np.array([0, 1]), csr_matrix(np.eye(3)), 0.5)


class TestSegmentation:
    @pytest.fixture
    def segmentation(self, embeddings) -> Segmentation:
        labels = [Label("Mixed", "test"), Label("Dark", "test")]
        return Segmentation(embeddings, np.array([0, 1, 1, 0, 1, 0]), labels, TITLES)

    def test_matrix_by_hand(self, embeddings, segmentation):
        # Segment 0: (0,+) twice and (1,−); segment 1: (0,−) twice and (2,+).
        expected = np.array([[1, -1, 0, 0], [-1, 0, 1, 0]]) / np.sqrt(2)
        assert np.allclose(segmentation.matrix.toarray(), expected)
        assert segmentation.latents(0) == [(0, 1), (1, -1)]

    def test_both_signs_in_one_segment(self):
        rows = csr_matrix(np.array([[1.0, 0], [-1.0, 0], [-1.0, 0], [0, 1.0], [0, -1.0]]))
        B = segment_matrix(rows, np.zeros(5, dtype=int)).toarray()
        assert np.allclose(B, np.array([[-1, 1]]) / np.sqrt(2))  # most items; of as many, plus

    def test_scores_are_x_A_Bt(self, segmentation):
        X = csr_matrix(np.eye(6, dtype=np.float32)[:4] + np.eye(6, dtype=np.float32)[2:])
        expected = X.toarray() @ ROWS @ segmentation.matrix.toarray().T
        assert np.allclose(segmentation.score(X), expected, atol=1e-6)
        chosen, scores = segmentation.recommend(X, 2)
        assert np.array_equal(chosen, np.argsort(-expected, axis=1, kind="stable"))
        assert np.allclose(scores, -np.sort(-expected, axis=1), atol=1e-6)

    def test_items_within_a_segment(self, segmentation):
        x = csr_matrix(np.array([[1.0, 0, 0, 0, 0, 0]], dtype=np.float32))
        positions, scores = segmentation.recommend_items(x, 0, n=3)
        assert positions.tolist() == [[5, 3, -1]]  # item 0 is seen
        assert scores[0, 0] == pytest.approx(0.9 * 0.7 + 0.1 * 0.7)
        seen, _ = segmentation.recommend_items(x, 0, n=3, exclude_seen=False)
        assert sorted(seen[0]) == [0, 3, 5]
        with pytest.raises(ConfigError, match="there is no segment 2"):
            segmentation.recommend_items(x, 2)

    def test_rows_of_a_page(self, segmentation):
        x = csr_matrix(np.array([[1.0, 0, 0, 0, 0, 0]], dtype=np.float32))
        rows = segmentation.rows(x, n_segments=2, n_items=2)
        assert rows["label"].tolist() == ["Mixed", "Mixed", "Dark", "Dark"]
        assert rows["title"].tolist()[:2] == ["Zeta", "Delta"]
        assert rows.groupby("label")["score"].apply(lambda s: s.is_monotonic_decreasing).all()

    def test_a_segment_with_nothing_left_gives_way_to_the_next_best(self, segmentation):
        x = csr_matrix(np.array([[1.0, 0, 0, 1, 0, 1]], dtype=np.float32))  # all of "Mixed"
        assert segmentation.recommend(x, 1)[0].tolist() == [[0]]
        rows = segmentation.rows(x, n_segments=1, n_items=9)
        assert rows["label"].tolist() == ["Dark"] * 3
        everything = segmentation.rows(csr_matrix(np.ones((1, 6), np.float32)))
        assert everything.empty and everything.columns.tolist() == rows.columns.tolist()

    def test_typical_members_are_those_of_their_segments_latents(self, segmentation):
        for segment, members in enumerate(segmentation.members):
            own = ROWS[members] @ segmentation.matrix[segment].toarray()[0]
            expected = [int(i) for _, i in sorted(zip(-own, members, strict=True))]
            assert segmentation.typical(segment, 9).tolist() == expected
            assert segmentation.typical(segment, 1).tolist() == expected[:1]
        with pytest.raises(ConfigError, match="there is no segment 2"):
            segmentation.typical(2, 1)

    def test_an_explanation_adds_up(self, segmentation):
        x = csr_matrix(np.array([[1.0, 0, 0, 0, 1.0, 0]], dtype=np.float32))
        table = segmentation.explain(x, 5)
        assert table["contribution"].sum() == pytest.approx(segmentation.embeddings.score(x)[0, 5])
        first = table.iloc[0]
        assert (first["latent"], first["because of"], first["segment"]) == (0, "Alpha", "Mixed")
        assert first["activation"] == pytest.approx(0.9)
        # Latent 1 with a plus is nobody's dominant one: item 5 itself is strongest there.
        assert table["owned"].tolist() == [True, False]
        assert table["segment"].tolist() == ["Mixed", "Mixed"]

    def test_an_explanation_names_the_strongest_item_where_no_segment_owns_a_latent(self):
        rows = csr_matrix(np.array([[0.9, 0.2], [0.9, -0.1], [-0.7, 0.3]]))
        labels = [Label("Up", "test"), Label("Down", "test")]
        segmentation = Segmentation(cl.ItemEmbeddings(rows), np.array([0, 0, 1]), labels, ["a"] * 3)
        table = segmentation.explain(np.array([0, 1, 0]), 0)
        assert table[["latent", "segment", "owned"]].values.tolist() == [
            [0, "Up", True],
            [1, "Down", False],  # item 2 has the most of +1, and is in Down
        ]

    @pytest.mark.parametrize("position", [6, -1, 0.5, "Alpha", None, True])
    def test_a_position_that_is_not_there(self, segmentation, position):
        x = csr_matrix(np.eye(6))[0]
        with pytest.raises(ConfigError, match=rf"no item {position!r}; they are 0 to 5"):
            segmentation.explain(x, position)
        for ask in (segmentation.latents, lambda s: segmentation.recommend_items(x, s)):
            with pytest.raises(ConfigError, match=rf"no segment {position!r}; they are 0 to 1"):
                ask(position)

    @pytest.mark.parametrize(
        ("users", "said"),
        [
            (np.eye(5), "X has 5 items, the segments have 6; use the same item order"),
            (np.eye(7), "X has 7 items"),
            ("Alpha", "users are a matrix of numbers, users × items, got str"),
            (np.full((1, 6), np.nan), "not finite"),
        ],
    )
    def test_users_that_do_not_fit(self, segmentation, users, said):
        X = users if isinstance(users, str) else csr_matrix(users)
        for ask in (
            segmentation.score,
            segmentation.recommend,
            segmentation.rows,
            lambda X: segmentation.recommend_items(X, 0),
            lambda X: segmentation.explain(X, 0),
        ):
            with pytest.raises(DataError, match=said):
                ask(X)

    @pytest.mark.parametrize("n_users", [0, 2])
    def test_where_one_user_is_meant(self, segmentation, n_users):
        X = csr_matrix(np.ones((n_users, 6)))
        for ask in (segmentation.rows, lambda X: segmentation.explain(X, 0)):
            with pytest.raises(DataError, match=f"one user is meant, got {n_users}; pass one row"):
                ask(X)
        assert segmentation.recommend(X, 1)[0].shape == (n_users, 1)

    def test_how_many_are_asked_for(self, segmentation):
        x = csr_matrix(np.eye(6))[0]
        with pytest.raises(ConfigError, match="n_items must be a whole number"):
            segmentation.rows(x, n_items=0)
        with pytest.raises(ConfigError, match="n_segments must be a whole number"):
            segmentation.rows(x, n_segments=1.5)

    def test_one_user_as_a_plain_row(self, segmentation):
        row = np.array([1.0, 0, 0, 0, 1.0, 0])
        pd.testing.assert_frame_equal(
            segmentation.explain(row, 5), segmentation.explain(csr_matrix(row), 5)
        )

    def test_table(self, segmentation):
        table = segmentation.segments
        assert table["label"].tolist() == ["Mixed", "Dark"]
        assert table["members"].tolist() == [[0, 3, 5], [1, 2, 4]]
        assert table["source"].tolist() == ["test", "test"]

    def test_save_and_load(self, segmentation, tmp_path):
        path = segmentation.save(tmp_path / "segments.npz")
        again = Segmentation.load(path, segmentation.embeddings)
        pd.testing.assert_frame_equal(again.segments, segmentation.segments)
        path.write_bytes(path.read_bytes()[:50])
        with pytest.raises(StorageError, match=r"is not a file of segments, or is damaged"):
            Segmentation.load(path, segmentation.embeddings)
        with pytest.raises(StorageError, match="there is no file"):
            Segmentation.load(tmp_path / "none.npz", segmentation.embeddings)

    def test_load_for_the_same_items_in_the_same_order_only(self, segmentation, tmp_path):
        path = segmentation.save(tmp_path / "segments.npz")
        matrix = segmentation.embeddings.matrix
        ids = segmentation.embeddings.item_ids
        Segmentation.load(path, cl.ItemEmbeddings(matrix, ids.astype(str).astype(object)))
        with pytest.raises(DataError, match="or another order of them; load it with"):
            Segmentation.load(path, cl.ItemEmbeddings(matrix[::-1], ids[::-1]))

    def test_a_file_of_another_version(self, segmentation, tmp_path, monkeypatch):
        monkeypatch.setattr("celsa_lib.segments.segmentation.VERSION", 1)
        path = segmentation.save(tmp_path / "segments.npz")
        monkeypatch.undo()
        with pytest.raises(StorageError, match="version 3; make it again and save it"):
            Segmentation.load(path, segmentation.embeddings)

    @pytest.mark.parametrize(
        "of_item", [[0, 0, 0], [0, 0, 0, 0, 0, 2], [0] * 6, [[0, 1] * 3], [0.0, 1.0] * 3]
    )
    def test_parts_that_do_not_fit(self, embeddings, of_item):
        with pytest.raises(DataError):
            Segmentation(embeddings, np.array(of_item), [Label("a", "t"), Label("b", "t")], TITLES)


class TestSegmentItems:
    def test_offline_by_default(self, embeddings, items, monkeypatch):
        monkeypatch.setenv("CELSA_OFFLINE", "1")
        segmentation = cl.segment_items(embeddings, items)
        assert sum(map(len, segmentation.members)) == 6
        assert set(segmentation.segments["source"]) == {"class-based TF-IDF"}

    def test_items_of_another_order(self, embeddings, items):
        with pytest.raises(DataError, match="indexed by the embeddings' item ids"):
            cl.segment_items(embeddings, items.iloc[::-1])

    @pytest.fixture
    def bought(self, histories) -> cl.Dataset:
        """Items 101, 102, …, called "Title 101", …"""
        users, columns = histories.nonzero()
        table = pd.DataFrame({"user_id": users, "item_id": columns + 101})
        ids = np.arange(101, 161)
        titles = pd.DataFrame({"title": [f"Title {item}" for item in ids]}, index=ids)
        return cl.load_interactions(table, items=titles, min_user_interactions=1)

    def test_rows_of_a_fitted_model_are_the_items_of_its_data(self, bought, tmp_path):
        """Ids that do not start at 0: right after training and from a file."""
        data = bought
        split = cl.split_users(data.X, n_test=20, seed=42)
        model = cl.CompressedELSA(8, 2, "constant", epochs=1, progress=False)
        emb = model.fit(split.train, data.item_ids).item_embeddings
        loaded = cl.ItemEmbeddings.load(emb.save(tmp_path / "items.npz"))
        seg = cl.segment_items(emb, data.items)
        again = cl.segment_items(loaded, data.items)
        pd.testing.assert_frame_equal(seg.segments, again.segments)
        for number, members in seg.segments["members"].items():
            titles = seg.titles[seg.members[number]].tolist()
            assert titles == [f"Title {item}" for item in members]

    def test_items_that_are_not_those_of_the_rows(self, bought, items):
        rows = csr_matrix(np.eye(60))
        with pytest.raises(DataError, match=r"0, 1, 2 … \(60\), not .*\(6\)"):
            cl.segment_items(cl.ItemEmbeddings(rows), items)
        shifted = cl.ItemEmbeddings(rows, np.arange(100, 160))
        said = r"100, 101, 102 … \(60\), not 101, 102, 103 .*fit\(X, item_ids=data.item_ids\)"
        with pytest.raises(DataError, match=said):
            cl.segment_items(shifted, bought.items)
        with pytest.raises(DataError, match="no column title, only genres"):
            cl.segment_items(shifted, items[["genres"]])

    def test_every_item_in_one_segment_and_signs_true_to_the_rows(self, real_data):
        test = cl.data.load_goodbooks_test_users(real_data)
        books = cl.load_dataset("goodbooks-10k-v1", data_dir=real_data).items
        items = books.reindex(test.item_ids)
        embeddings = cl.ItemEmbeddings(test.released, test.item_ids)
        groups = group_items(test.released)
        assert len(groups) == 3241  # measured elsewhere on these embeddings
        segmentation = cl.segment_items(embeddings, items, embed=one_hot)
        assert len(segmentation) < 3241
        assert sum(map(len, segmentation.members)) == 10_000
        latents, signs = dominant_latents(test.released)
        at_dominant = segmentation.matrix[segmentation.of_item, latents].A1
        assert (np.sign(at_dominant) == signs).mean() > 0.99  # but where signs clash in a segment
        assert (at_dominant != 0).all()


class TestSentences:
    def test_the_default_model(self):
        embedder = SentenceEmbedder()
        names = ["Crime Fiction", "Detective Stories", "Sourdough Baking", "Crime Fiction"]
        vectors = embedder.embed(names)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
        assert np.array_equal(vectors[0], vectors[3])

    def test_a_model_that_is_not_here(self, monkeypatch):
        monkeypatch.setenv("CELSA_OFFLINE", "1")
        with pytest.raises(ConfigError, match="CELSA_OFFLINE=1 forbids a download"):
            SentenceEmbedder("nobody/nothing").embed(["a"])

    def test_changed_weights_are_refused(self, monkeypatch):
        monkeypatch.setattr("celsa_lib.segments.sentences.WEIGHTS_SHA256", "0" * 64)
        with pytest.raises(DataError, match="holds other weights"):
            SentenceEmbedder().embed(["a"])


def test_the_committed_names_replay_for_the_released_embeddings(real_data):
    """No key, no network: the largest groups have stored names, the others the describer's."""
    test = cl.data.load_goodbooks_test_users(real_data)
    items = cl.load_dataset("goodbooks-10k-partial", data_dir=real_data).items
    items = items.reindex(test.item_ids)
    members = group_items(test.released).members
    stored = AnswerCache(ROOT / "results/names/goodbooks-released.jsonl")
    labels = ReplayDescriber(stored, TfidfDescriber()).describe(members, items)
    by_size = sorted(range(len(members)), key=lambda g: (-len(members[g]), g))
    sources = [labels[g].source for g in by_size]
    assert sources[:40] == ["the book's authors (stored)"] * 40
    assert set(sources[40:]) == {"class-based TF-IDF"}
    redwall = int(np.flatnonzero(items["title"].str.startswith("Redwall (Redwall, #1"))[0])
    assert labels[group_items(test.released).of_item[redwall]].text == "Redwall Animal Fantasy"
