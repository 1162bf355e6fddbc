"""Pages of segments: escaped, complete, true to the numbers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib import report
from celsa_lib.errors import DataError
from celsa_lib.experiments import (
    SegmentStudy,
    planted_agreement,
    prepare,
    run_segments,
    segment_config,
)
from celsa_lib.experiments.segment_study import OWN
from celsa_lib.models.registry import RECOMMENDED
from celsa_lib.results import save_result
from celsa_lib.segments import AnswerCache, Label, Segmentation, group_items
from celsa_lib.segments.naming.prompt import answer_key, group_messages

HOSTILE = '<script>alert(1)</script> & "quoted"'


@pytest.fixture
def segmentation() -> Segmentation:
    rows = np.array([[0.9, 0.1, 0], [-0.8, 0.6, 0], [0.1, 0.9, 0], [0, 0.5, -0.9]], np.float32)
    labels = [Label(HOSTILE, HOSTILE), Label("Second", "test")]
    titles = [HOSTILE, "Beta", "Gamma", "Delta"]
    return Segmentation(cl.ItemEmbeddings(csr_matrix(rows)), np.array([0, 0, 1, 1]), labels, titles)


@pytest.fixture(scope="module")
def live():
    config = segment_config("synthetic", "smoke", (0, 1))
    return run_segments(config, *prepare(config))


def test_nothing_from_data_or_a_describer_reaches_a_page_unescaped(segmentation):
    x = csr_matrix(np.array([[0, 1, 0, 0]], np.float32))
    pages = [
        report.catalogue(segmentation),
        report.home_page(segmentation.rows(x, 2, 2)),
        report.plain_table(report.segments_table(segmentation)),
        report.plain_table(segmentation.explain(x, 0)),
    ]
    for page in pages:
        assert "<script" not in page and "&lt;script" in page


def test_the_table_of_segments_is_by_size_or_by_choice(segmentation):
    """Both have two items; the second's were chosen by two of three users."""
    X = csr_matrix(np.array([[0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0]], np.float32))
    assert segmentation.chosen(X).tolist() == [1, 3]
    assert report.segments_table(segmentation)["segment"].tolist() == [HOSTILE, "Second"]
    assert report.segments_table(segmentation, 1, X)["segment"].tolist() == ["Second"]


def test_the_catalogue_has_every_segment(segmentation):
    page = report.catalogue(segmentation)
    assert page.count("<details>") == len(segmentation) == 2
    assert "50.00\N{NO-BREAK SPACE}% of the items. Latents +1, −2." in page


def test_arrows_stand_at_the_signed_latents_of_segments(segmentation):
    x = csr_matrix(np.array([[1, 0, 0, 1]], np.float32))
    axes = report.user_figure(segmentation, x, n_segments=1).axes[0]
    activations = segmentation.embeddings.activations(x)[0]
    bars = [bar.get_height() for bar in axes.patches]
    assert bars == pytest.approx(sorted(activations, reverse=True))
    chosen = int(segmentation.recommend(x, 1)[0][0, 0])
    arrows = {(round(note.xyann[0]), np.sign(note.xy[1] - note.xyann[1])) for note in axes.texts}
    order = np.argsort(-activations, kind="stable").tolist()
    assert arrows == {(order.index(i), s) for i, s in segmentation.latents(chosen)}


def test_the_figure_shows_one_user(segmentation):
    with pytest.raises(DataError, match="one user is meant, got 2"):
        report.user_figure(segmentation, csr_matrix(np.eye(4)[:2]))


def test_a_study_compares_the_same_sizes(live):
    table = report.shown(live).of("our embeddings").frame("groupings").set_index("grouping")
    for name in ("raw groups", "merged by names"):
        assert table.loc[name, "groups"] == table.loc[f"random, sizes of {name}", "groups"]
    rows = {
        r["grouping"]: r
        for r in live.rows
        if r.get("measure") == "ARI with planted segments" and r["space"] == OWN
    }
    assert rows["merged by names"]["value"] > rows["raw groups"]["value"] + 0.2
    assert rows["rarest genre"]["value"] == 1
    assert abs(rows["random, sizes of merged by names"]["value"]) < 0.05


