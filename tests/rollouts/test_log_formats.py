"""What trainers and evaluations write today is imported, in the exact form in which they write it."""

import json
import pickle
import zipfile

import numpy as np
import pytest
import torch

from odd.config import ModelConfig, parse_config
from odd.config.run import LOG_SOURCE as SOURCE
from odd.errors import OddError
from odd.models.registry import load_model
from odd.questions.base import Question
from odd.rollouts.importing import take_rollouts

SUM = Question(id="sum", question="What is 8+6-3?", answer="11", kind="number")
ASKED = SUM.messages()
RIGHT, WRONG = "8+6=14. 14-3=11.\nAnswer: 11", "8+6=13. 13-3=10.\nAnswer: 10"


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return load_model(ModelConfig(name="tiny-s"), tmp_path_factory.mktemp("unused"))


@pytest.fixture(scope="module")
def tokens(student):
    """Token ids of the prompt, and of a right and a wrong response."""
    end = student.tokenizer.end_token
    return student.tokenizer.encode_chat(ASKED), *([*student.tokenizer.encode(text), end] for text in (RIGHT, WRONG))


@pytest.fixture(scope="module")
def log_probs(student, tokens):
    """The student's log-probabilities of both responses."""
    prompt, *responses = tokens
    return [found[0].tolist() for found in student.scorer.token_log_probs(prompt, responses, (1.0,))]


def take(student, path, questions=(SUM,), source="tiny-demo", limit=None, **settings):
    config = {
        "questions": {"source": source, "limit": limit},
        "sampling": {"max_new_tokens": 64},
        "imported": {"files": [str(path)]} | settings,
    }
    return take_rollouts(parse_config(config), list(questions), student)


def outcomes(found):
    return [(list(one.token_ids), one.correct) for own in found.rollouts for one in own]


