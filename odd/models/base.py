"""What a language model has to offer: sampling continuations, scoring positions, and its tokenizer.

A model that can be enumerated exactly (`odd.models.tabular`) and a transformers model (`odd.models.transformers.hf`)
satisfy the same protocols, so everything above is tested against exact probabilities.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from odd.errors import OddError

Message = Mapping[str, str]


@dataclass(frozen=True)
class Capabilities:
    """What a sampler or scorer can do."""

    vocabulary_size: int
    max_context: int | None
    full_vocabulary: bool
    sampled_log_probs: bool


@dataclass(frozen=True)
class Generation:
    """Tokens that were drawn after a prefix, an end token included.

    `log_probs` is float32 of shape (T,), under the distribution that was sampled. `truncated`: no end token came
    within the limit.
    """

    token_ids: tuple[int, ...]
    log_probs: np.ndarray
    truncated: bool


class Sampler(Protocol):
    """Draws continuations."""

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        ...

    def sample(
        self,
        prefixes: Sequence[Sequence[int]],
        max_new_tokens: Sequence[int],
        temperature: float,
        seed: int,
        batch_size: int | None = None,
    ) -> list[Generation]:
        """One continuation of each prefix (prompt and forced response tokens), at most `max_new_tokens[i]` long.

        At most `batch_size` are drawn at a time; None: all of them.

        The same arguments give the same result on the same machine.
        """
        ...


class Scorer(Protocol):
    """Gives next-token distributions."""

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        ...

    def read(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> Iterator[np.ndarray]:
        """Next-token distributions along responses, slice by slice, each distinct prefix once.

        Yields:
            Log-softmax in float32, (n, V): after the prompt and each prefix of the responses that a token follows, in
            the order of `odd.method.tree.distinct_places`.
        """
        ...

    def token_log_probs(
        self, prefix: Sequence[int], continuations: Sequence[Sequence[int]], temperatures: Sequence[float]
    ) -> list[np.ndarray]:
        """Log-probability of every token of many continuations of one prefix, float32 (len(temperatures), T) each.

        The same arguments give the same result on the same machine.
        """
        ...


class LanguageModel(Sampler, Scorer, Protocol):
    """A sampler and scorer with a chat tokenizer."""

    name: str

    @property
    def digest(self) -> str:
        """Hex digits that tell this model's weights and tokenizer from any other's."""
        ...

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the messages up to where the assistant's response starts."""
        ...

    def render_chat(self, messages: Sequence[Message]) -> str:
        """The same as text."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of a response, without control tokens."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of a response's text, without an end token."""
        ...

    @property
    def end_token(self) -> int:
        """The token that usually ends a response."""
        ...

    def is_end(self, token: int) -> bool:
        """Whether a response ends with this token."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """The bytes one token stands for; they need not be valid UTF-8 on their own."""
        ...

    def vocabulary(self) -> Mapping[str, int]:
        """Token strings and their ids."""
        ...


def check_same_vocabulary(student: LanguageModel, teacher: LanguageModel) -> None:
    """Token ids are identity: refuse a teacher that gives the same ids to other strings.

    Raises:
        OddError: the vocabularies differ; names both models and a token that shows it.
    """
    ours, theirs = student.vocabulary(), teacher.vocabulary()
    if ours == theirs:
        sizes = student.capabilities.vocabulary_size, teacher.capabilities.vocabulary_size
        if sizes[0] != sizes[1]:
            raise OddError(
                f"student {student.name!r} knows {sizes[0]} tokens and teacher {teacher.name!r} {sizes[1]}, though "
                "their tokenizers agree: one lacks embeddings for the last tokens; choose another teacher"
            )
        return
    example = min(token for token in ours.keys() | theirs.keys() if ours.get(token) != theirs.get(token))
    raise OddError(
        f"the vocabularies of student {student.name!r} and teacher {teacher.name!r} differ (token {example!r} is "
        f"{ours.get(example)} in one, {theirs.get(example)} in the other): choose a teacher with "
        "the student's tokenizer"
    )


def check_window(model: LanguageModel, whose: str, prompt: int, response: int) -> None:
    """Refuse what a model has no room for.

    Args:
        model: that would read it.
        whose: prompt it is, for the message.
        prompt: tokens of the prompt.
        response: most tokens of the response.

    Raises:
        OddError: together they exceed the model's window.
    """
    window = model.capabilities.max_context
    if window is not None and prompt + response > window:
        raise OddError(
            f"{whose}: a prompt of {prompt} and a response of up to {response} tokens do not fit the window of "
            f"{window} of model {model.name!r}: shorten the question or lower sampling.max_new_tokens"
        )
