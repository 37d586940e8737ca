"""Rollouts: forced tokens are kept, complete responses are not continued, and seeds are distinct."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odd.config import ModelConfig, SamplingConfig
from odd.models.registry import load_model
from odd.questions.answers import extract_answer
from odd.questions.base import Question
from odd.rollouts.sampling import chunks, derived_seed, sample_chunk

QUESTION = Question(id="sum", question="What is 8+6-3?", answer="11", kind="number")
SAMPLING = SamplingConfig(max_new_tokens=40)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(ModelConfig(name="tiny-s"), tmp_path_factory.mktemp("unused"))


@pytest.fixture(scope="module")
def draw(model):
    prompt = model.tokenizer.encode_chat(QUESTION.messages())

    def sample(forced, sampling=SAMPLING, question=QUESTION, stage="initial", chunk=0):
        return sample_chunk(model, question, prompt, forced, sampling, stage, chunk)

    return sample


@pytest.fixture(scope="module")
def initial(draw):
    return draw([()] * 60)


def ids(rollouts):
    return [tuple(rollout.token_ids.tolist()) for rollout in rollouts]


def start(rollout, length=None):
    return tuple(rollout.token_ids[:length].tolist())


def test_there_is_one_rollout_for_each_forced_prefix_and_it_begins_with_it(draw, initial):
    forced = [(), start(initial[0], 3), start(initial[1], 5), start(initial[0], 3)]
    made = draw(forced, stage="targeted", chunk=7)
    assert [rollout.forced for rollout in made] == forced
    assert all(len(rollout.token_ids) > rollout.launch for rollout in made)
    assert {(rollout.stage, rollout.chunk) for rollout in made} == {("targeted", 7)}


def test_only_what_was_drawn_has_log_probabilities(draw, model, initial):
    prompt = model.tokenizer.encode_chat(QUESTION.messages())
    for rollout in draw([(), start(initial[0], 4)]):
        assert rollout.log_probs.dtype == np.float32 and len(rollout.log_probs) == len(rollout.token_ids)
        assert np.isnan(rollout.log_probs).tolist() == [t < rollout.launch for t in range(len(rollout.token_ids))]
        scored = model.scorer.log_probs(prompt, rollout.token_ids.tolist())[
            np.arange(len(rollout.token_ids)), list(rollout.token_ids)
        ]
        np.testing.assert_allclose(rollout.log_probs[rollout.launch :], scored[rollout.launch :], atol=1e-4)


def test_a_complete_response_is_not_continued(draw, initial):
    whole = next(rollout for rollout in initial if not rollout.truncated)
    made, continued = draw([start(whole), start(whole, -1)])
    assert start(made) == start(whole) and np.isnan(made.log_probs).all()
    assert (made.text, made.answer, made.correct, made.truncated) == (
        whole.text,
        whole.answer,
        whole.correct,
        False,
    )
    assert len(continued.token_ids) >= len(whole.token_ids)


@pytest.mark.parametrize("excess", [0, 3])
def test_a_prefix_that_fills_the_limit_is_truncated(draw, excess):
    forced = (5,) * (SAMPLING.max_new_tokens + excess)
    (made,) = draw([forced])
    assert start(made) == forced and made.truncated and made.answer is None and not made.correct


def test_the_limit_counts_forced_tokens(draw, initial):
    sampling = SamplingConfig(max_new_tokens=6)
    made = draw([(), start(initial[0], 2), start(initial[0], 5)], sampling)
    assert [len(rollout.token_ids) for rollout in made] == [6, 6, 6]


def test_a_truncated_response_has_no_answer_though_its_text_shows_one(draw, model):
    answered = tuple(model.tokenizer.tokenizer("\nAnswer: 11")["input_ids"])
    (made,) = draw([answered], SamplingConfig(max_new_tokens=len(answered)))
    assert extract_answer(made.text) == "11"
    assert made.truncated and made.answer is None and not made.correct


def test_a_response_is_judged_by_its_answer(draw, model):
    end = next(token for token in range(10) if model.tokenizer.is_end(token))
    forced = [(*model.tokenizer.tokenizer(f"Answer: {answer}")["input_ids"], end) for answer in ("11", "12", "eleven")]
    assert [(made.answer, made.correct) for made in draw(forced)] == [("11", True), ("12", False), ("eleven", False)]


def test_the_text_holds_no_control_tokens(initial):
    assert not any("<|" in rollout.text for rollout in initial)


def test_a_chunk_is_the_same_each_time(draw, initial):
    again = draw([()] * 60)
    assert ids(again) == ids(initial)
    assert all((a.log_probs == b.log_probs).all() for a, b in zip(again, initial, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        {"chunk": 1},
        {"stage": "targeted"},
        {"question": QUESTION.model_copy(update={"id": "other"})},
        {"sampling": SAMPLING.model_copy(update={"seed": 1})},
    ],
)
def test_every_part_of_the_seed_changes_a_chunk(draw, initial, change):
    assert ids(draw([()] * 60, **change)) != ids(initial)


def test_rollouts_are_records(initial):
    with pytest.raises(dataclasses.FrozenInstanceError):
        initial[0].correct = True


PREFIXES = st.lists(st.lists(st.integers(0, 5), max_size=4).map(tuple), max_size=30)


@given(PREFIXES, st.integers(1, 7), st.randoms(use_true_random=False))
def test_chunks_do_not_depend_on_the_order_they_are_asked_in(forced, batch_size, random):
    assert chunks(random.sample(forced, len(forced)), batch_size) == chunks(forced, batch_size)


@given(PREFIXES, st.integers(1, 7))
def test_chunks_hold_every_prefix_once_and_are_full_but_the_last(forced, batch_size):
    made = chunks(forced, batch_size)
    flat = [prefix for chunk in made for prefix in chunk]
    assert sorted(flat) == sorted(forced)
    assert all(len(chunk) == batch_size for chunk in made[:-1]) and all(made)


@given(PREFIXES, st.integers(1, 7))
def test_prefixes_of_similar_length_are_adjacent(forced, batch_size):
    lengths = [len(prefix) for chunk in chunks(forced, batch_size) for prefix in chunk]
    assert lengths == sorted(lengths)


def test_a_derived_seed_depends_on_every_part():
    parts = (0, "sum", "initial", 0)
    seeds = {derived_seed(*parts)}
    for i, other in enumerate((1, "sum2", "targeted", 1)):
        seeds.add(derived_seed(*parts[:i], other, *parts[i + 1 :]))
    seeds |= {derived_seed(0, "sum", "initial"), derived_seed(0, "suminitial", 0), derived_seed("sum", 0, "initial", 0)}
    assert len(seeds) == 8


@given(st.lists(st.integers() | st.text()))
def test_a_derived_seed_fits_every_generator(parts):
    assert 0 <= derived_seed(*parts) < 2**63
