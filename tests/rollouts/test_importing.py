"""Logged rollouts are imported only if prompt, tokens and outcome are unambiguous."""

import json
import time

import pytest

from odd.config import ModelConfig, parse_config
from odd.errors import OddError
from odd.models.registry import load_model
from odd.questions.base import Question
from odd.rollouts.importing import take_rollouts
from odd.rollouts.log_formats import Record
from odd.rollouts.log_prompts import Prompts, Refused

SUM = Question(id="sum", question="What is 8+6-3?", answer="11", kind="number")
LONGER = Question(id="longer", question="What is 8+6-3? Or 4?", answer="4", kind="number")
PICK = [
    Question(id=f"pick{i}", question="Which is largest?", choices=choices, answer="B", kind="choice")
    for i, choices in enumerate((("1", "2"), ("3", "4")))
]
RIGHT, WRONG = "8+6=14. 14-3=11.\nAnswer: 11", "8+6=13. 13-3=10.\nAnswer: 10"
LIMIT = 40


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return load_model(ModelConfig(name="tiny-s"), tmp_path_factory.mktemp("unused"))


@pytest.fixture
def take(student, tmp_path):
    def taken(*rows, questions=(SUM,), **settings):
        file = tmp_path / "log.jsonl"
        file.write_text("\n".join(json.dumps({"question": "sum", "reward": 1.0} | row) for row in rows))
        imported = {"files": [str(file)]} | settings
        config = parse_config({"sampling": {"max_new_tokens": LIMIT, "batch_size": 2}, "imported": imported})
        return take_rollouts(config, list(questions), student)

    return taken


def test_text_is_tokenised_and_ended(take, student):
    (rollout,) = take({"response": RIGHT}).rollouts[0]
    assert rollout.token_ids.tolist() == [*student.tokenizer.encode(RIGHT), student.tokenizer.end_token]
    assert (rollout.text, rollout.answer, rollout.correct, rollout.truncated) == (RIGHT, "11", True, False)
    assert (rollout.stage, rollout.launch) == ("initial", 0)


def test_an_end_token_that_was_written_down_counts_once(take, student):
    marked = RIGHT + student.tokenizer.token_bytes(student.tokenizer.end_token).decode()
    found, plain = (take({"response": text}).rollouts[0][0] for text in (marked, RIGHT))
    assert found.token_ids.tolist() == plain.token_ids.tolist()


def test_token_ids_are_taken_as_they_are_without_padding(take, student):
    tokens = [*student.tokenizer.encode(RIGHT), student.tokenizer.end_token]
    found = take({"token_ids": tokens}, {"token_ids": [*tokens, 0, 0]})
    assert [list(rollout.token_ids) for rollout in found.rollouts[0]] == [tokens, tokens]


def test_a_response_that_reaches_the_limit_is_truncated_and_wrong_whatever_its_reward(take, student):
    long = student.tokenizer.encode("1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1")[:LIMIT]
    assert len(long) == LIMIT
    for row in ({"token_ids": long}, {"response": student.tokenizer.decode(long)}):
        (rollout,) = take(row).rollouts[0]
        assert (rollout.truncated, rollout.correct, rollout.answer) == (True, False, None)


def test_the_reward_decides_unless_answers_are_to_be_verified(take):
    rows = {"response": RIGHT, "reward": 0.2}, {"response": WRONG, "reward": 0.9}
    believed, judged = take(*rows), take(*rows, verify=True)
    assert [rollout.correct for rollout in believed.rollouts[0]] == [False, True]
    assert [rollout.correct for rollout in judged.rollouts[0]] == [True, False]
    assert [rollout.correct for rollout in take(*rows, threshold=0.1).rollouts[0]] == [True, True]
    assert (believed.account.agreeing, believed.account.judged) == (0, 2)


