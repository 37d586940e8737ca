"""Protocols of a language model: independent tokenizer, sampler of continuations, and scorer of positions.

An exact table (`odd.models.tabular`) and a transformers model (`odd.models.transformers`) satisfy the same protocols,
so everything built on them is tested against exact probabilities.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Protocol, Self

import numpy as np

from odd.errors import OddError

Message = Mapping[str, str]


@dataclass(frozen=True)
class Generation:
    """Tokens sampled after a prefix, including the end token.

    `log_probs` is float32 of shape (T,), under the sampled distribution. `truncated`: no end token was sampled within
    the limit.
    """

    token_ids: tuple[int, ...]
    log_probs: np.ndarray
    truncated: bool


@dataclass(frozen=True)
class ModelSize:
    """Memory of a model on its device, in bytes.

    Attributes:
        weights: the weights, with copies that make them faster.
        last_layer: the part of the weights that turns hidden states into logits.
        token: KV cache of one token.
        vocabulary: entries of a distribution.
    """

    weights: int
    last_layer: int
    token: int
    vocabulary: int


class Sampler(Protocol):
    """Samples continuations."""

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
        """Sample one continuation per prefix (prompt and forced response tokens), at most `max_new_tokens[i]` long.

        At most `batch_size` are sampled at a time; None: all of them.

        The same arguments give the same result on the same machine.
        """
        ...


class Recording(Protocol):
    """Distributions along responses that can be read when the model is no longer in memory."""

    def read(self) -> Iterator[np.ndarray]:
        """Yield the same slices as `Scorer.read`; one reader at a time."""
        ...


class Scorer(Protocol):
    """Computes next-token distributions."""

    @property
    def vocabulary_size(self) -> int:
        """V, the number of tokens in a distribution."""
        ...

    @property
    def max_context(self) -> int | None:
        """Tokens that prompt and response may have together; None for any number."""
        ...

    def read(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> Iterator[np.ndarray]:
        """Compute next-token distributions along responses, slice by slice, each distinct prefix once.

        Yields:
            Log-softmax in float32, (n, V): after the prompt and each response prefix that precedes a token, in the
            order of `odd.method.tree.distinct_places`.
        """
        ...

    def record(self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0) -> Recording:
        """Run the model along responses, and keep what the distributions of `read` follow from, without the model."""
        ...

    def token_log_probs(
        self, prefix: Sequence[int], continuations: Sequence[Sequence[int]], temperatures: Sequence[float]
    ) -> list[np.ndarray]:
        """Compute token log-probabilities of many continuations of one prefix, float32 (len(temperatures), T) each.

        The same arguments give the same result on the same machine.
        """
        ...


Place = tuple[int, int]
"""Index of a response, and position of a token in it."""


class Moved(NamedTuple):
    """Distributions at some places, and how they move when the weights do.

    Attributes:
        at: the places, as slice of `DerivativePass.places`.
        log_p: log-softmax in float32, (n, V).
        moves: derivative of `log_p` along each direction, (K, n, V).
    """

    at: slice
    log_p: np.ndarray
    moves: np.ndarray


class DerivativePass(Protocol):
    """A forward pass along responses, to take derivatives of.

    Attributes:
        places: the distinct prefixes that precede a token, in the order of `odd.method.tree.distinct_places`.
    """

    places: Sequence[Place]

    def slices(self) -> Iterator[Moved]:
        """Yield the distributions at the places, and their derivatives along each direction, slice by slice."""
        ...

    def pull(self, at: slice, gradients: np.ndarray) -> None:
        """Add gradients in the logits of the distributions at some places, (pairs, n, V)."""
        ...

    def gradients(self) -> np.ndarray:
        """Return the sums over places of the added gradients, pulled back to the weights, float32 (pairs, size)."""
        ...


class Derivatives(Protocol):
    """Derivatives of a model's distributions in its weights, seen as one vector.

    Attributes:
        size: number of weights.
    """

    size: int

    def passes(
        self,
        prompt: Sequence[int],
        responses: Sequence[Sequence[int]],
        temperature: float,
        directions: Sequence[np.ndarray] = (),
        pairs: int = 0,
    ) -> Iterator[DerivativePass]:
        """Run the model along responses, each distinct prefix in one pass.

        Args:
            prompt: token ids of the prompt.
            responses: token ids of the responses.
            temperature: temperature of the distributions.
            directions: directions in the space of the weights, (size,) each.
            pairs: number of gradients that will be pulled back at each place.
        """
        ...


@dataclass(frozen=True)
class RecordedSlices:
    """The recording of a model whose distributions are small: the distributions themselves."""

    slices: Sequence[np.ndarray]

    def read(self) -> Iterator[np.ndarray]:
        """Yield the slices."""
        yield from self.slices


class Tokenizer(Protocol):
    """Text to token ids and back. A sampling server needs no tokenizer: it takes and returns token ids."""

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """Return the token ids of the messages up to the start of the assistant's response."""
        ...

    def render_chat(self, messages: Sequence[Message]) -> str:
        """Return the same as text."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of a response, without control tokens."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a response text, without an end token."""
        ...

    @property
    def end_token(self) -> int:
        """The token that usually ends a response."""
        ...

    def is_end(self, token: int) -> bool:
        """Return whether this token ends a response."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token; they need not be valid UTF-8 on their own."""
        ...

    def vocabulary(self) -> Mapping[str, int]:
        """Return token strings and their ids."""
        ...


