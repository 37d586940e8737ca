"""An exact language model: a table of next-token probabilities, small enough to enumerate.

It is sampled and scored like any other model, and everything that rollouts estimate can be computed exactly. A model
can contain several questions, each a table keyed by its prompt. A response ends with the end-of-sequence token, or
where the table has no further row, like a model that stops at a fixed length.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Float64

from odd.errors import OddError
from odd.method.logspace import soften
from odd.method.tree import distinct_places
from odd.models.base import Generation, RecordedSlices

Tokens = tuple[int, ...]
Table = Mapping[Tokens, np.ndarray]


class TabularModel:
    """Next-token probabilities by prompt and response prefix.

    Args:
        tables: for each prompt, rows of V probabilities by response prefix; no prompt may be a prefix of another.
        eos: token id that ends a response.

    Raises:
        OddError: a row is not a distribution, has a different length, or is unreachable; or prompts are ambiguous.
    """

    def __init__(self, tables: Mapping[Tokens, Table], eos: int = 0) -> None:
        """Check and store the tables."""
        self.eos = eos
        self.max_context: int | None = None
        self._tables = {
            prompt: {prefix: np.asarray(row, dtype=np.float64) for prefix, row in table.items()}
            for prompt, table in tables.items()
        }
        sizes = {len(row) for table in self._tables.values() for row in table.values()}
        if len(sizes) != 1:
            raise OddError(f"tabular model: rows have lengths {sorted(sizes)}; give every row the same vocabulary")
        self.vocabulary_size = sizes.pop()
        for prompt, table in self._tables.items():
            _check_table(table, eos)
            if any(other != prompt and other[: len(prompt)] == prompt for other in self._tables):
                raise OddError(f"tabular model: prompt {list(prompt)} begins another prompt; make them distinct")

    @classmethod
    def from_weights(cls, questions: Mapping[Tokens, Sequence[Mapping]], eos: int = 0) -> "TabularModel":
        """Build from lists of {"prefix": [ids], "weights": {"id": weight}}; probability = weight / sum of weights.

        Args:
            questions: one list per prompt; `{(): weights}` for a single question without a prompt.
            eos: token id that ends a response.
        """
        tokens = [int(token) for rows in questions.values() for row in rows for token in row["weights"]]
        size = max([eos, *tokens]) + 1
        tables: dict[Tokens, dict[Tokens, np.ndarray]] = {}
        for prompt, rows in questions.items():
            tables[prompt] = {}
            for row in rows:
                weights = np.zeros(size)
                weights[[int(token) for token in row["weights"]]] = list(row["weights"].values())
                with np.errstate(invalid="ignore"):
                    tables[prompt][tuple(row["prefix"])] = weights / weights.sum()
        return cls(tables, eos)

    def is_terminal(self, prefix: Sequence[int], prompt: Sequence[int] = ()) -> bool:
        """Return whether a response is complete."""
        return tuple(prefix) not in self._table(prompt)

    def probabilities(self, prefix: Sequence[int], prompt: Sequence[int] = ()) -> Float64[np.ndarray, " V"]:
        """Return the next-token probabilities after a prefix that is not terminal.

        Raises:
            OddError: nothing follows the prefix.
        """
        row = self._table(prompt).get(tuple(prefix))
        if row is None:
            raise OddError(f"tabular model: nothing follows prefix {list(prefix)}; score only what it can generate")
        return row

    def leaves(self, prompt: Sequence[int] = (), prefix: Sequence[int] = ()) -> Iterator[tuple[Tokens, float]]:
        """Yield every complete response that continues a prefix, with its probability given the prefix."""
        if self.is_terminal(prefix, prompt):
            yield tuple(prefix), 1.0
            return
        row = self.probabilities(prefix, prompt)
        for token in np.flatnonzero(row).tolist():
            for leaf, probability in self.leaves(prompt, (*prefix, token)):
                yield leaf, float(row[token]) * probability

    def p_succ(self, prefix: Sequence[int], is_correct: Callable[[Tokens], bool], prompt: Sequence[int] = ()) -> float:
        """Compute the exact probability that a response starting with `prefix` ends correct."""
        return sum((probability for leaf, probability in self.leaves(prompt, prefix) if is_correct(leaf)), start=0.0)

    def nudged(
        self, prefix: Sequence[int], delta_logits: Float64[np.ndarray, " V"], prompt: Sequence[int] = ()
    ) -> "TabularModel":
        """Return a model with `delta_logits` added to the logits of one node."""
        row = self.probabilities(prefix, prompt) * np.exp(delta_logits)
        table = {**self._table(prompt), tuple(prefix): row / row.sum()}
        return TabularModel({**self._tables, tuple(prompt): table}, self.eos)

    def sample(
        self,
        prefixes: Sequence[Sequence[int]],
        max_new_tokens: Sequence[int],
        temperature: float,
        seed: int,
        batch_size: int | None = None,
    ) -> list[Generation]:
        """Continue each prefix (prompt and forced response) once.

        Args:
            prefixes: token ids; prefixes may repeat.
            max_new_tokens: length limit of each; a response cut off by it is truncated.
            temperature: temperature of the sampled distribution, which also gives the log-probabilities.
            seed: seed of this call.
            batch_size: ignored.
        """
        rng = np.random.default_rng(seed)
        rows: dict[tuple[Tokens, Tokens], tuple[list[float], list[float]]] = {}
        return [
            self._continue(*self._split(tuple(prefix)), limit, temperature, rng, rows)
            for prefix, limit in zip(prefixes, max_new_tokens, strict=True)
        ]

    def log_probs(
        self, prompt: Sequence[int], response: Sequence[int], temperature: float = 1.0
    ) -> Float32[np.ndarray, "T V"]:
        """Return the log-probabilities before each response token; -inf where a token cannot follow."""
        rows = [_log_softened(self.probabilities(response[:t], prompt), temperature) for t in range(len(response))]
        return np.array(rows, dtype=np.float32).reshape(-1, self.vocabulary_size)

    def read(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> Iterator[np.ndarray]:
        """Compute next-token distributions along responses; see `odd.models.base.Scorer`."""
        for number, position in distinct_places(responses):
            yield self.log_probs(prompt, responses[number][: position + 1], temperature)[-1:]

    def record(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> RecordedSlices:
        """Record next-token distributions along responses; see `odd.models.base.Scorer`."""
        return RecordedSlices(list(self.read(prompt, responses, temperature)))

    def token_log_probs(
        self, prefix: Sequence[int], continuations: Sequence[Sequence[int]], temperatures: Sequence[float]
    ) -> list[np.ndarray]:
        """Compute the log-probability of every token of each continuation; see `odd.models.base.Scorer`."""
        prompt, begun = self._split(tuple(prefix))
        read = []
        for tokens in continuations:
            rows = [
                self.log_probs(prompt, (*begun, *tokens), temperature)[len(begun) :] for temperature in temperatures
            ]
            read.append(np.array([row[np.arange(len(tokens)), list(tokens)] for row in rows]))
        return read

    def _continue(
        self,
        prompt: Tokens,
        response: Tokens,
        limit: int,
        temperature: float,
        rng: np.random.Generator,
        rows: dict[tuple[Tokens, Tokens], tuple[list[float], list[float]]],
    ) -> Generation:
        tokens: list[int] = []
        log_probs: list[float] = []
        node = response
        while len(tokens) < limit and not self.is_terminal(node, prompt):
            if (prompt, node) not in rows:
                rows[prompt, node] = _sampling_row(self.probabilities(node, prompt), temperature)
            cumulative, row = rows[prompt, node]
            token = bisect_right(cumulative, rng.random())
            tokens.append(token)
            log_probs.append(row[token])
            node = (*node, token)
        return Generation(tuple(tokens), np.array(log_probs, dtype=np.float32), not self.is_terminal(node, prompt))

    def _split(self, prefix: Tokens) -> tuple[Tokens, Tokens]:
        for prompt in self._tables:
            if prefix[: len(prompt)] == prompt:
                return prompt, prefix[len(prompt) :]
        raise OddError(f"tabular model: no prompt starts {list(prefix)[:20]}; it has {len(self._tables)} prompts")

    def _table(self, prompt: Sequence[int]) -> Table:
        if tuple(prompt) not in self._tables:
            raise OddError(f"tabular model: unknown prompt {list(prompt)[:20]}; it has {len(self._tables)} prompts")
        return self._tables[tuple(prompt)]


def _log_softened(p: Float64[np.ndarray, " V"], temperature: float) -> Float64[np.ndarray, " V"]:
    with np.errstate(divide="ignore"):
        return soften(np.log(p), temperature)


def _sampling_row(p: Float64[np.ndarray, " V"], temperature: float) -> tuple[list[float], list[float]]:
    """Return cumulative probabilities, exactly 1 from the last possible token on, and log-probabilities."""
    log_p = _log_softened(p, temperature)
    cumulative = np.cumsum(np.exp(log_p))
    cumulative[np.flatnonzero(p)[-1] :] = 1.0
    return cumulative.tolist(), log_p.tolist()


def _check_table(table: Table, eos: int) -> None:
    if () not in table:
        raise OddError("tabular model: no row for the empty prefix; every question needs one")
    for prefix, row in table.items():
        if not (np.all(row >= 0) and np.isclose(row.sum(), 1)):
            raise OddError(f"tabular model: the row of prefix {list(prefix)} is not a distribution; check its weights")
        parent = table.get(prefix[:-1])
        if prefix and (parent is None or not 0 <= prefix[-1] < len(row) or parent[prefix[-1]] == 0):
            raise OddError(f"tabular model: prefix {list(prefix)} has a row but cannot be reached; remove it")
        if prefix and prefix[-1] == eos:
            raise OddError(f"tabular model: prefix {list(prefix)} continues after the end token {eos}; remove it")
