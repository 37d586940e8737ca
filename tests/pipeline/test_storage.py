"""A run file that keeps of targeted rollouts what they share: results are those of a file that keeps everything."""

import duckdb
import pytest
from rich.console import Console

from odd.cli.summary import print_summary
from odd.config import TeacherConfig, parse_config
from odd.errors import OddError
from odd.pipeline.worker import add_teachers, run
from odd.store import RunReader, RunWriter
from odd.store.schema import SCHEMA_VERSION
from odd.store.state import load_question_state
from tests.runs import RESULTS, ROLLOUTS, assert_same_results, quick_config, rows

SHARED = {"targeted": "shared", "whole": 1}
SCORED = tuple(sql for sql in RESULTS if sql != ROLLOUTS)
FACTS = "SELECT question, rollout, stage, chunk, launch, length, answer, correct, truncated FROM rollouts ORDER BY ALL"
KEPT = "SELECT count(*), count(*) FILTER (length > len(token_ids)), sum(len(token_ids)) FROM rollouts"
TEXTS = "SELECT question, rollout, text FROM rollouts WHERE text IS NOT NULL ORDER BY ALL"


def most_cut(path):
    """The question with the most rollouts that are cut."""
    return rows(path, "SELECT mode(question) FROM rollouts WHERE length > len(token_ids)")[0][0]


def stored(folder, storage, **changes):
    return run(quick_config(folder, storage=storage, **changes), lambda step: None, rescore="analysis" in changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("whole"), {"targeted": "all"})


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("shared"), SHARED)


def test_tree_and_scores_are_those_of_whole_rollouts(whole, shared):
    assert whole.name == shared.name
    assert_same_results(whole, shared, (*SCORED, FACTS))
    ((rollouts, cut, tokens),) = rows(shared, KEPT)
    assert 0 < cut < rollouts and tokens < rows(whole, KEPT)[0][2]


def test_initial_rollouts_and_a_sample_of_each_forced_prefix_and_outcome_keep_tokens_and_text(whole, shared):
    every, kept = dict.fromkeys(rows(whole, TEXTS)), rows(shared, TEXTS)
    assert set(kept) <= every.keys()
    assert rows(shared, "SELECT count(*) FROM rollouts WHERE (text IS NULL) <> (length > len(token_ids))") == [(0,)]
    assert rows(shared, "SELECT count(*) FROM rollouts WHERE stage = 'initial' AND text IS NULL") == [(0,)]
    least = """
        SELECT min(whole) FROM (SELECT count(text) AS whole FROM rollouts WHERE stage = 'targeted'
        GROUP BY question, token_ids[:launch], correct)"""
    assert rows(shared, least) == [(1,)]


def test_a_teacher_added_later_scores_the_same(tmp_path):
    late = TeacherConfig(name="Late", context="1c")
    files = []
    for storage in ({"targeted": "all"}, SHARED):
        folder = tmp_path / str(len(files))
        folder.mkdir()
        path = stored(folder, storage)
        files.append(add_teachers(path.parent, path.stem, [late], lambda step: None))
    assert_same_results(*files, SCORED)
    assert rows(files[1], "SELECT count(*) > 0 FROM scores WHERE teacher = 'Late'") == [(True,)]


def test_another_analysis_of_what_is_kept_is_that_of_whole_rollouts(tmp_path):
    files = []
    for storage in ({"targeted": "all"}, SHARED):
        folder = tmp_path / str(len(files))
        folder.mkdir()
        stored(folder, storage)
        files.append(stored(folder, storage, analysis={"n_sig": 4, "posterior_draws": 50, "prior": "siblings"}))
    assert_same_results(*files, SCORED)


def test_a_run_that_was_killed_before_it_cut_ends_in_the_same_file(tmp_path, shared):
    config, seen = quick_config(tmp_path, storage=SHARED), []

    def stop(step):
        seen.append(step)
        if step.stage == "targeted" and step.done == step.total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, stop)
    assert_same_results(run(config, lambda step: None), shared, (*SCORED, FACTS, TEXTS, ROLLOUTS))


