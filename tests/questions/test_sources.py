"""Questions are loaded completely or not at all, and errors in a file are reported with their location."""

import json

import pytest

from odd.config import PRESETS, QuestionsConfig
from odd.errors import OddError
from odd.questions.answers import extract_answer
from odd.questions.base import Question
from odd.questions.contexts import question_block
from odd.questions.isolated import JUDGE
from odd.questions.sources import bundled_sets, load_questions
from odd.questions.tiny_task import Problem, is_held_out
from odd.questions.verifiers import is_correct

GOOD = {"id": "a", "question": "What is 1+1?", "answer": "2", "kind": "number"}


def load(tmp_path, content, limit=None):
    file = tmp_path / "questions.jsonl"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_questions(QuestionsConfig(source=str(file), limit=limit))


def refused(tmp_path, content):
    with pytest.raises(OddError) as caught:
        load(tmp_path, content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def lines(*changes):
    return "\n".join(json.dumps(GOOD | {"id": f"q{i}"} | change) for i, change in enumerate(changes))


@pytest.mark.parametrize("name", bundled_sets())
def test_bundled_sets_load_and_accept_their_own_answers(name):
    questions = load_questions(QuestionsConfig(source=name))
    assert questions
    assert all(is_correct(q, extract_answer(f"Answer: {q.answer}")) for q in questions)


@pytest.mark.parametrize("name", PRESETS)
def test_the_questions_of_every_preset_are_bundled(name):
    assert PRESETS[name].questions.source in bundled_sets()


@pytest.mark.parametrize("name", [name for name in bundled_sets() if name.startswith("tiny-")])
def test_bundled_tiny_questions_were_never_trained_on(name):
    for q in load_questions(QuestionsConfig(source=name)):
        assert is_held_out(Problem("number", q.question, q.choices, q.answer, 1, ()))


def test_order_is_kept_and_the_limit_takes_the_first(tmp_path):
    text = lines({}, {}, {})
    assert [q.id for q in load(tmp_path, text)] == ["q0", "q1", "q2"]
    assert [q.id for q in load(tmp_path, text, limit=2)] == ["q0", "q1"]
    assert len(load(tmp_path, text, limit=9)) == 3


def test_blank_lines_byte_order_marks_and_carriage_returns_are_ignored(tmp_path):
    text = "\ufeff\n" + lines({}, {}).replace("\n", "\r\n\r\n") + "\r\n"
    assert len(load(tmp_path, text)) == 2


def test_line_breaks_of_unicode_inside_a_question_are_kept(tmp_path):
    text = "one\u2028two\u0085three"
    assert load(tmp_path, json.dumps(GOOD | {"question": text}, ensure_ascii=False))[0].question == text


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (lines({}, {}) + "\n{'id': 1}", "line 3: not JSON"),
        (lines({}) + "\n\n[1]", "line 3"),
        (lines({}) + f'\n{{"id": {"9" * 5000}}}', "line 2: not JSON (a number has too many digits)"),
        (lines({}) + "\n" + "[" * 100_000, "line 2: not JSON (it is nested too deeply)"),
        (lines({}, {"kind": "essay"}), "line 2: kind"),
        (lines({"answer": ""}), "line 1: answer"),
        (lines({"answr": "2"}), "line 1: answr"),
        (lines({"id": "a/b"}), "line 1: id"),
        (lines({"id": "a"}, {"id": "a"}), "'a' occurs twice"),
        (lines({"kind": "choice", "choices": ["x", "y"], "answer": "C"}), "answer letter, not 'C'"),
        (lines({"kind": "choice", "answer": "A"}), "2 to 10 choices"),
        (lines({"kind": "choice", "choices": ["x"] * 11, "answer": "A"}), "line 1: choices"),
        (lines({"kind": "yes_no", "answer": "maybe"}), "yes or no"),
        (lines({"answer": "two"}), "one number"),
        (lines({"shots": [{"question": "?"}]}), "line 1: shots.0.response"),
        ("", "empty"),
        ("\n \n", "empty"),
        (b'{"id": "\xff"}', "not UTF-8"),
    ],
)
def test_a_bad_file_is_refused_with_the_location(tmp_path, content, named):
    assert named in refused(tmp_path, content)


@pytest.mark.parametrize("source", ["no-such-set", "."])
def test_a_missing_file_lists_the_bundled_sets(source):
    with pytest.raises(OddError, match=", ".join(bundled_sets())):
        load_questions(QuestionsConfig(source=source))


def test_shots_are_earlier_turns_asked_like_the_question_itself(tmp_path):
    shot = {"question": "Which?", "choices": ["x", "y"], "response": "Answer: A"}
    question = load(tmp_path, lines({"shots": [shot]}))[0]
    assert question.messages() == [
        {"role": "user", "content": question_block("Which?", ("x", "y"))},
        {"role": "assistant", "content": "Answer: A"},
        {"role": "user", "content": question_block(question.question)},
    ]


def test_a_context_replaces_the_last_message_only(tmp_path):
    question = Question(**GOOD)
    assert question.messages("with examples") == [{"role": "user", "content": "with examples"}]


def test_gold_expressions_are_evaluated_many_at_a_time(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(JUDGE, "ask", lambda call, *golds, **_: asked.append((call, len(golds))) or True)
    questions = [Question(id=f"q{i}", question="?", answer=rf"\sqrt{{{i}}}", kind="expression") for i in range(50)]
    path = tmp_path / "q.jsonl"
    path.write_text("\n".join(question.model_dump_json() for question in questions))
    asked.clear()
    load_questions(QuestionsConfig(source=str(path)))
    assert asked == [("evaluated", 20), ("evaluated", 20), ("evaluated", 10)]