@dataclass(frozen=True)
class LanguageModel:
    """A tokenizer with a sampler and a scorer.

    Attributes:
        name: name given by the user.
        digest: hex digits that identify its weights and tokenizer; compare with `same_model`.
        tokenizer: its tokenizer.
        sampler: samples continuations.
        scorer: computes next-token distributions.
        thinking_marks: what opens and closes a thinking part beside the usual marks, if the user names them.
        known_tokens: tokens that the scorer knows of each distribution, the most probable ones; None: all.
    """

    name: str
    digest: str
    tokenizer: Tokenizer
    sampler: Sampler
    scorer: Scorer
    thinking_marks: tuple[str, str] | None = None
    known_tokens: int | None = None

    @property
    def date_formats(self) -> tuple[str, ...]:
        """The formats in which its prompts show today's date."""
        return ()

    def check_student(self, temperature: float) -> None:
        """Check that it can be the student of a run that samples at a temperature.

        Raises:
            OddError: its sampler or scorer does not tell the probabilities that this needs.
        """

    def dated(self, day: date) -> Self:
        """Return the model with prompts that show `day` as today's date."""
        return self

    def derivatives(self, pattern: str | None = None) -> Derivatives:
        """Return its derivatives in the weights whose names match a regular expression; None: in all.

        Raises:
            OddError: its engine has none, or no weight matches.
        """
        raise OddError(f"model {self.name!r}: its engine cannot differentiate; choose the engine transformers")

    def check_chat(self) -> None:
        """Check, before anything is sampled, that it can be asked and that its responses can end.

        Raises:
            OddError: they cannot, or a setting of its prompts has no effect.
        """


PROBED = "~"
"""In a digest, what comes before the log-probabilities of a known text; engines repeat them up to rounding only."""
SAME = 0.25
"""Mean distance of log-probabilities, in nats per token, up to which two engines run the same model; other dtypes and
kernels stay far below, other weights are beyond."""


def probed(digest: str, log_probs: np.ndarray | None) -> str:
    """Return a digest that also recognizes a model without weights here by its log-probabilities of a known text."""
    return digest if log_probs is None else digest + PROBED + ",".join(f"{value:.4f}" for value in log_probs)


def same_model(one: str, other: str) -> bool:
    """Return whether two digests are of the same model."""
    (name, _, values), (other_name, _, other_values) = one.partition(PROBED), other.partition(PROBED)
    if name != other_name or not (values and other_values):
        return one == other
    try:
        ours, theirs = (np.array(text.split(","), dtype=np.float64) for text in (values, other_values))
    except ValueError:  # a damaged run file
        return False
    return len(ours) == len(theirs) and float(np.abs(ours - theirs).mean()) <= SAME


def encode_prompt(model: LanguageModel, messages: Sequence[Message]) -> list[int]:
    """Return the token ids of a prompt that the model will read.

    Raises:
        OddError: as for `encode_chat`, or the model has no embedding for one of them.
    """
    prompt, known = model.tokenizer.encode_chat(messages), model.scorer.vocabulary_size
    if (beyond := max(prompt)) >= known:
        token = model.tokenizer.token_bytes(beyond).decode(errors="replace")
        raise OddError(
            f"model {model.name!r}: the prompt has the token {token!r} ({beyond}), but the model has {known} "
            "embeddings: add embeddings with resize_token_embeddings and train them, or take the token out of the "
            "tokenizer"
        )
    return prompt


def check_same_vocabulary(student: LanguageModel, teacher: LanguageModel) -> None:
    """Reject a teacher whose token ids map to other strings than the student's.

    Raises:
        OddError: the vocabularies differ; the message names both models and an example token.
    """
    ours, theirs = student.tokenizer.vocabulary(), teacher.tokenizer.vocabulary()
    if ours == theirs:
        sizes = student.scorer.vocabulary_size, teacher.scorer.vocabulary_size
        if sizes[0] != sizes[1]:
            raise OddError(
                f"student {student.name!r} has {sizes[0]} tokens and teacher {teacher.name!r} {sizes[1]}, although "
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
    """Check that prompt and response fit the context window of a model.

    Args:
        window: tokens in the window; None for any number.
        name: name of the model.
        whose: owner of the prompt, for the message.
        prompt: number of tokens of the prompt.
        response: maximum number of tokens of the response.

    Raises:
        OddError: together they exceed the window.
    """
    if window is not None and prompt + response > window:
        raise OddError(
            f"{whose}: a prompt of {prompt} and a response of up to {response} tokens do not fit the window of "
            f"{window} of model {name!r}: shorten the question or lower sampling.max_new_tokens"
        )
