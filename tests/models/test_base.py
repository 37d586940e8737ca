"""Student and teacher have to mean the same tokens by the same ids."""

from dataclasses import dataclass

import pytest

from odd.errors import OddError
from odd.models.base import Capabilities, check_same_vocabulary


@dataclass
class Spelled:
    """As much of a model as the check looks at."""

    name: str
    tokens: dict[str, int]
    size: int = 3

    def vocabulary(self):
        return self.tokens

    @property
    def capabilities(self):
        return Capabilities(self.size, None, full_vocabulary=True, sampled_log_probs=True)


STUDENT = Spelled("student", {"a": 0, "b": 1, "c": 2})


def refusal(teacher):
    with pytest.raises(OddError) as caught:
        check_same_vocabulary(STUDENT, teacher)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_order_of_a_vocabulary_does_not_matter():
    check_same_vocabulary(STUDENT, Spelled("teacher", {"c": 2, "a": 0, "b": 1}))


@pytest.mark.parametrize(
    ("tokens", "example"),
    [
        ({"a": 0, "b": 2, "c": 1}, "'b' is 1"),
        ({"a": 0, "b": 1}, "'c' is 2"),
        (STUDENT.tokens | {"d": 3}, "'d' is None"),
    ],
)
def test_another_vocabulary_is_refused_with_both_names_and_an_example(tokens, example):
    message = refusal(Spelled("teacher", tokens))
    assert "'student'" in message and "'teacher'" in message and example in message


def test_one_tokenizer_with_too_few_embeddings_is_refused():
    assert "knows 3 tokens and teacher 'short' 2" in refusal(Spelled("short", STUDENT.tokens, size=2))