def lines(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def exported(prompt, response, log_probs, reward=1.0):
    """Return a sequence as prime-rl exports it."""
    ids, size = [*prompt, *response], len(prompt) + len(response)
    return {
        "schema_version": 1, "step": 7, "export_step": 7, "rank": 0, "micro_step": 0, "micro_sequence_idx": 0,
        "export_sequence_idx": 0, "run_id": None, "env_name": "math", "token_ids": ids,
        "position_ids": list(range(size)), "loss_mask": [False] * len(prompt) + [True] * len(response),
        "advantages": [0.5] * size, "losses": [{}] * size, "rewards": [reward] * size,
        "inference_logprobs": [0.0] * len(prompt) + log_probs, "trainer_logprobs": [None] * size,
        "entropy": [0.1] * size, "mismatch_kl": [None] * size,
    }  # fmt: skip


def test_a_token_export_of_prime_rl(student, tokens, log_probs, tmp_path):
    rows = [
        exported(tokens[0], response, own, reward)
        for response, own, reward in zip(tokens[1:], log_probs, (1, 0), strict=True)
    ]
    file = lines(tmp_path / "token_exports" / "step_7" / "rank_0.jsonl", *rows)
    (file.parent / "STABLE").touch()
    found = take(student, file.parent.parent)
    assert outcomes(found) == [(tokens[1], True), (tokens[2], False)]
    np.testing.assert_allclose(found.rollouts[0][0].log_probs, log_probs[0], rtol=1e-6)


def test_a_step_of_prime_rl_that_is_not_complete_is_refused(student, tokens, log_probs, tmp_path):
    for step in (7, 8):
        row = exported(tokens[0], tokens[1], log_probs[0]) | {"step": step, "export_step": step}
        file = lines(tmp_path / f"step_{step}" / "rank_0.jsonl", row)
        if step == 7:
            (file.parent / "STABLE").touch()
    account = take(student, tmp_path).account
    assert account.taken == 1 and "STABLE" in next(iter(account.refused))


def test_a_masked_gap_is_a_further_turn(student, tokens, log_probs, tmp_path):
    row = exported(tokens[0], tokens[1], log_probs[0])
    gap = len(tokens[0]) + 3
    file = lines(
        tmp_path / "rank_0.jsonl",
        row,
        row | {"loss_mask": [i != gap and one for i, one in enumerate(row["loss_mask"])]},
    )
    (tmp_path / "STABLE").touch()
    account = take(student, file).account
    assert account.taken == 1 and "further turns" in next(iter(account.refused))


def grpo(prompt, response, log_probs, reward):
    """Return a sample as NeMo-RL logs it: a batch of one, padded."""
    size = len(prompt) + len(response)
    return {
        "content": ["what the tokens say"], "rewards": [reward], "input_lengths": [size],
        "token_ids": [[*prompt, *response, 0, 0]],
        "token_loss_mask": [[0] * len(prompt) + [1] * len(response) + [0, 0]],
        "sample_loss_mask": [1.0], "advantages": [[0.3] * (size + 2)],
        "generation_logprobs": [[0.0] * len(prompt) + log_probs + [0.0, 0.0]],
        "prev_logprobs": [[0.0] * (size + 2)], "idx": 0,
    }  # fmt: skip


def test_training_data_of_nemo_rl(student, tokens, log_probs, tmp_path):
    rows = [
        grpo(tokens[0], response, own, reward)
        for response, own, reward in zip(tokens[1:], log_probs, (1.0, 0.0), strict=True)
    ]
    lines(tmp_path / "train_data_step12.jsonl", *rows)
    lines(tmp_path / "train_data_step13.jsonl", *rows)
    found = take(student, tmp_path, steps=(12,))
    assert outcomes(found) == [(tokens[1], True), (tokens[2], False)]
    np.testing.assert_allclose(found.rollouts[0][1].log_probs, log_probs[1], rtol=1e-6)


def test_a_table_of_swift_in_one_line(student, tmp_path):
    prompt = student.tokenizer.render_chat(ASKED)
    table = {
        "step": ["30", "30"], "prompt": [prompt] * 2, "completion": [RIGHT, WRONG], "Accuracy": [1.0, 0.0],
        "advantages": [0.7, -0.7], "entropy": [0.2, 0.3],
    }  # fmt: skip
    found = take(student, lines(tmp_path / "completions.jsonl", table, table))
    assert [correct for _, correct in outcomes(found)] == [True, False] * 2


def test_a_table_of_swift_without_rewards_is_verified(student, tmp_path):
    table = {"step": ["30"] * 2, "messages": [ASKED] * 2, "completion": [RIGHT, WRONG]}
    file = lines(tmp_path / "completions.jsonl", table)
    assert [correct for _, correct in outcomes(take(student, file, verify=True))] == [True, False]
    with pytest.raises(OddError, match="no reward"):
        take(student, file)


def test_lists_of_different_lengths_are_refused(student, tmp_path):
    file = lines(tmp_path / "a.jsonl", {"step": ["1", "1"], "prompt": ["?"], "completion": ["a", "b"]})
    with pytest.raises(OddError, match="line 1: its columns have different lengths, 1, 2"):
        take(student, file)


def dumped(prompt, response, log_probs, **fields):
    """Return a sample as slime dumps it."""
    return {
        "group_index": 0, "index": 0, "prompt": "as text", "tokens": [*prompt, *response], "response": "text",
        "response_length": len(response), "label": "11", "reward": 1.0, "loss_mask": None, "weight_versions": ["4"],
        "rollout_log_probs": log_probs, "teacher_log_probs": None, "status": "completed", "metadata": {},
    } | {"prompt": ASKED} | fields  # fmt: skip


def test_a_dump_of_slime(student, tokens, log_probs, tmp_path):
    samples = [
        dumped(tokens[0], tokens[1], log_probs[0]),
        dumped(tokens[0], tokens[2], log_probs[1], reward={"math": 0.0}, tokens=torch.tensor([*tokens[0], *tokens[2]])),
        dumped(tokens[0], tokens[2], log_probs[1], status="aborted"),
        dumped(tokens[0], tokens[2], log_probs[1], loss_mask=[1, 0, 1]),
    ]
    torch.save({"rollout_id": 5, "samples": samples}, tmp_path / "5.pt")
    found = take(student, tmp_path / "5.pt")
    assert outcomes(found) == [(tokens[1], True), (tokens[2], False)]
    np.testing.assert_allclose(found.rollouts[0][0].log_probs, log_probs[0], rtol=1e-6)
    assert set(found.account.refused) == {"its status is aborted", "its response contains further turns"}


class Touches:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_is_refused_and_executes_nothing(student, tmp_path, how):
    harm, file = {"samples": [Touches(tmp_path / "made")]}, tmp_path / "5.pt"
    torch.save(harm, file) if how == "torch" else file.write_bytes(pickle.dumps(harm))
    with pytest.raises(OddError, match="not a torch file of plain values") as caught:
        take(student, file)
    assert "\n" not in str(caught.value) and not (tmp_path / "made").exists()


def sample(text, value, **fields):
    """Return a sample as Inspect logs it."""
    said = {"role": "assistant", "content": text, "source": "generate"}
    return {
        "id": 1, "epoch": 1, "input": SUM.question, "target": "11", "messages": [*ASKED, said],
        "output": {"model": "m", "choices": [{"message": said, "stop_reason": "stop"}]},
        "scores": {"match": {"value": value, "answer": "11"}}, "metadata": {}, "store": {}, "events": [],
    } | fields  # fmt: skip


def archive(path, *samples, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("header.json", "{}")
        for number, one in enumerate(samples, start=1):
            file.writestr(f"samples/{number}_epoch_1.json", json.dumps(one))
        file.writestr("summaries.json", "[]")
    return path


def test_an_archive_of_inspect(student, tmp_path):
    parts = {"role": "assistant", "content": [{"type": "text", "text": WRONG}]}
    cut = [{"message": {"role": "assistant", "content": RIGHT}, "stop_reason": "max_tokens"}]
    found = take(
        student,
        archive(
            tmp_path / "log.eval",
            sample(RIGHT, "C"),
            sample(WRONG, "I"),
            sample("", "I", messages=[*ASKED, parts], output={"choices": [{"message": parts}]}),
            sample("", 1, messages=ASKED, output={"choices": cut}),
            sample("", 1, error={"message": "timeout"}),
            sample("", 1, output={"choices": [{"message": {"role": "assistant", "content": "", "tool_calls": [1]}}]}),
        ),
    )
    (own,) = found.rollouts
    assert [(one.text, one.correct, one.truncated) for one in own] == [
        (RIGHT, True, False),
        (WRONG, False, False),
        (WRONG, False, False),
        (RIGHT, False, True),
    ]
    assert set(found.account.refused) == {"it ended with an error", "its response calls tools"}


def test_an_archive_that_cannot_be_read_is_named(student, tmp_path):
    archive(tmp_path / "good.eval", sample(RIGHT, "C"))
    whole = (tmp_path / "good.eval").read_bytes()
    for number, content in enumerate((b"", b"PK", whole[:-30], whole[: len(whole) // 2])):
        (tmp_path / f"{number}.eval").write_bytes(content)
        with pytest.raises(OddError, match=f"{number}.eval: not an archive that can be read"):
            take(student, tmp_path / f"{number}.eval")


def test_several_scores_need_a_choice(student, tmp_path):
    scores = {"match": {"value": "C"}, "model": {"value": 0.0}}
    file = archive(tmp_path / "a.eval", sample(RIGHT, "", scores=scores))
    with pytest.raises(OddError, match="it has the scores match, model: choose it with --reward"):
        take(student, file)
    assert outcomes(take(student, file, reward="model"))[0][1] is False


def test_a_tool_call_of_trl_is_refused_and_the_rest_is_taken(student, tmp_path):
    calls = [{"role": "assistant", "content": "", "tool_calls": [{}]}, {"role": "tool", "content": "11"}]
    rows = [{"step": 1, "prompt": ASKED, "completion": one, "accuracy": 1.0} for one in (RIGHT, calls, calls[:1])]
    account = take(student, lines(tmp_path / "a.jsonl", *rows)).account
    assert account.taken == 1 and account.refused.total() == 2


def verl(student, response, gold, score=1.0, question=SUM):
    prompt = student.tokenizer.decode(student.tokenizer.encode_chat(question.messages()))
    return {"input": prompt, "output": response, "gts": gold, "score": score, "step": 1, "uid": "0_0"}


def test_the_gold_answers_of_a_log_make_its_questions(student, tmp_path):
    other = Question(id="b", question="Is 3+5 greater than 6?", answer="yes", kind="yes_no")
    rows = verl(student, RIGHT, "11"), verl(student, WRONG, "11", 0.0), verl(student, "Answer: yes", "yes", 1.0, other)
    found = take(student, lines(tmp_path / "1.jsonl", *rows), (), SOURCE)
    assert [(one.kind, one.answer) for one in found.questions] == [("number", "11"), ("yes_no", "yes")]
    assert [one.messages() for one in found.questions] == [ASKED, other.messages()]
    assert (found.account.agreeing, found.account.judged) == (3, 3)
    assert len(take(student, tmp_path, (), SOURCE, limit=1).questions) == 1


GOLDS = {
    "number": ("11", "number"), "list of one": (["11"], "number"), "whole number": (11, "number"),
    "fraction in TeX": (r"\frac{1}{2}", "expression"), "interval": ("[0, 1)", "expression"),
    "letter": ("B", "expression"), "word": ("red", "exact"), "yes": ("Yes", "yes_no"),
}  # fmt: skip


@pytest.mark.parametrize(("gold", "kind"), GOLDS.values(), ids=GOLDS)
def test_the_kind_follows_from_the_gold_answer_unless_it_is_chosen(student, tmp_path, gold, kind):
    file = lines(tmp_path / "1.jsonl", verl(student, RIGHT, gold))
    assert take(student, file, (), SOURCE).questions[0].kind == kind
    assert take(student, file, (), SOURCE, kind="exact").questions[0].kind == "exact"


@pytest.mark.parametrize("gold", [None, ["11", "12"], {"target": 11}, "", True])
def test_a_gold_answer_that_is_none_makes_no_question(student, tmp_path, gold):
    file = lines(tmp_path / "1.jsonl", verl(student, RIGHT, "11"), verl(student, RIGHT, gold, 1.0, SHORT))
    account = take(student, file, (), SOURCE).account
    assert account.taken == 1 and "no answer that can serve" in next(iter(account.refused))


SHORT = Question(id="short", question="What is 9+2?", answer="11", kind="number")


@pytest.mark.parametrize(
    ("given", "used"), [("gsm-7", "gsm-7"), ("not an id", "prompt-1"), ("prompt-9", "prompt-1"), (None, "prompt-1")]
)
def test_an_id_that_the_log_gives_is_kept_if_it_can_be_one(student, tmp_path, given, used):
    row = {"question": given, "prompt": ASKED, "response": RIGHT, "reward": 1, "answer": "11"}
    assert take(student, lines(tmp_path / "1.jsonl", row), (), SOURCE).questions[0].id == used


def test_one_id_for_two_prompts_names_neither(student, tmp_path):
    rows = [
        {"question": "a", "prompt": one.messages(), "response": RIGHT, "reward": 1, "answer": "11"}
        for one in (SUM, SHORT)
    ]
    assert [one.id for one in take(student, lines(tmp_path / "1.jsonl", *rows), (), SOURCE).questions] == [
        "prompt-1",
        "prompt-2",
    ]


def test_a_row_without_a_prompt_cannot_ask_the_log(student, tmp_path):
    rows = [
        {"prompt": ASKED, "response": RIGHT, "reward": 1, "answer": "11"},
        {"question": "a", "response": RIGHT, "reward": 1},
    ]
    assert take(student, lines(tmp_path / "1.jsonl", *rows), (), SOURCE).account.refused == {"it has no prompt": 1}


def test_a_tensor_that_repeats_its_storage_is_not_unpacked(student, tokens, tmp_path):
    sample = dumped(tokens[0], tokens[1], None, tokens=torch.zeros(1, dtype=torch.int64).expand(10**12))
    torch.save({"rollout_id": 5, "samples": [sample]}, tmp_path / "5.pt")
    with pytest.raises(OddError, match="more than 67,108,864 values in tensors"):
        take(student, tmp_path / "5.pt")


def test_two_gold_answers_of_one_prompt_are_not_mixed(student, tmp_path):
    account = take(
        student, lines(tmp_path / "1.jsonl", verl(student, RIGHT, "11"), verl(student, WRONG, "10")), (), SOURCE
    ).account
    assert account.taken == 1 and "gold answer differs" in next(iter(account.refused))


def test_with_a_kind_rewarded_responses_give_the_gold_answer(student, tmp_path):
    prompt = {"prompt": ASKED}
    rows = [
        prompt | {"response": text, "reward": reward}
        for text, reward in ((WRONG, 1), (RIGHT, 1), (RIGHT, 1), (WRONG, 0))
    ]
    found = take(student, lines(tmp_path / "1.jsonl", *rows), (), SOURCE, kind="number")
    assert found.questions[0].answer == "11" and (found.account.agreeing, found.account.judged) == (3, 4)


def test_a_log_with_neither_gold_answers_nor_a_kind_says_what_it_needs(student, tmp_path):
    file = lines(tmp_path / "1.jsonl", {"prompt": ASKED, "response": RIGHT, "reward": 1})
    with pytest.raises(OddError, match=r"no gold answers: give them with --questions FILE, or .* --kind KIND"):
        take(student, file, (), SOURCE)


def test_it_is_counted_which_responses_encode_to_the_same_tokens(student, tokens, tmp_path):
    spelled = [student.tokenizer.encode(character)[0] for character in "11"]
    rows = [{"token_ids": tokens[1]}, {"token_ids": [*spelled, student.tokenizer.end_token]}, {"response": RIGHT}]
    file = lines(tmp_path / "1.jsonl", *[{"question": "sum", "reward": 1.0} | row for row in rows])
    account = take(student, file).account
    assert (account.taken, account.from_text) == (3, 1)
    joint = student.tokenizer.encode("11") == spelled
    assert account.reencoded == 1 + joint


def test_log_probs_of_another_temperature_are_not_used(student, tokens, log_probs, tmp_path):
    halved = [[value / 2 - 0.3 for value in own] for own in log_probs]
    for logged, used in ((log_probs, True), (halved, False)):
        rows = [
            {"question": "sum", "reward": 1, "token_ids": ids, "log_probs": own}
            for ids, own in zip(tokens[1:], logged, strict=True)
        ]
        found = take(student, lines(tmp_path / "1.jsonl", *rows))
        assert found.account.log_probs["used"] is used and found.account.log_probs["checked"] == 2
        assert all(np.isnan(one.log_probs).any() != used for one in found.rollouts[0])


@pytest.mark.parametrize("own", [None, [-0.1], "short"])
def test_missing_log_probs_are_left_to_the_student(student, tokens, log_probs, tmp_path, own):
    own = log_probs[0][:-1] if own == "short" else own
    rows = [{"question": "sum", "reward": 1, "token_ids": tokens[1], "log_probs": one} for one in (log_probs[0], own)]
    found = take(student, lines(tmp_path / "1.jsonl", *rows))
    assert all(np.isnan(one.log_probs).all() for one in found.rollouts[0])


def test_prompt_tokens_that_the_template_does_not_give_are_refused(student, tokens, log_probs, tmp_path):
    good = exported(tokens[0], tokens[1], log_probs[0])
    other = exported([*tokens[0][:-1], 99, tokens[0][-1]], tokens[1], log_probs[0])
    (tmp_path / "STABLE").touch()
    account = take(student, lines(tmp_path / "rank_0.jsonl", good, other)).account
    assert account.taken == 1 and "chat template" in next(iter(account.refused))
