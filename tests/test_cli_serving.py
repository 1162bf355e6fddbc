"""`celsa load` and `celsa recommend --from`: the same list as from the file."""

import pytest
from commands import call

import celsa_lib as cl
from celsa_lib.retrieval import engines


@pytest.fixture
def files(tmp_path):
    """Data and embeddings of it, of the recommended recipe's kind, in files."""
    from served_rows import anchored_rows

    rows = "".join(
        f"{user},{item},Film {item}\n" for user in range(60) for item in range(user % 7, 40, 2)
    )
    (tmp_path / "mine.csv").write_text("user_id,item_id,title\n" + rows)
    ids = cl.load_interactions(tmp_path / "mine.csv").item_ids
    made = anchored_rows(len(ids))
    embeddings = cl.ItemEmbeddings(made.matrix, ids, input_scales=made.input_scales)
    return embeddings.save(tmp_path / "rows.npz"), tmp_path / "mine.csv"


@pytest.mark.parametrize("name", ["sqlite", "qdrant-edge", "pgvector"])
def test_an_engine_is_filled_and_asked(name, files, tmp_path, request):
    if not engines.ENGINES[name].is_available:
        pytest.skip(f"{name} is not installed")
    place = ["--path", tmp_path / "engine"]
    if name == "pgvector":
        place = ["--dsn", request.getfixturevalue("postgres"), "--table", "by_command"]
    first = call("recommend", *files, "3", "--from", name, *place)
    assert first.exit_code == 1 and "no rows yet" in first.output
    done = call("load", *files, "--into", name, *place)
    assert "40 rows, 40 of them written now" in done.output
    assert "40 rows, 0 of them written now" in call("load", *files, "--into", name, *place).output
    asked = call("recommend", *files, "3", "5", "-n", 7, "--from", name, *place)
    assert asked.exit_code == 0 and len(asked.output.splitlines()) == 7
    assert asked.output == call("recommend", *files, "3", "5", "-n", 7).output
    near = call("similar", *files, "9", "-n", 6, "--from", name, *place)
    assert near.exit_code == 0 and len(near.output.splitlines()) == 6
    assert near.output == call("similar", *files, "9", "-n", 6).output


def test_what_does_not_fit_is_refused(files, tmp_path):
    assert "name the engine" in call("recommend", *files, "3", "--path", tmp_path).output
    assert "--table go with --from" in call("recommend", *files, "3", "--table", "a").output
    assert "where sqlite has its rows" in call("similar", *files, "3", "--from", "sqlite").output
    assert "no engine" in call("load", *files, "--into", "sqlight", "--path", tmp_path).output
    assert "would not keep" in call("load", *files, "--into", "exact").output
    assert "needs the address" in call("load", *files, "--into", "pgvector").output
