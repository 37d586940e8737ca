"""The fake engine of other tests on scripted servers: sampled there, scored here."""

import os

from odd.models.base import LanguageModel
from odd.models.server.replicas import Replicas
from odd.models.server.sampler import ServerSampler
from odd.models.server.start import Probe, Recognition
from odd.models.server.vllm import VLLM
from odd.models.server.wire import Server
from tests.models import bigram_engine
from tests.models.bigram_engine import END, LIKELY, SIZE
from tests.models.server.scripted import MODEL, Scripted

ENDS = frozenset({END})
PROMPT, RESPONSE = (40, 41, 42), tuple(LIKELY[1:]) * 2


def model_size(config, cache):
    """Fail to tell the memory of a model: all models fit."""
    return None


def load(config, cache):
    local = bigram_engine.load(config, cache)
    if not config.server:
        return local
    (reference,) = local.scorer.token_log_probs(PROMPT, [RESPONSE], (1.0,))[0]
    recognition = Recognition(VLLM(MODEL), Probe(PROMPT, RESPONSE, (), None, {}, ENDS, SIZE), reference)
    servers = [Server(address, os.environ.get(config.api_key_env or ""), 5) for address in config.server]
    replicas = Replicas.of(config.name, servers, 64, config.server_patience, recognition)
    sampler = ServerSampler(config.name, VLLM(MODEL), replicas, SIZE, ENDS, None, processed=True)
    return LanguageModel(config.name, local.digest, local.tokenizer, sampler, local.scorer)


class ScriptedBigrams(Scripted):
    """A scripted server with the fake model of a name."""

    def __init__(self, config):
        self.model = bigram_engine.load(config, None).scorer
        super().__init__()

    def _continuation(self, body, i):
        limit = body["max_tokens"]
        (made,) = self.model.sample([body["prompt"]], [limit], body["temperature"], body["seed"] + i)
        return {"token_ids": list(made.token_ids), "logprobs": {"token_logprobs": made.log_probs.tolist()}}

    def _scores(self, prompt, top):
        log_probs = self.model.after(prompt, prompt[:-1])
        rows = [{str(token): {"logprob": float(row[token])}} for row, token in zip(log_probs, prompt[1:], strict=True)]
        return {"choices": [{"prompt_token_ids": prompt, "prompt_logprobs": [None, *rows]}]}
