"""A model on inference servers, with the local tokenizer, and if asked for with local weights that score."""

import asyncio
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from odd.config import ModelConfig
from odd.config.models import ON_SERVERS, ServerKind
from odd.errors import OddError
from odd.models.base import SAME, Derivatives, LanguageModel, ModelSize, probed
from odd.models.server.adapters import ADAPTERS, Adapter, Served, look
from odd.models.server.loop import wait_for
from odd.models.server.replicas import Replicas
from odd.models.server.sampler import ServerSampler
from odd.models.server.scorer import ServerScorer
from odd.models.server.start import (
    PROBES,
    QUESTION,
    Examination,
    Finding,
    Probe,
    Recognition,
    distance,
    examine_all,
)
from odd.models.server.wire import Server
from odd.models.transformers.language_model import RenderedModel, load_tokenizer
from odd.models.transformers.language_model import load as load_weights
from odd.models.transformers.language_model import model_size as size_of_weights
from odd.models.transformers.tokenizer import TransformersTokenizer

SPECIAL = 16
"""Special tokens that are compared."""
ANY_SIZE = 1 << 31
"""Bound of token ids where the vocabulary is unknown."""


@dataclass(frozen=True)
class ServerModel(RenderedModel):
    """A model on servers.

    Attributes:
        local: the same model with local weights, which scores; None if the servers score.
        processed: whether log-probabilities are those of the sampled distribution at any temperature.
        mode_remedy: how to start the servers if they are not.
    """

    local: LanguageModel | None = None
    processed: bool = False
    mode_remedy: str = ""

    def derivatives(self, pattern: str | None = None) -> Derivatives:
        """Return the derivatives of the local weights; see `odd.models.base.LanguageModel`.

        Raises:
            OddError: there are none.
        """
        if self.local is None:
            raise OddError(
                f"model {self.name!r}: influence needs its weights on this machine: set scorer = 'transformers'"
            )
        return self.local.derivatives(pattern)

    def check_student(self, temperature: float) -> None:
        """Check that it can be the student of a run that samples at a temperature.

        Raises:
            OddError: its servers do not tell the probabilities that this needs.
        """
        if temperature != 1 and not self.processed:
            raise OddError(
                f"model {self.name!r}: the server's log-probabilities are those at temperature 1, and the run samples "
                f"at {temperature:g}: {self.mode_remedy}, or set sampling.temperature=1"
            )
        if self.known_tokens is not None:
            raise OddError(
                f"model {self.name!r}: a student needs its whole distributions, and its servers report the top "
                f"{self.known_tokens} tokens: set scorer = 'transformers', or server_top = 0"
            )


def load(config: ModelConfig, cache: Path) -> ServerModel:
    """Connect to the servers of a model and check them.

    Raises:
        OddError: a server cannot be reached or does not fit; there is no such model here, or no tokenizer.
    """
    servers = connect(config)
    served = wait_for(look_at_all(servers, config.server_kind))
    adapter = adapter_of(config, served)
    local = load_weights(_local(config), cache) if config.scorer == "transformers" else None
    if local is None:
        tokenizer, size, digest = load_tokenizer(_local(config), cache)
        digest = hashlib.sha256(json.dumps([digest, adapter.model]).encode()).hexdigest()[:16]
    else:
        tokenizer, size, digest = local.tokenizer, local.scorer.vocabulary_size, local.digest
    probe = probe_of(tokenizer, size)
    top = None if local else config.server_top
    found = wait_for(examine_all(servers, adapter, served, probe, top))
    own = None if local is None else local.scorer.token_log_probs(probe.prompt, [probe.response], (1.0,))[0][0]
    _check(config.name, servers, found, own)
    recognition = Recognition(adapter, probe, found[0].reference)
    patience = float(config.server_patience)
    replicas = Replicas.of(config.name, servers, config.server_rollouts, patience, recognition)
    window = min((one.window for one in served if one.window is not None), default=None)
    processed = all(one.processed for one in found)
    remote = ServerScorer(config.name, adapter, replicas, size, window, config.server_top or None)
    return ServerModel(
        name=config.name,
        digest=digest if local else probed(digest, found[0].reference),
        tokenizer=tokenizer,
        sampler=ServerSampler(config.name, adapter, replicas, size, tokenizer.end_tokens, window, processed),
        scorer=local.scorer if local else remote,
        known_tokens=None if local else config.server_top or None,
        local=local,
        processed=processed,
        mode_remedy=adapter.mode_remedy,
    )


