"""vLLM's server: token ids through `/v1/completions`, prompt log-probabilities for scores."""

from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from odd.models.base import Generation
from odd.models.server.asking import WHOLE, Sampling, Scores, Scoring, encoded, encoded_chat, listed
from odd.models.server.wire import Server, Unusable

COMPLETIONS = "/v1/completions"


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _LogProbs(_Strict):
    token_logprobs: list[float]


class _Continuation(_Strict):
    token_ids: list[int]
    logprobs: _LogProbs
    prompt_token_ids: list[int] | None = None


class _Sampled(_Strict):
    """An answer, without the texts: most of it, and most of the time to read it."""

    choices: list[_Continuation]


SAMPLED = TypeAdapter(_Sampled)


class VLLM:
    """Adapter of vLLM's server.

    Args:
        model: name of the model on the server.
    """

    kind = "vllm"
    top_remedy = "start it with --max-logprobs {top}, or -1 for all"
    mode_remedy = "start it with --logprobs-mode processed_logprobs"

    def __init__(self, model: str) -> None:
        self.model = model

    async def sample(self, server: Server, ask: Sampling) -> list[Generation]:
        """Sample continuations; errors as for `Server.post`."""
        body = {
            "model": self.model,
            "prompt": list(ask.prefix),
            "n": ask.count,
            "max_tokens": ask.limit,
            "temperature": ask.temperature,
            "seed": ask.seed,
            "logprobs": 0,
            "return_token_ids": True,
            "stop_token_ids": sorted(ask.ends),
            **WHOLE,
        }
        answer: _Sampled = await server.post(COMPLETIONS, body, ask.most_bytes, SAMPLED)
        if len(answer.choices) != ask.count:
            raise Unusable(f"{ask.count} continuations were asked for, it gave {len(answer.choices)}")
        prefix = list(ask.prefix)
        # the prompt is repeated in the first choice only, or in all
        if any(choice.prompt_token_ids not in (None, prefix) for choice in answer.choices):
            raise Unusable("it continued another prompt than the one that was sent")
        return [ask.generation(choice.token_ids, choice.logprobs.token_logprobs) for choice in answer.choices]

    async def score(self, server: Server, ask: Scoring) -> Scores:
        """Return distributions along a response; errors as for `Server.post`."""
        body = {
            "model": self.model,
            "prompt": ask.token_ids,
            "max_tokens": 1,
            "temperature": 0.0,
            "prompt_logprobs": -1 if ask.top >= ask.vocabulary else ask.top,
            "return_token_ids": True,
        }
        answer = await server.post(COMPLETIONS, body, ask.most_bytes)
        choice = listed(answer, "choices", 0)
        if listed(choice, "prompt_token_ids") != ask.token_ids:
            raise Unusable("it scored another prompt than the one that was sent")
        rows = listed(choice, "prompt_logprobs")
        if len(rows) != len(ask.token_ids):
            raise Unusable(f"{len(ask.token_ids)} tokens have {len(rows)} prompt log-probabilities")
        return ask.scores([_entries(row) for row in rows[len(ask.prompt) :]])

    async def encode(self, server: Server, text: str) -> list[int]:
        """Return the token ids that the server gives a text."""
        return await encoded(server, self.model, text)

    async def encode_chat(self, server: Server, messages: list[dict[str, str]]) -> list[int]:
        """Return the token ids that the server's chat template gives messages."""
        return await encoded_chat(server, self.model, messages)

    async def decode(self, server: Server, token_ids: list[int]) -> str:
        """Return the text that the server gives token ids."""
        return listed(await server.post("/detokenize", {"model": self.model, "tokens": token_ids}), "prompt")


def _entries(row: Any) -> dict[int, float]:
    """Return log-probabilities by token id."""
    if not isinstance(row, dict):
        raise Unusable("a prompt token has no log-probabilities")
    try:
        return {int(token): entry["logprob"] for token, entry in row.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise Unusable("a prompt token has malformed log-probabilities") from error
