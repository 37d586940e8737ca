"""The tokens of a run's rollouts that a trainer should learn from."""

import json

import numpy as np
import pandas as pd
import pytest
from datasets import load_dataset

from odd.config import WeightsConfig
from odd.errors import OddError
from odd.export.weights import SCHEMA, nodes_before, token_weights, training_rows, write_weights
from odd.store import RunReader
from tests.runs import rows as query

SCORES = np.array([0.5, np.nan, 0.0, -0.25, 0.98])


def rows_of(path, **asked):
    with RunReader(path) as reader:
        return training_rows(reader, WeightsConfig(**{"teacher": "tiny-m"} | asked))


def test_a_rule_keeps_what_is_above_its_threshold():
    assert token_weights(SCORES, "all", 0.0, 0.0).tolist() == [1, 1, 1, 1, 1]
    assert token_weights(SCORES, "alignment", 0.0, 0.0).tolist() == [1, 0, 0, 0, 1]
    assert token_weights(SCORES, "p_positive", 0.6, 0.5).tolist() == [0, 0.5, 0, 0, 1]


def test_a_rollout_is_followed_until_it_leaves_the_paths():
    children = {(0, 7): 1, (1, 8): 4}
    assert nodes_before([7, 8, 9], children) == [0, 1, 4]
    assert nodes_before([7, 9, 8], children) == [0, 1, None]
    assert nodes_before([], children) == []


def test_a_token_of_a_path_has_the_score_that_the_run_shows_for_it(finished):
    written, _ = rows_of(finished[1])
    shown = query(
        finished[1],
        "SELECT question, path, list(alignment ORDER BY position) FROM path_scores WHERE teacher = 'tiny-m' "
        "AND objective = 'reverse_kl' AND convention = 'on_policy-full-off' GROUP BY ALL ORDER BY ALL",
    )
    assert len(written) == len(shown) > 0
    ordered = written.sort_values(["question", "path"]).to_dict("records")
    for row, (question, path, alignment) in zip(ordered, shown, strict=True):
        assert (row["question"], row["path"]) == (question, path)
        np.testing.assert_allclose(row["scores"], np.array(alignment, dtype=float), rtol=1e-6)
        assert (row["loss_weights"] == (np.nan_to_num(row["scores"], nan=-1) > 0)).all()


def test_other_rollouts_share_the_scores_of_the_paths_as_far_as_they_go(finished):
    written, coverage = rows_of(finished[1], rollouts="initial")
    paths = written[written["path"].notna()]
    assert len(written) == coverage.rollouts == 96 > len(paths)
    first = {question: own["scores"].iloc[0][0] for question, own in paths.groupby("question")}
    for row in written.to_dict("records"):
        np.testing.assert_equal(row["scores"][0], first[row["question"]])
    beyond = [row for row in written.to_dict("records") if row["path"] is None]
    assert any(np.isnan(row["scores"][-1]) for row in beyond)


def test_coverage_counts_the_tokens_that_are_written(finished):
    for asked in ({}, {"rule": "p_positive"}, {"rollouts": "initial", "unscored": 0.25}, {"rule": "all"}):
        written, coverage = rows_of(finished[1], **asked)
        lengths = written["completion_ids"].map(len)
        assert coverage.tokens == lengths.sum() and coverage.rollouts == len(written)
        assert coverage.kept == sum(int((weights > 0).sum()) for weights in written["loss_weights"])
        assert coverage.scored == sum(int((~np.isnan(scores)).sum()) for scores in written["scores"])
        assert 0 < coverage.scored < coverage.tokens
        assert f"kept {coverage.kept:,} of {coverage.tokens:,} tokens" in str(coverage)
    assert coverage.kept == coverage.tokens


def test_p_positive_compares_the_probability(finished):
    settled, _ = rows_of(finished[1], rule="p_positive")
    likely, _ = rows_of(finished[1], rule="p_positive", threshold=0.5)
    assert all(((s >= 0) & (s <= 1) | np.isnan(s)).all() for s in settled["scores"])
    more = [b.sum() - a.sum() for a, b in zip(settled["loss_mask"], likely["loss_mask"], strict=True)]
    assert min(more) >= 0 and sum(more) > 0