def check_servers(config: ModelConfig, cache: Path, local: bool) -> list[Finding]:
    """Return what is found out about the servers of a model.

    Args:
        config: settings of the model.
        cache: folder of converted models.
        local: whether `config.name` names a model on this machine, whose tokenizer is compared.

    Raises:
        OddError: a server cannot be reached or refuses to sample, or there is no such model.
    """
    servers = connect(config)
    served = wait_for(look_at_all(servers, config.server_kind))
    adapter = adapter_of(config, served)
    if local:
        tokenizer, size, _ = load_tokenizer(_local(config), cache)
        probe = probe_of(tokenizer, size)
    else:
        ids = wait_for(adapter.encode(servers[0], PROBES[0]))
        probe = Probe(tuple(ids), tuple(ids), (), None, {}, frozenset(), ANY_SIZE)
    found = wait_for(examine_all(servers, adapter, served, probe, config.server_top))
    return [finding for one in found for finding in one.findings]


def model_size(config: ModelConfig, cache: Path) -> ModelSize | None:
    """Return the memory of the local weights; a model that only servers have takes none here."""
    if config.scorer == "transformers":
        return size_of_weights(_local(config), cache)
    return ModelSize(weights=0, last_layer=0, token=0, vocabulary=0)


def connect(config: ModelConfig) -> list[Server]:
    """Return the servers of a model; nothing is sent yet.

    Raises:
        OddError: the variable with the API key is not set.
    """
    key = None
    if config.api_key_env is not None:
        key = os.environ.get(config.api_key_env, "").strip()
        if not key:
            raise OddError(f"model {config.name!r}: set the environment variable {config.api_key_env} to the API key")
    return [Server(address, key, config.server_timeout) for address in config.server]


async def look_at_all(servers: Sequence[Server], kind: ServerKind) -> list[Served]:
    """Find out what several servers are."""
    return list(await asyncio.gather(*(look(server, kind) for server in servers)))


def adapter_of(config: ModelConfig, served: Sequence[Served]) -> Adapter:
    """Return the adapter of some servers.

    Raises:
        OddError: they are of different kinds, or do not have the model.
    """
    kinds = {one.kind for one in served}
    if len(kinds) > 1:
        raise OddError(
            f"model {config.name!r}: its servers are of different kinds: {', '.join(sorted(kinds))}; use one"
        )
    kind = kinds.pop()
    names = [set(one.models) for one in served]
    name = config.server_model
    if name is None:
        common = set.intersection(*names)
        if len(common) != 1:
            choices = ", ".join(sorted(set.union(*names))) or "no model"
            raise OddError(f"model {config.name!r}: its servers have {choices}: choose one as server_model")
        name = common.pop()
    for address, known in zip(config.server, names, strict=True):
        if known and name not in known:
            raise OddError(
                f"server {address} has {', '.join(sorted(known))}, not {name!r}: start it with --served-model-name "
                f"{name}, or set server_model"
            )
    return ADAPTERS[kind](name)


def probe_of(tokenizer: TransformersTokenizer, vocabulary: int) -> Probe:
    """Return what to ask of the servers of a model."""
    chat = tokenizer.encode_chat(QUESTION)
    texts = [tokenizer.encode(text) for text in PROBES]
    added = tokenizer.tokenizer.added_tokens_decoder
    special = {token: str(entry) for token, entry in added.items() if entry.special}
    ends = sorted(tokenizer.end_tokens & special.keys())
    compared = dict.fromkeys([*ends, *sorted(special)][:SPECIAL])
    return Probe(
        prompt=tuple(chat),
        response=tuple(texts[0]),
        texts=texts,
        chat=chat,
        special={token: special[token] for token in compared},
        ends=tokenizer.end_tokens,
        vocabulary=vocabulary,
    )


def _check(name: str, servers: Sequence[Server], found: Sequence[Examination], own: np.ndarray | None) -> None:
    """Check that no server has an error, and that all have the same model.

    Args:
        name: name of the model.
        servers: the servers.
        found: what was found out about each.
        own: log-probabilities of the probe by the local weights; None if there are none.

    Raises:
        OddError: they do not.
    """
    for one in found:
        for error in one.errors:
            raise OddError(error)
    for server, one in zip(servers, found, strict=True):
        apart = distance(one.reference, found[0].reference)
        if apart is not None and apart > SAME:
            raise OddError(
                f"servers {servers[0].address} and {server.address} have different models ({apart:.2g} nats per token "
                "apart): start them with the same one"
            )
        apart = distance(one.reference, own)
        if apart is not None and apart > SAME:
            raise OddError(
                f"server {server.address} has another model than the local {name!r} ({apart:.2g} nats per token apart):"
                " start it with the same weights, or correct name"
            )


def _local(config: ModelConfig) -> ModelConfig:
    """Return the settings of the local weights of a model."""
    usual = ModelConfig()
    return config.model_copy(update={name: getattr(usual, name) for name in ON_SERVERS})
