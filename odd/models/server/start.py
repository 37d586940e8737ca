"""What is checked about a server before anything is sampled: each mismatch is one line with its remedy.

Token ids are sent and returned, so the server's tokenizer matters only because the model was trained with it: if it
differs from the local one, the ids mean something else to the model.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from odd.errors import OddError
from odd.models.base import SAME
from odd.models.server.adapters import Adapter, Served
from odd.models.server.asking import Sampling, Scoring
from odd.models.server.wire import Passing, Refused, Server, Unusable

PROBES = (
    "What is 12+345? It's 357.",
    "  Zwei Äpfel,\tnaïve café — 日本語 👩‍🔬\n\n\n  x = {'a': [1, 2]}  # done",
    "$\\frac{1}{2}$ of 1,000,000.50 is 500000.25; 7*8=56",
)
"""Texts in which tokenizers differ: digits, spaces, accents, other scripts, mathematics."""
QUESTION = [{"role": "user", "content": "What is 2+3?"}]
SOFT = 2.0
"""Temperature at which raw and processed log-probabilities are told apart; vLLM refuses higher ones."""
SAMPLED = 8


@dataclass(frozen=True)
class Probe:
    """What is asked of a server.

    Attributes:
        prompt: token ids of a rendered question.
        response: token ids of a text after it.
        texts: token ids of `PROBES`; empty if there is no local tokenizer.
        chat: token ids of `QUESTION` in the local chat template; None if there is no local tokenizer.
        special: special tokens and their texts.
        ends: tokens that end a response.
        vocabulary: V, number of tokens.
    """

    prompt: tuple[int, ...]
    response: tuple[int, ...]
    texts: Sequence[list[int]]
    chat: list[int] | None
    special: dict[int, str]
    ends: frozenset[int]
    vocabulary: int


@dataclass(frozen=True)
class Finding:
    """What a check found, in one line; an error is in the way of a run."""

    check: str
    status: Literal["ok", "note", "error"]
    text: str


@dataclass
class Examination:
    """What was found out about a server.

    Attributes:
        served: what it says about itself.
        findings: results of the checks.
        processed: whether log-probabilities are those of the sampled distribution at any temperature.
        reference: its log-probabilities of the probe's response, float32 (T,); None if it does not score.
    """

    served: Served
    findings: list[Finding] = field(default_factory=list)
    processed: bool = False
    reference: np.ndarray | None = None

    def add(self, check: str, status: Literal["ok", "note", "error"], text: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(check, status, text))

    @property
    def errors(self) -> Iterator[str]:
        """The errors."""
        return (one.text for one in self.findings if one.status == "error")


async def examine(server: Server, adapter: Adapter, served: Served, probe: Probe, top: int | None) -> Examination:
    """Check a server.

    Args:
        server: the server.
        adapter: adapter of its kind.
        served: what it says about itself.
        probe: what to ask.
        top: tokens per distribution that the run needs, 0 for all; None: it scores on this machine.

    Raises:
        OddError: it refuses to sample at all.
    """
    found = Examination(served)
    window = "an unknown window" if served.window is None else f"a window of {served.window:,} tokens"
    found.add("server", "ok", f"{served.kind} {served.version}, models {', '.join(served.models)}, {window}")
    try:
        await _tokenizer(server, adapter, probe, found)
        if any(found.errors):  # the ids of the probe mean something else to the server
            return found
        await _sampling(server, adapter, probe, found)
        await _scoring(server, adapter, probe, found, top)
    except Refused:
        raise
    except (Passing, Unusable) as error:
        raise OddError(f"server {server.address} gives no answer that can be used: {error}") from error
    return found


async def _tokenizer(server: Server, adapter: Adapter, probe: Probe, found: Examination) -> None:
    """Compare the server's tokenizer with the local one."""
    if probe.chat is None:
        return
    wrong = "start it with the tokenizer of the model that is named here (--tokenizer), or name the model it runs"
    try:
        for text, own in zip(PROBES, probe.texts, strict=True):
            if (theirs := await adapter.encode(server, text)) != own:
                place = next((i for i, (a, b) in enumerate(zip(own, theirs, strict=False)) if a != b), "the end")
                line = f"server {server.address}: its tokenizer differs from the local one at token {place} of {text!r}"
                return found.add("tokenizer", "error", f"{line}: {wrong}")
        for token, text in probe.special.items():
            if (theirs := await adapter.decode(server, [token])) != text:
                line = f"server {server.address}: token {token} is {theirs[:40]!r} there, and {text!r} here"
                return found.add("tokenizer", "error", f"{line}: {wrong}")
        found.add("tokenizer", "ok", f"the local one: {len(PROBES)} texts, {len(probe.special)} special tokens")
    except Refused as error:
        return found.add("tokenizer", "note", f"cannot be compared ({error})")
    try:
        same = await adapter.encode_chat(server, QUESTION) == probe.chat
    except Refused as error:
        return found.add("chat template", "note", f"cannot be compared ({error}); prompts are rendered here")
    text = (
        "renders as here" if same else "renders a question in another way; prompts are rendered here, and sent as ids"
    )
    found.add("chat template", "ok" if same else "note", text)


