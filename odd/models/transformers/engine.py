"""Any causal language model of transformers as sampler and scorer, on CPU or CUDA.

Sampling stores the log-probabilities that it sampled with. Each rollout has its own row of uniform numbers, so its
tokens do not depend on when other rollouts in the batch end.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby

import numpy as np
import torch
from transformers import PreTrainedModel

from odd.config import SCORING_MEMORY
from odd.method.tree import distinct_places, shared_length
from odd.models.base import Generation, check_window
from odd.models.transformers.batch import FixedBatch
from odd.models.transformers.continuous_batch import ContinuousBatch, fits
from odd.models.transformers.head import Head
from odd.models.transformers.prefix_tree import PrefixTree, Tokens, prefix_trees
from odd.models.transformers.reading import Reader
from odd.models.transformers.recording import Pass, Slicing, StateRecording, distributions

_log = logging.getLogger(__name__)


class TransformersEngine:
    """A transformers model as sampler and scorer.

    Args:
        name: name given by the user.
        model: loaded model.
        vocabulary_size: V; distributions are over the first V tokens.
        end_tokens: ids of the tokens that end a response.
        scoring_memory: MiB of logits in memory at a time.
    """

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        vocabulary_size: int,
        end_tokens: frozenset[int],
        scoring_memory: int = SCORING_MEMORY,
    ) -> None:
        """Store the model in evaluation mode."""
        self.name, self.scoring_memory = name, scoring_memory
        self.model, self.vocabulary_size, self.end_tokens = model.eval(), vocabulary_size, end_tokens
        self.head = Head(self.model)
        self.max_context: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)

    def log_probs(self, prompt: Sequence[int], response: Sequence[int], temperature: float = 1.0) -> np.ndarray:
        """Compute log-softmax in float32, shape (T, V), by one forward pass over the prompt and the response.

        Raises:
            OddError: prompt and response exceed the model's window, or the model returns NaN.
        """
        slices = list(self._slices(prompt, response, temperature))
        return np.concatenate(slices) if slices else np.empty((0, self.vocabulary_size), dtype=np.float32)

    @torch.inference_mode()
    def _slices(self, prompt: Sequence[int], response: Sequence[int], temperature: float) -> Iterator[np.ndarray]:
        """Yield the distributions along one response, (n, V) per slice, from one forward pass over both."""
        if response:  # logits_to_keep=0 would keep all logits
            yield from distributions(
                self.head.last, Pass(self._plain_states(prompt, response)), self._slicing(temperature)
            )

    def _plain_states(self, prompt: Sequence[int], response: Sequence[int]) -> torch.Tensor:
        """Return the states along one response."""
        check_window(self.max_context, self.name, f"model {self.name!r}", len(prompt), len(response))
        ids = torch.tensor([[*prompt, *response[:-1]]], device=self.model.device)
        return self.head.states(ids, len(response))

    @torch.inference_mode()
    def read(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> Iterator[np.ndarray]:
        """Compute next-token distributions along responses; see `odd.models.base.Scorer`.

        Raises:
            OddError: prompt and a response exceed the model's window, or the model returns NaN.
        """
        for one in self._passes(prompt, responses):
            yield from distributions(self.head.last, one, self._slicing(temperature))

    @torch.inference_mode()
    def record(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> StateRecording:
        """Keep the hidden states along responses in a temporary file; see `odd.models.base.Scorer`.

        Raises:
            OddError: prompt and a response exceed the model's window.
        """
        return StateRecording(self.head.last, self._passes(prompt, responses), self._slicing(temperature))

    def _slicing(self, temperature: float) -> Slicing:
        return Slicing(self.name, self.vocabulary_size, self.room, temperature)

    def _passes(self, prompt: Sequence[int], responses: Sequence[Sequence[int]]) -> Iterator[Pass]:
        """Yield the states at the distinct prefixes of responses, one forward pass at a time."""
        rows = [tuple(response) for response in responses]
        if not self._shares_prompts:
            for number, places in groupby(distinct_places(rows), key=lambda place: place[0]):
                known = next(position for _, position in places)  # the rest of the response is distinct, too
                yield Pass(self._plain_states(prompt, rows[number]), known)
            return
        before: Tokens = ()
        for reader, tree in self._trees(prompt, rows):
            first, *_, last = *tree.rows, *tree.rows
            # a tree repeats the prefix that its first response shares with the previous response
            known = min(shared_length(before, first) + 1, len(before)) if before else 0
            for places, states in reader.passes(tree):
                fresh = max(0, known - places.start)
                if fresh < len(states):
                    yield Pass(states, fresh)
            before = last

    @property
    def room(self) -> int:
        """Number of distributions with logits in memory at a time; a reader holds a fraction of them."""
        return max(1, (self.scoring_memory << 20) // (4 * self.vocabulary_size))

    def _trees(self, prefix: Sequence[int], rows: Sequence[Tokens]) -> Iterator[tuple[Reader, PrefixTree]]:
        """Yield the prefix trees of continuations, each with the reader of the prefix."""
        check_window(self.max_context, self.name, f"model {self.name!r}", len(prefix), max(map(len, rows), default=0))
        trees = list(prefix_trees(rows))
        reader = Reader(self.head, self.name, self.vocabulary_size, self.room, prefix, once=len(trees) == 1)
        for tree in trees:
            yield reader, tree

    @torch.inference_mode()
    def token_log_probs(
        self, prefix: Sequence[int], continuations: Sequence[Sequence[int]], temperatures: Sequence[float]
    ) -> list[np.ndarray]:
        """Compute the log-probability of every token of each continuation; see `odd.models.base.Scorer`.

        Raises:
            OddError: the prefix and a continuation exceed the model's window, or the model returns NaN.
        """
        rows = [tuple(tokens) for tokens in continuations]
        if not self._shares_prompts:
            return [self._token_log_probs(prefix, row, temperatures) for row in rows]
        read: dict[Tokens, np.ndarray] = {(): np.empty((len(temperatures), 0), dtype=np.float32)}
        for reader, tree in self._trees(prefix, rows):
            read |= reader.token_log_probs(tree, temperatures)
        return [read[tokens] for tokens in rows]

    def _token_log_probs(self, prefix: Sequence[int], row: Tokens, temperatures: Sequence[float]) -> np.ndarray:
        """Compute the log-probability of every token of one continuation, float32 (len(temperatures), T)."""
        found = np.empty((len(temperatures), len(row)), dtype=np.float32)
        for heated, temperature in zip(found, temperatures, strict=True):
            start = 0
            for part in self._slices(prefix, row, temperature):
                at = np.arange(len(part))
                heated[start + at] = part[at, list(row[start : start + len(part)])]
                start += len(part)
        return found

    @torch.inference_mode()
    def sample(
        self,
        prefixes: Sequence[Sequence[int]],
        max_new_tokens: Sequence[int],
        temperature: float,
        seed: int,
        batch_size: int | None = None,
    ) -> list[Generation]:
        """Sample one continuation per prefix; see `odd.models.base.Sampler`.

        Raises:
            OddError: a prefix and its limit exceed the model's window, or the model returns NaN.
        """
        if not prefixes:
            return []
        for prefix, limit in zip(prefixes, max_new_tokens, strict=True):
            check_window(self.max_context, self.name, f"model {self.name!r}", len(prefix), limit)
        generator = torch.Generator().manual_seed(seed)
        # float64: float32 would never draw tokens rarer than one in 17 million
        uniforms = torch.rand(len(prefixes), max(max_new_tokens), generator=generator, dtype=torch.float64)
        sampler = ContinuousBatch if self._shares_prompts else FixedBatch
        batch = sampler(self.model, self.name, self.vocabulary_size, self.end_tokens, temperature)
        return batch.run(prefixes, max_new_tokens, uniforms, batch_size or len(prefixes))

    @cached_property
    def _shares_prompts(self) -> bool:
        """Whether the model supports the fast sampler and reader; the fallbacks work with any model."""
        if fits(self.model, self.vocabulary_size):
            return True
        _log.warning("model %r does not support a shared prompt: sampling and scoring are slower", self.name)
        return False