def test_a_study_has_every_section_and_figures_of_it(live):
    shown = report.shown(live)
    sections = {row["section"] for row in live.rows}
    assert sections == {
        "groupings", "coherence", "agreement", "reach", "built in",
        "alignment", "tau", "stability", "seconds"
    }  # fmt: skip
    assert len(shown.figure("τ").axes) == 2
    assert len(shown.figure("coherence").axes) == 2
    stable = shown.frame("stability")
    assert stable["ARI"].between(-1, 1).all()
    assert stable["space"].unique().tolist() == [OWN, RECOMMENDED]
    assert stable["grouping"].tolist() == 2 * [
        "raw groups", "merged by names", "k-means, other starts on one dense ELSA",
        "k-means, a dense ELSA of each seed"
    ]  # fmt: skip
    shares = shown.of("our embeddings").frame("alignment")
    assert shares["share"].is_unique and len(shares) == 5


def test_a_study_of_items_without_genres():
    """Nothing is compared with genres; the rest is measured and shown as ever."""
    config = segment_config("synthetic", "smoke")
    dataset, task = prepare(config)
    bare = replace(dataset, items=dataset.items[["title"]], truth=None)
    shown = report.shown(run_segments(config, bare, task))
    table = shown.of("our embeddings").frame("groupings")
    assert len(table) == 7 and "rarest genre" not in set(table["grouping"])
    assert {"metadata (cosine)", "genres (weighted Jaccard)"} < set(table.columns)
    assert not [column for column in table.columns if column.endswith("rarest genre")]
    assert len(shown.figure("coherence").axes) == 2


def test_planted_segments_at_two_widths():
    table = report.planted_table(planted_agreement("smoke"))
    assert table["width"].tolist() == [16] * 4 + [64] * 4
    raw = table[table["grouping"] == "raw groups"]
    assert raw["groups"].is_monotonic_increasing and raw["purity"].is_monotonic_increasing
    merged = table[table["grouping"] == "merged by names"]
    assert (merged["groups"].to_numpy() <= raw["groups"].to_numpy()).all()
    assert set(table["grouping"][4:]) == {
        "raw groups", "merged by names", "merged by activation",
        "k-means, as many as merged by names"
    }  # fmt: skip
    compressed, recommended, dense = segment_config("synthetic", "smoke", width=16).methods
    assert compressed.params["width"] == 16 and dense.params["width"] == 64
    assert recommended.params == {"recipe": "recommended", "precision": "float32", "nnz": 16}


def test_a_stored_study_or_what_is_missing_of_it(live, tmp_path):
    save_result(live, tmp_path / "segments.json")
    stored = report.stored("segments", tmp_path)
    assert len(stored.figure("τ").axes) == 2
    table = stored.table("stability", caption="two seeds")
    assert table.startswith("<table")
    assert table.endswith("<p><small>two seeds; synthetic: stored results</small></p>")
    assert "Live run" not in stored.notice()
    for part in ("names", "groupings", "alignment"):
        note = stored.of("released embeddings").table(part, caption="released")
        assert "“released” is not in" in note and "<table" not in note
        note = report.shown(live).of("released embeddings").table(part, caption="released")
        assert "has no released" in note


def test_spaces_are_named_where_there_are_several(live):
    """And one of them alone is shown as a study of it would be."""
    for part in ("groupings", "alignment", "stability"):
        both = report.shown(live).frame(part)
        assert both["space"].unique().tolist() == [OWN, RECOMMENDED]
        for space in (OWN, RECOMMENDED):
            alone = report.shown(live).of(space).frame(part)
            lines = both[both["space"] == space].reset_index(drop=True)
            assert lines[alone.columns].equals(alone) and "space" not in alone


def test_stored_names_stand_beside_the_default_ones_and_are_escaped(live, tmp_path):
    """The synthetic embeddings pass for released ones; a person named the largest group only."""
    config = segment_config("synthetic", "smoke")
    dataset, task = prepare(config)
    study = SegmentStudy(config, dataset, task, None)
    task.ready["Released"] = study.own[0]
    members = sorted(group_items(study.own[0].matrix).members, key=len, reverse=True)
    cache = AnswerCache(tmp_path / "names.jsonl")
    [message] = group_messages(members[:1], study.items)
    cache.add(answer_key(HOSTILE, message), HOSTILE, "Fine Name")
    result = run_segments(config, dataset, task, names=cache)
    [row] = [row for row in result.rows if row["section"] == "names"]
    assert row["items"] == len(members[0]) and row["own by"] == "class-based TF-IDF"
    assert (row["stored"], row["stored by"]) == ("Fine Name", f"{HOSTILE} (stored)")
    page = report.shown(result).table("names", caption="names")
    assert "Fine Name" in page and "<script" not in page and "&lt;script" in page
    assert not any(row["section"] == "names" for row in live.rows)


def test_intervals_hold_their_value(live):
    for row in live.rows:
        if "low" in row:
            value = row.get("value", row.get("mean"))
            assert row["low"] - 1e-9 <= value <= row["high"] + 1e-9