async def _sampling(server: Server, adapter: Adapter, probe: Probe, found: Examination) -> None:
    """Sample at a high temperature, and find out which distribution the log-probabilities are of."""
    ask = Sampling(probe.prompt, 2, SAMPLED, SOFT, 1, probe.ends, probe.vocabulary)
    one, other = await adapter.sample(server, ask)
    found.add("sampling", "ok", "ids in, ids out, with log-probabilities")
    if one.token_ids == other.token_ids and len(one.token_ids) > 2:
        line = f"server {server.address} gives the same continuation twice: update it, so that each has its own seed"
        found.add("seeds", "error", line)
    try:
        scored = await adapter.score(server, Scoring(probe.prompt, one.token_ids, 0, probe.vocabulary))
    except Refused:
        return found.add("temperature", "note", "not known: it does not score; sampling.temperature must be 1")
    found.processed = float(np.abs(scored.taken - one.log_probs).mean()) > SAME
    text = "are those of the sampled distribution" if found.processed else "are those at temperature 1"
    found.add("temperature", "ok" if found.processed else "note", f"log-probabilities {text}")


async def _scoring(server: Server, adapter: Adapter, probe: Probe, found: Examination, top: int | None) -> None:
    """Score a text, with as many tokens per distribution as are needed."""
    try:
        scores = await adapter.score(server, Scoring(probe.prompt, probe.response, 0, probe.vocabulary))
    except Refused as error:
        return found.add("scores", "note" if top is None else "error", f"none ({error}): set scorer = 'transformers'")
    found.reference = scores.taken
    found.add("scores", "ok", "log-probabilities of given tokens")
    if top is None:
        return
    wanted, words = (top, f"the top {top}") if top else (probe.vocabulary, "all")
    try:
        await adapter.score(server, Scoring(probe.prompt, probe.response[:1], wanted, probe.vocabulary))
    except Refused as error:
        remedy = adapter.top_remedy.format(top=top or -1)
        line = f"{error}; {words} tokens of a distribution are needed: {remedy}, or change server_top"
        return found.add("distributions", "error", line)
    found.add("distributions", "ok", f"{words} tokens of each")


def distance(one: np.ndarray | None, other: np.ndarray | None) -> float | None:
    """Return the mean distance of log-probabilities in nats per token; None if one is unknown."""
    if one is None or other is None:
        return None
    return float(np.abs(one.astype(np.float64) - other).mean())


class Recognition:
    """Recognizes the model that servers had at the start by its log-probabilities of the probe.

    Attributes:
        reference: log-probabilities at the start; None if servers do not score: nothing can be recognized then.
    """

    def __init__(self, adapter: Adapter, probe: Probe, reference: np.ndarray | None) -> None:
        self.adapter, self.probe, self.reference = adapter, probe, reference

    async def __call__(self, server: Server) -> None:
        """Check a server; errors as for `Server.post`.

        Raises:
            OddError: it has another model now.
        """
        if self.reference is None:
            return
        ask = Scoring(self.probe.prompt, self.probe.response, 0, self.probe.vocabulary)
        apart = distance((await self.adapter.score(server, ask)).taken, self.reference)
        if apart is not None and apart > SAME:
            raise OddError(
                f"server {server.address} has another model than at the start ({apart:.2g} nats per token apart): "
                "start it with the model of the run, and resume"
            )


async def examine_all(
    servers: Sequence[Server], adapter: Adapter, served: Sequence[Served], probe: Probe, top: int | None
) -> list[Examination]:
    """Check several servers at once."""
    checks = (examine(server, adapter, one, probe, top) for server, one in zip(servers, served, strict=True))
    return list(await asyncio.gather(*checks))
