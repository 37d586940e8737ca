"""SGLang's server: token ids through `/generate`, log-probabilities of its input for scores.

Written from its documentation and sources of mid-2026, and tried on a scripted server only.
"""

from typing import Any

from odd.models.base import Generation
from odd.models.server.asking import WHOLE, Sampling, Scores, Scoring, encoded, encoded_chat, listed
from odd.models.server.wire import Server, Unusable


class SGLang:
    """Adapter of SGLang's server.

    Args:
        model: name of the model on the server, which has one.
    """

    kind = "sglang"
    top_remedy = "ask for fewer"
    mode_remedy = "update it, and start it without SGLANG_RETURN_ORIGINAL_LOGPROB"

    def __init__(self, model: str) -> None:
        self.model = model

    async def sample(self, server: Server, ask: Sampling) -> list[Generation]:
        """Sample continuations; errors as for `Server.post`."""
        sampling = {
            "n": ask.count,
            "max_new_tokens": ask.limit,
            "temperature": ask.temperature,
            "stop_token_ids": sorted(ask.ends),
            **WHOLE,
        }
        body = {"input_ids": list(ask.prefix), "sampling_params": sampling, "return_logprob": True}
        answer = await server.post("/generate", body, ask.most_bytes)
        choices = answer if isinstance(answer, list) else [answer]
        if len(choices) != ask.count:
            raise Unusable(f"{ask.count} continuations were asked for, it gave {len(choices)}")
        return [self._generation(ask, choice) for choice in choices]

    def _generation(self, ask: Sampling, choice: Any) -> Generation:
        if listed(choice, "meta_info").get("prompt_tokens", len(ask.prefix)) != len(ask.prefix):
            raise Unusable("it continued another prompt than the one that was sent")
        token_ids, entries = listed(choice, "output_ids"), listed(choice, "meta_info", "output_token_logprobs")
        if [listed(entry, 1) for entry in entries] != token_ids:
            raise Unusable("its log-probabilities are of other tokens than those that it gave")
        return ask.generation(token_ids, [entry[0] for entry in entries])

    async def score(self, server: Server, ask: Scoring) -> Scores:
        """Return distributions along a response; errors as for `Server.post`."""
        body = {
            "input_ids": ask.token_ids,
            "sampling_params": {"max_new_tokens": 0, "temperature": 1.0},
            "return_logprob": True,
            "logprob_start_len": 0,
            "top_logprobs_num": min(ask.top, ask.vocabulary),
        }
        answer = await server.post("/generate", body, ask.most_bytes)
        meta = listed(answer[0] if isinstance(answer, list) and answer else answer, "meta_info")
        taken = listed(meta, "input_token_logprobs")
        if [listed(entry, 1) for entry in taken] != ask.token_ids:
            raise Unusable("it scored another prompt than the one that was sent")
        rows = [_entries([entry]) for entry in taken[len(ask.prompt) :]]
        if ask.top:
            tops = listed(meta, "input_top_logprobs")
            if len(tops) != len(taken):
                raise Unusable(f"{len(taken)} tokens have {len(tops)} distributions")
            rows = [_entries(top) | row for top, row in zip(tops[len(ask.prompt) :], rows, strict=True)]
        return ask.scores(rows)

    async def encode(self, server: Server, text: str) -> list[int]:
        """Return the token ids that the server gives a text."""
        return await encoded(server, self.model, text)

    async def encode_chat(self, server: Server, messages: list[dict[str, str]]) -> list[int]:
        """Return the token ids that the server's chat template gives messages."""
        return await encoded_chat(server, self.model, messages)

    async def decode(self, server: Server, token_ids: list[int]) -> str:
        """Return the text that the server gives token ids."""
        body = {"model": self.model, "tokens": token_ids, "skip_special_tokens": False}
        return listed(await server.post("/detokenize", body), "text")


def _entries(row: Any) -> dict[int, float]:
    """Return log-probabilities by token id, from lists of log-probability, id and text."""
    if not isinstance(row, list) or not all(isinstance(entry, list) and len(entry) >= 2 for entry in row):
        raise Unusable("a prompt token has malformed log-probabilities")
    if not all(type(entry[1]) is int for entry in row):
        raise Unusable("a prompt token has log-probabilities without ids")
    return {entry[1]: entry[0] for entry in row}
