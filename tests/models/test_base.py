"""Student and teacher must use the same ids for the same tokens."""

from dataclasses import dataclass

import numpy as np
import pytest

from odd.errors import OddError
from odd.models.base import LanguageModel, check_same_vocabulary, probed, same_model


@dataclass
class Spelled:
    """The part of a tokenizer and a scorer that the check uses."""

    tokens: dict[str, int]
    vocabulary_size: int

    def vocabulary(self):
        return self.tokens


def spelled(name, tokens, size=3):
    both = Spelled(tokens, size)
    return LanguageModel(name, "", both, both, both)


STUDENT = spelled("student", {"a": 0, "b": 1, "c": 2})


def refusal(teacher):
    with pytest.raises(OddError) as caught:
        check_same_vocabulary(STUDENT, teacher)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_order_of_a_vocabulary_does_not_matter():
    check_same_vocabulary(STUDENT, spelled("teacher", {"c": 2, "a": 0, "b": 1}))


@pytest.mark.parametrize(
    ("tokens", "example"),
    [
        ({"a": 0, "b": 2, "c": 1}, "'b' is 1"),
        ({"a": 0, "b": 1}, "'c' is 2"),
        (STUDENT.tokenizer.tokens | {"d": 3}, "'d' is None"),
    ],
)
def test_a_different_vocabulary_is_rejected_with_both_names_and_an_example(tokens, example):
    message = refusal(spelled("teacher", tokens))
    assert "'student'" in message and "'teacher'" in message and example in message


def test_a_model_with_too_few_embeddings_is_rejected():
    assert "has 3 tokens and teacher 'short' 2" in refusal(spelled("short", STUDENT.tokenizer.tokens, size=2))


def test_models_without_weights_here_are_recognized_by_their_log_probabilities():
    known = np.array([-1.0, -0.2, -5.0], dtype=np.float32)
    assert same_model(probed("ab", known), probed("ab", known + 0.01))
    assert not same_model(probed("ab", known), probed("ab", known - 1.0))
    assert not same_model(probed("ab", known), probed("cd", known))
    assert not same_model(probed("ab", known), probed("ab", known[:2]))
    assert not same_model(probed("ab", known), "ab")
    assert not same_model(probed("ab", known), "ab~x,y,z")


def test_digests_of_weights_are_compared_exactly():
    assert same_model("ab", probed("ab", None)) and not same_model("ab", "cd")
