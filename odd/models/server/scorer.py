"""Scores from servers: the most probable tokens at each position, or all.

Tokens that a server does not report are unknown, not impossible: -inf in the distributions of a teacher (method §8). So
a student, whose zeros are impossible tokens, needs all of them, or is scored on this machine.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

import numpy as np
from scipy.special import logsumexp

from odd.errors import OddError
from odd.method.tree import distinct_places
from odd.models.base import RecordedSlices, check_window
from odd.models.server.adapters import Adapter
from odd.models.server.asking import Scores, Scoring
from odd.models.server.replicas import Job, Replicas


class ServerScorer:
    """Scorer of a model on servers.

    Attributes:
        name: name of the model.
        vocabulary_size: V, number of tokens of a distribution.
        max_context: tokens that prompt and response may have together; None if unknown.
        top: tokens known at each position; None: all.
    """

    def __init__(
        self,
        name: str,
        adapter: Adapter,
        replicas: Replicas,
        vocabulary_size: int,
        max_context: int | None,
        top: int | None,
    ) -> None:
        self.name, self.adapter, self.replicas = name, adapter, replicas
        self.vocabulary_size, self.max_context, self.top = vocabulary_size, max_context, top

    def read(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> Iterator[np.ndarray]:
        """Compute next-token distributions along responses; see `odd.models.base.Scorer`.

        A response is a request: servers keep no cache between requests for scores.

        Raises:
            OddError: a response exceeds the window, the servers fail, or the temperature needs all tokens.
        """
        self._check_temperature(temperature)
        rows = [tuple(response) for response in responses]
        for number, places in groupby(distinct_places(rows), key=lambda place: place[0]):
            start = next(position for _, position in places)  # the rest of the response is distinct, too
            scores = self._scores(prompt, [rows[number]], self.top or self.vocabulary_size)[0]
            for tokens, log_probs in zip(scores.tokens[start:], scores.log_probs[start:], strict=True):
                yield self._distribution(tokens, log_probs, temperature)[None]

    def record(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> RecordedSlices:
        """Record next-token distributions along responses; see `odd.models.base.Scorer`."""
        return RecordedSlices(list(self.read(prompt, responses, temperature)))

    def token_log_probs(
        self, prefix: Sequence[int], continuations: Sequence[Sequence[int]], temperatures: Sequence[float]
    ) -> list[np.ndarray]:
        """Compute token log-probabilities of continuations; see `odd.models.base.Scorer`.

        Raises:
            OddError: a continuation exceeds the window, the servers fail, or a temperature is not 1.
        """
        if any(temperature != 1 for temperature in temperatures):
            raise OddError(
                f"model {self.name!r}: its servers score tokens at temperature 1 only: set scorer = 'transformers'"
            )
        found = [one.taken for one in self._scores(prefix, continuations, 0)]
        return [np.repeat(taken[None], len(temperatures), axis=0) for taken in found]

    def _scores(self, prompt: Sequence[int], responses: Sequence[Sequence[int]], top: int) -> list[Scores]:
        asks = []
        for response in responses:
            check_window(self.max_context, self.name, f"model {self.name!r}", len(prompt), len(response) + 1)
            asks.append(Scoring(tuple(prompt), tuple(response), top, self.vocabulary_size))
        wanted = [ask for ask in asks if ask.response]
        answers = iter(self.replicas.run([Job(partial(self.adapter.score, ask=ask)) for ask in wanted]))
        nothing = Scores(np.empty(0, np.float32), [], [])
        return [next(answers) if ask.response else nothing for ask in asks]

    def _check_temperature(self, temperature: float) -> None:
        if self.top is not None and temperature != 1:
            raise OddError(
                f"model {self.name!r}: its servers report the top {self.top} tokens at temperature 1, and temperature "
                f"{temperature:g} needs all: set scorer = 'transformers', or server_top = 0"
            )

    def _distribution(self, tokens: np.ndarray, log_probs: np.ndarray, temperature: float) -> np.ndarray:
        """Return one distribution over the vocabulary, float32 (V,); all of one with all tokens sums to 1."""
        row = np.full(self.vocabulary_size, -np.inf, dtype=np.float32)
        if self.top is None:
            if len(tokens) != self.vocabulary_size:
                raise OddError(
                    f"model {self.name!r}: its server reported {len(tokens)} of {self.vocabulary_size} tokens: set "
                    "scorer = 'transformers', or server_top to a number of tokens"
                )
            # a padded vocabulary has mass on tokens without names
            scaled = log_probs.astype(np.float64) / temperature
            log_probs = (scaled - logsumexp(scaled)).astype(np.float32)
        row[tokens] = log_probs
        return row