def test_automatically_only_many_tokens_are_cut(tmp_path, whole):
    assert rows(whole, KEPT)[0][1] == 0
    few, many = tmp_path / "few", tmp_path / "many"
    few.mkdir(), many.mkdir()
    assert rows(stored(few, {}), KEPT)[0][1] == 0
    assert rows(stored(many, {"many": 1}), KEPT)[0][1] > 0


def test_minillm_needs_all_tokens(tmp_path, shared):
    minillm = {"n_sig": 6, "posterior_draws": 60, "objectives": [{"name": "reverse_kl"}, {"name": "minillm"}]}
    with pytest.raises(OddError, match="minillm reads all tokens"):
        quick_config(tmp_path, storage=SHARED, analysis=minillm)
    stored(tmp_path, SHARED)
    with pytest.raises(OddError, match=r"storage\.targeted=all"):
        stored(tmp_path, {}, analysis=minillm)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert rows(stored(fresh, {"many": 1}, analysis=minillm), KEPT)[0][1] == 0


def test_the_counts_say_how_many_rollouts_are_whole(shared):
    with RunReader(shared) as reader:
        questions = reader.query("questions")
        studied = questions[questions["targeted_rollouts"] > 0]
        assert (studied["targeted_whole"] < studied["targeted_rollouts"]).all() and (
            studied["targeted_whole"] > 0
        ).all()
        tokens = reader.query("drawn_tokens")["tokens"].item()
    assert tokens == rows(shared, "SELECT sum(length - launch) FROM rollouts WHERE question < 2")[0][0]


def test_texts_are_drawn_from_whole_rollouts_and_say_of_how_many(whole, shared):
    asked = {"question": most_cut(shared), "prefix": [], "depth": 0, "tokens": list(range(5000)), "draw": 0, "each": 1}
    found = []
    for path in (whole, shared):
        with RunReader(path) as reader:
            launches = reader.query("rollout_lengths", question=asked["question"])["launch"].unique().tolist()
            found.append(reader.query("continuations", launches=launches, **asked).set_index(["token", "correct"]))
    every, some = found
    assert every["kept"].equals(every["found"]) and every["found"].equals(some["found"])
    assert (some["kept"] > 0).all() and (some["kept"] < some["found"]).any() and some["whole"].all()


def test_the_summary_says_how_many_targeted_rollouts_have_a_text(whole, shared):
    written = []
    for path in (whole, shared):
        console = Console(record=True, width=200)
        print_summary(path, None, None, console)
        written.append(console.export_text())
    assert "text of" in written[1] and "text of" not in written[0]


def test_lone_rollouts_in_the_tree_say_how_many_of_their_tokens_are_missing(shared):
    question = most_cut(shared)
    cut = f"SELECT token_ids, length FROM rollouts WHERE question = {question} AND length > len(token_ids) LIMIT 1"
    ((tokens, length),) = rows(shared, cut)
    with RunReader(shared) as reader:
        asked = {"prefix": tokens[:-1], "depth": len(tokens) - 1, "stored": [], "most": 9}
        missing = reader.query("tree_singles", question=question, **asked)["missing"]
    assert length - len(tokens) in missing.tolist()


def test_a_file_of_version_3_is_read_and_continued(tmp_path, whole):
    config = quick_config(tmp_path)
    path = run(config, lambda step: None)
    with duckdb.connect(str(path)) as connection:
        for name in ("question_summary",):
            connection.execute(f"DROP VIEW {name}")
        connection.execute("ALTER TABLE rollouts DROP COLUMN length")
        connection.execute("UPDATE meta SET value = '3' WHERE key = 'schema_version'")
    with RunReader(path) as reader:
        assert reader.query("drawn_tokens")["tokens"].item() > 0
        assert (reader.query("questions")["targeted_whole"] == reader.query("questions")["targeted_rollouts"]).all()
    assert_same_results(run(config, lambda step: None), whole, (*SCORED, FACTS))
    with RunWriter(tmp_path / "cache", path.stem) as writer:
        assert writer.meta()["schema_version"] == str(SCHEMA_VERSION)
        assert not any(one.missing for one in load_question_state(writer, 0).targeted)


def test_how_much_is_kept_does_not_change_the_settings_that_are_read_back(shared):
    with RunReader(shared) as reader:
        assert '"storage"' in reader.meta["config"]
    assert parse_config({"storage": SHARED}).storage.whole == 1
