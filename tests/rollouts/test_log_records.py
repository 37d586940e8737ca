"""Rows in the formats of TRL, verl and ODD give the same records; malformed ones are refused with their location."""

import json
from pathlib import Path

import pandas as pd
import pytest

from odd.config import ImportConfig
from odd.errors import OddError
from odd.rollouts.log_records import read_records

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
VERL = {"input": "user\n1+1?\nassistant\n", "output": "Answer: 2", "gts": "2", "score": 1.0, "step": 3}
TRL = {"step": 3, "prompt": "1+1?", "completion": "Answer: 2", "accuracy_reward": 1.0, "advantage": 0.5}
OWN = {"question": "a", "token_ids": [5, 6, 2], "reward": 1}


def read(tmp_path, *rows, **settings):
    file = tmp_path / "log.jsonl"
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return read_records(ImportConfig(files=(str(file),), **settings))


def test_a_row_of_verl(tmp_path):
    (record,) = read(tmp_path, VERL)
    assert (record.prompt, record.response, record.reward, record.step) == (VERL["input"], "Answer: 2", 1.0, 3)


def test_a_row_of_trl_as_text_and_as_messages(tmp_path):
    asked = [{"role": "user", "content": "1+1?"}]
    talked = TRL | {"prompt": asked, "completion": [{"role": "assistant", "content": "Answer: 2"}]}
    text, messages = read(tmp_path, TRL, talked)
    assert (text.prompt, text.response, text.reward) == ("1+1?", "Answer: 2", 1.0)
    assert (messages.prompt, messages.response) == (tuple(asked), "Answer: 2")


def test_a_parquet_table_of_trl_is_read_like_its_rows(tmp_path):
    rows = [TRL, TRL | {"accuracy_reward": None}]
    pd.DataFrame(rows).to_parquet(tmp_path / "completions_00003.parquet")
    records = read_records(ImportConfig(files=(str(tmp_path),)))
    assert [record.reward for record in records] == [1.0, None]
    assert records[0].response == "Answer: 2" and records[0].step == 3


def test_a_row_in_our_own_format(tmp_path):
    tokens, text = read(tmp_path, OWN, {"prompt": "1+1?", "response": "2", "reward": True, "truncated": True})
    assert (tokens.question, tokens.token_ids, tokens.response, tokens.reward) == ("a", (5, 6, 2), None, 1.0)
    assert (text.prompt, text.response, text.reward, text.truncated) == ("1+1?", "2", 1.0, True)


@pytest.mark.parametrize("name", ["rollouts.jsonl", "rollouts-verl.jsonl", "rollouts-trl.parquet"])
def test_the_example_logs_hold_the_same_rewards(name):
    def rewards(file):
        return [record.reward for record in read_records(ImportConfig(files=(str(EXAMPLES / file),)))]

    assert rewards(name) == rewards("rollouts.jsonl") and len(rewards(name)) == 32


def test_one_step_is_taken_where_there_are_several(tmp_path):
    rows = [VERL, VERL | {"step": 4, "score": 0.0}, VERL | {"step": 5}]
    assert [record.reward for record in read(tmp_path, *rows, steps=(4,))] == [0.0]
    assert len(read(tmp_path, *rows, steps=(3, 5))) == 2
    with pytest.raises(OddError, match=r"3 training steps, 3, 4, 5, .*--step"):
        read(tmp_path, *rows)
    with pytest.raises(OddError, match="no rollout of step 9"):
        read(tmp_path, *rows, steps=(9,))


def test_the_reward_is_chosen_where_there_are_several(tmp_path):
    row = TRL | {"format_reward": 0.5}
    assert read(tmp_path, row, reward="format_reward")[0].reward == 0.5
    with pytest.raises(OddError, match="accuracy_reward, format_reward may be the reward: choose it with --reward"):
        read(tmp_path, row)
    with pytest.raises(OddError, match="line 1: there is no column 'nothing'"):
        read(tmp_path, row, reward="nothing")


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("{'a': 1}", "line 2: not JSON"),
        ("[1]", "line 2: not an object"),
        ({"text": "?"}, "line 2: columns text: a row needs verl's"),
        (OWN | {"token_ids": [1.5]}, "line 2: token_ids must be integers"),
        (VERL | {"score": "good"}, "line 2: column 'score' contains 'good': a number"),
        (OWN | {"token_ids": ["x" * 10**6]}, "line 2: token_ids must be integers"),
        ({f"column{i}" * 20: i for i in range(900)}, "line 2: columns column0"),
        (OWN | {"reward": 10**400}, "line 2: column 'reward' contains 1000.*: a number"),
        (OWN | {"step": float("inf")}, "line 2: column 'step' contains inf: a whole number"),
        (OWN | {"prompt": [[]]}, r"line 2: column 'prompt' contains \[\]: text"),
        (OWN | {"prompt": [{"role": "user"}]}, "line 2: column 'prompt' contains {'role': 'user'}"),
        (OWN | {"prompt": 5}, "line 2: column 'prompt' contains 5: text"),
    ],
)
def test_a_malformed_row_is_refused_with_its_location(tmp_path, row, named):
    with pytest.raises(OddError, match=named) as caught:
        read(tmp_path, OWN, row)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000


def test_a_missing_file_and_an_empty_folder_are_named(tmp_path):
    for name in ("nothing.jsonl", "nothing.parquet", "."):
        with pytest.raises(OddError, match=f"import {tmp_path / name}"):
            read_records(ImportConfig(files=(str(tmp_path / name),)))
