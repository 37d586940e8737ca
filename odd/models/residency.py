"""Models that take turns in memory: at most a given number is loaded, and the others are loaded again when needed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from odd.errors import OddError
from odd.models.base import Generation, LanguageModel, Recording, same_model

Load = Callable[[], LanguageModel]


class Entry(NamedTuple):
    """How a model is loaded, where, and the digest that it must have."""

    load: Load
    device: str
    digest: str


class Residency:
    """Keeps at most `most` models loaded on each device; the one that was used longest ago makes room.

    Tokenizers always stay. A model gives the same results before and after it was away.
    """

    def __init__(self, most: Mapping[str, int]) -> None:
        self.most = most
        self._entries: dict[str, Entry] = {}
        self._loaded: dict[str, LanguageModel] = {}

    def add(self, label: str, device: str, load: Load) -> LanguageModel:
        """Load a model and return it; its sampler and scorer load it again if it had to make room."""
        self._make_room(device)
        model = load()
        self._entries[label], self._loaded[label] = Entry(load, device, model.digest), model
        turn = TakingTurns(self, label, model)
        return replace(model, sampler=turn, scorer=turn)

    def is_loaded(self, label: str) -> bool:
        """Return whether a model is in memory now."""
        return label in self._loaded

    def get(self, label: str) -> LanguageModel:
        """Return a loaded model; load it if it made room for others.

        Raises:
            OddError: its weights have changed since.
        """
        if label in self._loaded:
            self._loaded[label] = self._loaded.pop(label)  # the last one is the one used last
            return self._loaded[label]
        entry = self._entries[label]
        self._make_room(entry.device)
        model = entry.load()
        if not same_model(model.digest, entry.digest):
            raise OddError(f"model {model.name!r} has changed during the run: restore it and resume the run")
        self._loaded[label] = model
        return model

    def _make_room(self, device: str) -> None:
        here = [label for label in self._loaded if self._entries[label].device == device]
        for label in here[: max(0, len(here) + 1 - self.most.get(device, len(here) + 1))]:
            del self._loaded[label]


class TakingTurns:
    """Sampler and scorer of a model that is not always loaded."""

    def __init__(self, residency: Residency, label: str, model: LanguageModel) -> None:
        self._residency, self._label = residency, label
        self.vocabulary_size = model.scorer.vocabulary_size
        windows = model.sampler.max_context, model.scorer.max_context
        self.max_context = min((one for one in windows if one is not None), default=None)

    def sample(
        self,
        prefixes: Sequence[Sequence[int]],
        max_new_tokens: Sequence[int],
        temperature: float,
        seed: int,
        batch_size: int | None = None,
    ) -> list[Generation]:
        """Sample one continuation per prefix; see `odd.models.base.Sampler`."""
        sampler = self._residency.get(self._label).sampler
        return sampler.sample(prefixes, max_new_tokens, temperature, seed, batch_size)

    def read(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> Iterator[np.ndarray]:
        """Compute next-token distributions along responses; see `odd.models.base.Scorer`."""
        return self._residency.get(self._label).scorer.read(prompt, responses, temperature)

    def record(self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0) -> Recording:
        """Record next-token distributions along responses; see `odd.models.base.Scorer`."""
        return self._residency.get(self._label).scorer.record(prompt, responses, temperature)

    def token_log_probs(
        self, prefix: Sequence[int], continuations: Sequence[Sequence[int]], temperatures: Sequence[float]
    ) -> list[np.ndarray]:
        """Compute token log-probabilities of many continuations; see `odd.models.base.Scorer`."""
        return self._residency.get(self._label).scorer.token_log_probs(prefix, continuations, temperatures)
