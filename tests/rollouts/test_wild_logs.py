"""Logs as people have them: what can be imported is, and the rest is refused and counted, or named in one line."""

import gzip
import json
from pathlib import Path

import pytest

from odd.config import ModelConfig, parse_config
from odd.errors import OddError
from odd.models.registry import load_model
from odd.questions.files import read_questions
from odd.questions.sources import DATA
from odd.rollouts.importing import take_rollouts
from odd.rollouts.log_turns import TurnMarks

WILD = Path(__file__).parent / "wild"
TAKEN = {
    "truth-as-text.jsonl": ({"reward": "acc"}, [1, 0], {}),
    "score-none-text.jsonl": ({}, [1], {"no reward": 1}),
    "tool-response-inside.jsonl": ({}, [1, 0, 1, 0], {"further turns": 1}),
    "token-ids-of-two-turns.jsonl": ({}, [1, 0], {"further turns": 1}),
    "the-word-user.jsonl": ({}, [1, 1, 0, 1, 0], {}),
    "padded-token-ids.jsonl": ({}, [1, 0], {}),
    "role-tool.jsonl": ({}, [1, 0, 1, 0], {"further turns": 1}),
    "output-null.jsonl": ({}, [1, 0, 1, 0], {"no response": 1}),
    "completion-as-json-text.parquet": ({}, [1, 0, 1, 0], {}),
    "response-null.jsonl": ({}, [1, 0], {"no response": 1}),
    "truncated-as-text.jsonl": ({}, [1, 0, 1, 0], {}),
    "prompt-in-parts.parquet": ({}, [1, 0, 1, 0], {}),
    "completion-as-one-message.parquet": ({}, [1, 0, 1, 0], {}),
    "run": ({}, [1, 0, 1, 0], {}),
    "half-a-character.jsonl": ({}, None, {"not UTF-8": 1}),
    "zero-bytes-at-the-end.jsonl": ({}, None, {"zero bytes": 1}),
    "zero-bytes-inside.jsonl": ({}, None, {"zero bytes": 1}),
    "cut-in-the-last-line.jsonl": ({}, None, {"line is cut": 1}),
    "compressed.jsonl.gz": ({}, [1, 0, 1, 0], {}),
    "upper.PARQUET": ({}, [1, 0, 1, 0], {}),
    "plain.jsonl": ({}, [1, 0, 1, 0], {}),
}
NAMED = {
    "score-in-list.jsonl": ({}, ["line 2", "'score'", "a number is needed"]),
    "plain.jsonl": ({"reward": "acc"}, ["line 1", "no column 'acc'", "input, output, gts, score, step"]),
    "prompt-as-list-of-texts.parquet": ({}, ["row 1", "'prompt'", "messages with role and content"]),
}


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return load_model(ModelConfig(name="tiny-s"), tmp_path_factory.mktemp("unused"))


@pytest.fixture(scope="module")
def questions():
    return read_questions(DATA / "tiny-demo.jsonl")


def take(student, questions, path, **settings):
    imported = {"files": [str(path)]} | settings
    return take_rollouts(parse_config({"sampling": {"max_new_tokens": 128}, "imported": imported}), questions, student)


@pytest.mark.parametrize("name", TAKEN)
def test_what_can_be_imported_is_and_the_rest_is_counted(student, questions, name):
    settings, outcomes, refused = TAKEN[name]
    found = take(student, questions, WILD / name, **settings)
    rollouts = [rollout for own in found.rollouts for rollout in own]
    if outcomes is not None:
        assert [int(rollout.correct) for rollout in rollouts] == outcomes
    assert rollouts and not any(rollout.truncated for rollout in rollouts)
    assert sum(found.account.refused.values()) == sum(refused.values())
    assert all(any(part in reason for reason in found.account.refused) for part in refused)


@pytest.mark.parametrize("name", NAMED)
def test_what_cannot_be_read_is_named_in_one_line(student, questions, name):
    settings, parts = NAMED[name]
    with pytest.raises(OddError) as caught:
        take(student, questions, WILD / name, **settings)
    assert all(part in str(caught.value) for part in parts) and "\n" not in str(caught.value)


