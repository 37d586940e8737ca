"""What a language model has to offer: a tokenizer, a sampler of continuations, and a scorer of positions, each apart.

An exact table (`odd.models.tabular`) and a transformers model (`odd.models.transformers`) satisfy the same protocols,
so everything above is tested against exact probabilities.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from odd.errors import OddError

Message = Mapping[str, str]


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
    def max_context(self) -> int | None:
        """Tokens that prompt and response may have together; None for any number."""
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
    def vocabulary_size(self) -> int:
        """V, the tokens that distributions are over."""
        ...

    @property
    def max_context(self) -> int | None:
        """Tokens that prompt and response may have together; None for any number."""
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


class Tokenizer(Protocol):
    """Text to token ids and back. A server that samples has none of its own that matters: ids go in and come out."""

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


@dataclass(frozen=True)
class LanguageModel:
    """A tokenizer, and what samples and scores its tokens.

    Attributes:
        name: what the user calls it.
        digest: hex digits that tell its weights and tokenizer from any other's.
        tokenizer: its tokenizer.
        sampler: draws continuations.
        scorer: gives next-token distributions.
    """

    name: str
    digest: str
    tokenizer: Tokenizer
    sampler: Sampler
    scorer: Scorer


def check_same_vocabulary(student: LanguageModel, teacher: LanguageModel) -> None:
    """Token ids are identity: refuse a teacher that gives the same ids to other strings.

    Raises:
        OddError: the vocabularies differ; names both models and a token that shows it.
    """
    ours, theirs = student.tokenizer.vocabulary(), teacher.tokenizer.vocabulary()
    if ours == theirs:
        sizes = student.scorer.vocabulary_size, teacher.scorer.vocabulary_size
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


def check_window(window: int | None, name: str, whose: str, prompt: int, response: int) -> None:
    """Refuse what a model has no room for.

    Args:
        window: tokens that the model can take; None for any number.
        name: of the model.
        whose: prompt it is, for the message.
        prompt: tokens of the prompt.
        response: most tokens of the response.

    Raises:
        OddError: together they exceed the model's window.
    """
    if window is not None and prompt + response > window:
        raise OddError(
            f"{whose}: a prompt of {prompt} and a response of up to {response} tokens do not fit the window of "
            f"{window} of model {name!r}: shorten the question or lower sampling.max_new_tokens"
        )