REFUSED = {
    "no reward": ({"response": RIGHT, "reward": None}, "no reward"),
    "control token in the text": ({"response": "a<|im_start|>b"}, "does not reproduce it"),
    "half a character": ({"response": "\ud800"}, "not valid Unicode"),
    "half a character in the prompt": ({"prompt": "\ud800", "response": RIGHT}, "prompt is not valid Unicode"),
    "half a character in a message": (
        {"prompt": [{"role": "user", "content": "\ud800"}], "response": RIGHT},
        "prompt is not valid Unicode",
    ),
    "too long": ({"response": "1+" * 60}, "longer than sampling.max_new_tokens, which is 40"),
    "just stops": ({"token_ids": [5, 6]}, "neither with an end token"),
    "no token": ({"token_ids": [10**6]}, "not in the student's vocabulary"),
    "unknown id": ({"question": "other", "response": RIGHT}, "no question has this id"),
    "nothing to go by": ({"question": None, "prompt": None, "response": RIGHT}, "neither question nor prompt"),
    "other text": ({"question": None, "prompt": [{"role": "user", "content": "?"}], "response": ""}, "no question"),
    "no chat": ({"question": None, "prompt": "What is 8+6-3?", "response": RIGHT}, "student's chat template"),
    "several turns": (
        {"prompt": [{"role": role, "content": "a"} for role in ("user", "assistant", "user")], "response": RIGHT},
        "turns other than",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("row", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_doubtful_row_is_refused_counted_and_exemplified(take, row, reason):
    account = take({"response": RIGHT}, row, row).account
    (found,) = account.refused
    assert reason in found and account.refused[found] == 2 and account.taken == 1
    assert "line 2" in account.examples[found]


def test_logs_without_a_single_rollout_are_refused_with_the_reasons(take):
    with pytest.raises(OddError, match=r"no reward .* \(1 rows, e\.g\. import .*line 1\)"):
        take({"response": RIGHT, "reward": None})


def test_questions_without_rollouts_are_left_out(take):
    found = take({"response": RIGHT}, questions=(LONGER, SUM))
    assert [question.id for question in found.questions] == ["sum"] and found.account.without == 1


def test_rollouts_come_in_chunks_as_sampled_ones_do(take):
    chunks = [rollout.chunk for rollout in take(*[{"response": RIGHT}] * 5).rollouts[0]]
    assert chunks == [0, 0, 1, 1, 2]


def test_the_digest_depends_on_tokens_and_outcomes(take):
    digests = {
        take({"response": RIGHT}).digest,
        take({"response": WRONG}).digest,
        take({"response": RIGHT, "reward": 0.0}).digest,
        take({"response": RIGHT}, {"response": RIGHT}).digest,
    }
    assert len(digests) == 4
    assert take({"response": RIGHT}).digest == take({"response": RIGHT, "reward": 0.9}).digest


def record(prompt):
    return Record("line 1", prompt=prompt)


def rendered(student, messages):
    return [student.tokenizer.render_chat(messages), student.tokenizer.decode(student.tokenizer.encode_chat(messages))]


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_text_prompts_are_turned_back_into_messages(student, system):
    messages = [{"role": "user", "content": "Solve:\nWhat is 8+6-3?\nUse \\boxed{}."}]
    messages = [{"role": "system", "content": system}, *messages] if system else messages
    for text in rendered(student, messages):
        asked = Prompts(student, [SUM]).asked(record(text))
        assert asked.messages == messages and asked.question == 0


def test_the_prompt_of_the_log_becomes_that_of_the_question(take):
    content = "Solve: What is 8+6-3?"
    found = take({"question": None, "prompt": [{"role": "user", "content": content}], "response": RIGHT})
    assert found.questions[0].messages() == [{"role": "user", "content": content}]
    assert (found.questions[0].question, found.questions[0].answer) == (SUM.question, "11")


def test_all_rollouts_of_a_question_have_one_prompt(take):
    rows = [{"prompt": [{"role": "user", "content": text}], "response": RIGHT} for text in ("a", "b", "a")]
    account = take(*rows).account
    assert account.taken == 2 and "differs" in next(iter(account.refused))


def test_the_longest_text_that_a_prompt_holds_is_its_question(student):
    prompts = Prompts(student, [SUM, LONGER])
    for question, number in ((SUM, 0), (LONGER, 1)):
        assert prompts.asked(record(({"role": "user", "content": f"Now: {question.question}"},))).question == number


def test_questions_of_the_same_text_are_told_apart_by_their_choices(student):
    prompts = Prompts(student, PICK)
    content = "Which is largest?\n(1) 3\n(2) 4"
    with pytest.raises(Refused, match="several"):
        prompts.asked(record(({"role": "user", "content": content},)))
    assert prompts.asked(record(({"role": "user", "content": "Which is largest? 3 or 4"},))).question == 1


def test_shots_are_recognised_in_text(student):
    question = Question(**SUM.model_dump() | {"shots": [{"question": "1+1?", "response": "Answer: 2"}]})
    for text in rendered(student, question.messages()):
        assert Prompts(student, [question]).asked(record(text)).messages == question.messages()


def test_unknown_turns_are_not_merged_into_one_message(student):
    turns = [{"role": r, "content": c} for r, c in (("user", "1+1?"), ("assistant", "2"), ("user", SUM.question))]
    for text in rendered(student, turns):
        with pytest.raises(Refused, match="chat template"):
            Prompts(student, [SUM]).asked(record(text))


def test_a_megabyte_of_turns_is_compared_with_the_template_in_linear_time(student):
    separator = student.tokenizer.render_chat([{"role": role, "content": "#"} for role in ("system", "user")]).split(
        "#"
    )[1]
    prompts, text = Prompts(student, [SUM]), separator * (1_000_000 // len(separator))
    for form in prompts._forms:
        began = time.process_time()
        assert form.contents(form.around[0] + text) is None
        form.contents(form.around[0] + text + form.around[-1])
        assert time.process_time() - began < 1
