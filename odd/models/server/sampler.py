"""Sampling from servers: one request for all continuations of a prefix, or a few if they are many."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import ceil

import numpy as np

from odd.models.base import Generation, check_window
from odd.models.server.adapters import Adapter
from odd.models.server.asking import Sampling
from odd.models.server.replicas import Job, Replicas

MOST_TOGETHER = 32
"""Continuations per request: what is lost if a server fails."""


class ServerSampler:
    """Sampler of a model on servers.

    The servers are given seeds, but what they draw also depends on what they do at the same time.

    Attributes:
        name: name of the model.
        max_context: tokens that prompt and response may have together; None if unknown.
        processed: whether log-probabilities are those of the sampled distribution at any temperature.
    """

    def __init__(
        self,
        name: str,
        adapter: Adapter,
        replicas: Replicas,
        vocabulary: int,
        ends: frozenset[int],
        max_context: int | None,
        processed: bool,
    ) -> None:
        self.name, self.adapter, self.replicas, self.vocabulary, self.ends = name, adapter, replicas, vocabulary, ends
        self.max_context, self.processed = max_context, processed

    def sample(
        self,
        prefixes: Sequence[Sequence[int]],
        max_new_tokens: Sequence[int],
        temperature: float,
        seed: int,
        batch_size: int | None = None,
    ) -> list[Generation]:
        """Sample one continuation per prefix; the servers decide how many at a time, not `batch_size`.

        Log-probabilities are NaN if they are not known at this temperature.

        Raises:
            OddError: a prefix and its limit exceed the window, or the servers fail.
        """
        groups: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for row, (prefix, limit) in enumerate(zip(prefixes, max_new_tokens, strict=True)):
            check_window(self.max_context, self.name, f"model {self.name!r}", len(prefix), limit)
            groups.setdefault((tuple(prefix), limit), []).append(row)
        asks: list[tuple[Sampling, list[int]]] = []
        for (prefix, limit), rows in groups.items():
            size = min(MOST_TOGETHER, ceil(len(rows) / len(self.replicas.replicas)))
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                own = _seed(seed, len(asks))
                ask = Sampling(prefix, len(part), limit, temperature, own, self.ends, self.vocabulary)
                asks.append((ask, part))
        jobs = [Job(partial(self.adapter.sample, ask=ask), ask.count) for ask, _ in asks]
        drawn: dict[int, Generation] = {}
        for (_, rows), made in zip(asks, self.replicas.run(jobs), strict=True):
            known = made if self.processed or temperature == 1 else [_without_log_probs(one) for one in made]
            drawn |= zip(rows, known, strict=True)
        return [drawn[row] for row in range(len(prefixes))]


def _without_log_probs(made: Generation) -> Generation:
    return replace(made, log_probs=np.full_like(made.log_probs, np.nan))


def _seed(seed: int, number: int) -> int:
    """Derive the seed of a request; the following ones are its continuations', so they are far apart."""
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2