LINE = json.dumps({"question": "t011-level2", "response": "9-7=2.\nAnswer: 2", "reward": 1}) + "\n"
DAMAGED = {
    "zero bytes after a line": (LINE * 2 + "\0" * 4096).encode(),
    "zero bytes between lines": (LINE + "\0" * 100 + "\n" + LINE).encode(),
    "zero bytes inside a line": (LINE * 2 + LINE[:20] + "\0\0" + LINE[20:]).encode(),
    "half a character inside": (LINE * 2).encode() + LINE.replace("9-7", "9−7").encode("utf-8").replace(b"\x88", b""),
    "half a character at the end": (LINE * 2).encode() + LINE.encode()[:40] + "−".encode()[:2],
    "Latin-1": (LINE * 2).encode() + LINE.replace("Answer", "Réponse").encode("latin-1"),
    "last line without its end": (LINE * 2 + LINE[:-2]).encode(),
    "last line is one character": (LINE * 2 + "{").encode(),
    "compressed, cut": gzip.compress((LINE * 2).encode())[:-9],
    "compressed, with zero bytes": gzip.compress((LINE * 2 + "\0" * 50).encode()),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_costs_its_line_only(student, questions, tmp_path, name):
    file = tmp_path / ("log.jsonl.gz" if name.startswith("compressed") else "log.jsonl")
    file.write_bytes(DAMAGED[name])
    account = take(student, questions, file).account
    assert account.taken == 2 and account.refused.total() == 1


def test_a_broken_line_that_is_no_crash_names_its_place(student, questions, tmp_path):
    (tmp_path / "log.jsonl").write_text(LINE + "{'question': 1}\n" + LINE)
    with pytest.raises(OddError, match="line 2: not JSON"):
        take(student, questions, tmp_path / "log.jsonl")


@pytest.mark.parametrize(("encoding", "named"), [("utf-16", "UTF-16"), ("utf-16-be", "no rollout")])
def test_utf_16_is_said(student, questions, tmp_path, encoding, named):
    (tmp_path / "log.jsonl").write_text(LINE, encoding=encoding)
    with pytest.raises(OddError, match=named):
        take(student, questions, tmp_path / "log.jsonl")


def test_a_file_with_a_byte_order_mark_is_read(student, questions, tmp_path):
    (tmp_path / "log.jsonl").write_text(LINE, encoding="utf-8-sig")
    assert take(student, questions, tmp_path / "log.jsonl").account.taken == 1


def test_pretty_printed_json_is_said(student, questions, tmp_path):
    (tmp_path / "log.jsonl").write_text(json.dumps(json.loads(LINE), indent=2))
    with pytest.raises(OddError, match="one list or object over several lines"):
        take(student, questions, tmp_path / "log.jsonl")


def test_folders_are_read_one_level_deep(student, questions, tmp_path):
    for number, place in enumerate(("a.jsonl", "one/b.jsonl", "one/two/c.jsonl", "one/README.md")):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(LINE * (1 + number))
    assert take(student, questions, tmp_path).account.taken == 1 + 2


def test_other_files_in_a_folder_of_logs_are_left_out_and_counted(student, questions, tmp_path):
    (tmp_path / "a.jsonl").write_text(LINE)
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1, "loss": 0.5}\n' * 3)
    account = take(student, questions, tmp_path).account
    assert account.taken == 1
    assert account.refused == {"its file is not a log of rollouts (columns epoch, loss)": 1}
    with pytest.raises(OddError, match="a row needs"):
        take(student, questions, tmp_path / "metrics.jsonl")


def test_a_row_without_a_format_inside_a_log_stops_the_import(student, questions, tmp_path):
    (tmp_path / "a.jsonl").write_text(LINE + '{"epoch": 1, "loss": 0.5}\n')
    with pytest.raises(OddError, match="a row needs"):
        take(student, questions, tmp_path)


TURNS = {
    "tool result": "9-7\nuser\n<tool_response>2</tool_response>\nassistant\nAnswer: 2",
    "tool role": "9-7\ntool\n2\nassistant\nAnswer: 2",
    "spaces after the role": "9-7\ntool  \n2",
    "role at the end": "9-7=2\nAnswer: 2\nuser",
    "system": "9-7\nsystem\nBe brief.\nAnswer: 2",
    "observation": "9-7\nobservation\n2\nAnswer: 2",
}
NO_TURNS = ("The user asks.", "user: 2", "a tool\nfor it", "users\n2", "User\nAnswer: 2", "assistant professor\n2")


@pytest.mark.parametrize("text", TURNS.values(), ids=TURNS)
def test_a_turn_inside_a_response_is_seen(student, text):
    assert TurnMarks(student.tokenizer).found(text)


@pytest.mark.parametrize("text", NO_TURNS)
def test_the_name_of_a_role_in_a_sentence_is_no_turn(student, text):
    assert not TurnMarks(student.tokenizer).found(text)


class Llama:
    """A tokenizer whose template opens a turn with its role, without a line break before it."""

    def encode_chat(self, messages):
        return "".join(f"{message['role']}\n\n{message['content']}" for message in messages)

    def decode(self, tokens):
        return tokens


def test_a_template_without_line_breaks_between_turns_is_known(student):
    marks = TurnMarks(Llama())
    assert marks.found("I ask.user\n\n2assistant\n\nAnswer: 2") and not marks.found("the user\nasks")
