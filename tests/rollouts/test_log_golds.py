"""Gold answers, rewards and turns of logs as people write them."""

import pytest

from odd.config import ImportConfig
from odd.errors import OddError
from odd.rollouts.log_cells import gold
from odd.rollouts.log_records import read_records
from odd.rollouts.log_turns import shows_turn
from odd.text import parse_json

ROW = '{"prompt": "a", "completion": "b", "accuracy_reward": 1.0, "answer": 2, "step": 3}'


@pytest.mark.parametrize(
    "cell",
    [2, "2", ["2"], '["2"]', r"So $\boxed{2}$.", "9-7=<<9-7=2>>2\n#### 2", "<think>9-7</think><answer> 2 </answer>"],
)
def test_a_gold_answer_is_what_a_solution_ends_with(cell):
    assert gold(cell) == "2"


@pytest.mark.parametrize("cell", [None, True, ["2", "3"], '["2", "3"]', {"target": 2}, float("nan"), " "])
def test_several_answers_or_none_are_no_gold_answer(cell):
    assert gold(cell) is None


def records(tmp_path, *lines):
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_records(ImportConfig(files=(str(tmp_path / "log.jsonl"),)))


def test_a_gold_answer_that_is_a_number_is_no_reward(tmp_path):
    (record,) = records(tmp_path, ROW)
    assert (record.reward, record.gold) == (1.0, "2")


def test_a_cut_line_inside_a_log_costs_that_line(tmp_path):
    assert [record.refusal is None for record in records(tmp_path, ROW, ROW[:30], ROW)] == [True, False, True]


def test_a_message_with_an_image_costs_that_row(tmp_path):
    image = ROW.replace('"a"', '[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "a"}]}]')
    assert [record.refusal is None for record in records(tmp_path, ROW, image)] == [True, False]


def test_a_key_that_occurs_twice_is_named(tmp_path):
    with pytest.raises(ValueError, match="'a' occurs twice"):
        parse_json('{"a": 1, "a": 2}')
    with pytest.raises(OddError, match=r"line 1.*'step' occurs twice"):
        records(tmp_path, ROW.replace("}", ', "step": 4}'))


@pytest.mark.parametrize(
    "text", ["9-7\n<tool_response>2</tool_response>\nAnswer: 2", "<information>2</information>", "a\nuser\nb"]
)
def test_results_of_tools_are_further_turns(text):
    assert shows_turn(text)


@pytest.mark.parametrize("text", ["The user asks for 2.", "<tool_call>9-7</tool_call>", "for your information: 2"])
def test_words_about_turns_are_none(text):
    assert not shows_turn(text)