@pytest.mark.parametrize("outcome", ["correct", "incorrect"])
def test_only_rollouts_of_one_outcome(finished, outcome):
    written, coverage = rows_of(finished[1], outcome=outcome)
    assert set(written["reward"]) == {float(outcome == "correct")}
    assert coverage.correct == (len(written) if outcome == "correct" else 0)


def test_a_row_holds_what_a_trainer_needs(finished):
    written, _ = rows_of(finished[1], teacher="Self-1C", rollouts="initial")
    drawn = "SELECT question, rollout, token_ids, log_probs FROM rollouts WHERE stage = 'initial'"
    rollouts = {(question, rollout): rest for question, rollout, *rest in query(finished[1], drawn)}
    shown = (
        "SELECT question, q.prompt_ids, c.prompt_ids FROM questions AS q JOIN contexts AS c USING (question) "
        "WHERE c.teacher = 'Self-1C' AND c.available"
    )
    prompts = {question: (own, teachers) for question, own, teachers in query(finished[1], shown)}
    for row in written.to_dict("records"):
        tokens, log_probs = rollouts[row["question"], row["rollout"]]
        assert row["completion_ids"].tolist() == tokens
        np.testing.assert_allclose(row["sampling_per_token_logps"], log_probs)
        assert (row["prompt_ids"].tolist(), row["teacher_prompt_ids"].tolist()) == prompts[row["question"]]
        assert len(row["teacher_prompt_ids"]) > len(row["prompt_ids"])
        assert row["completion_mask"].tolist() == [1] * len(tokens)
    assert set(written["question_id"]) == {"sum", "compare"}


def test_both_files_say_the_same_and_datasets_reads_them(finished, tmp_path):
    written, _ = rows_of(finished[1], rollouts="initial")
    parquet, lines, about = write_weights(written, {"run": "r"}, tmp_path)
    assert [file.name for file in (parquet, lines, about)] == ["weights.parquet", "weights.jsonl", "weights.json"]
    read = load_dataset("parquet", data_files=str(parquet), split="train", cache_dir=str(tmp_path / "hf"))
    assert read.column_names == SCHEMA.names and len(read) == len(written)
    parsed = [json.loads(line) for line in lines.read_text().splitlines()]
    assert parsed == [dict(row) for row in read]
    assert any(score is None for score in parsed[0]["scores"]) and "NaN" not in lines.read_text()
    frame = pd.read_parquet(parquet)
    np.testing.assert_array_equal(frame["loss_weights"][3], written["loss_weights"][3])


def test_out_may_be_a_prefix_of_the_file_names(finished, tmp_path):
    written, _ = rows_of(finished[1])
    files = write_weights(written, {}, tmp_path / "new" / "mine.v1")
    assert [file.name for file in files] == ["mine.v1.parquet", "mine.v1.jsonl", "mine.v1.json"]
    assert all(file.exists() for file in files) and len(list((tmp_path / "new").iterdir())) == 3


def test_a_path_that_cannot_be_written_gives_one_line(finished, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OddError, match=r"weights cannot be written .*: choose another folder or name"):
        write_weights(rows_of(finished[1])[0], {}, tmp_path / "file" / "weights")


@pytest.mark.parametrize(
    "asked, named",
    [
        ({"teacher": "nobody"}, "Self-1C1W"),
        ({"objective": "hinge"}, "reverse_kl"),
        ({"convention": "none"}, "on_policy-full-off"),
        ({"teacher": None}, "pass --teacher, one of tiny-m"),
    ],
)
def test_what_a_run_does_not_have_is_named_with_what_it_has(finished, asked, named):
    with pytest.raises(OddError, match=named):
        rows_of(finished[1], **asked)


def test_all_tokens_of_all_questions_are_available_without_a_teacher(finished):
    written, coverage = rows_of(finished[1], teacher=None, rule="all", rollouts="initial")
    assert set(written["question_id"]) == {"sum", "compare", "impossible"}
    assert coverage.kept == coverage.tokens and coverage.scored == 0
    assert written["teacher_prompt_ids"].isna().all()


def test_questions_without_a_prompt_of_the_teacher_are_left_out_and_counted(finished):
    written, coverage = rows_of(finished[1], rollouts="initial")
    assert "impossible" not in set(written["question_id"])
    assert coverage.without_teacher == 1 and "1 question left out" in str(coverage)
