"""Kinds of servers, and which one an address is."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from odd.errors import OddError
from odd.models.base import Generation
from odd.models.server.asking import Sampling, Scores, Scoring
from odd.models.server.sglang import SGLang
from odd.models.server.vllm import VLLM
from odd.models.server.wire import Passing, Refused, Server, Unusable


class Adapter(Protocol):
    """The interface of one kind of server.

    Attributes:
        kind: its name in the settings.
        model: name of the model on the server.
        top_remedy: how to start it to get `top` tokens per distribution.
        mode_remedy: how to start it to get log-probabilities of the distribution that it samples from.
    """

    kind: str
    model: str
    top_remedy: str
    mode_remedy: str

    async def sample(self, server: Server, ask: Sampling) -> list[Generation]:
        """Sample continuations of a prefix."""
        ...

    async def score(self, server: Server, ask: Scoring) -> Scores:
        """Return distributions along a response."""
        ...

    async def encode(self, server: Server, text: str) -> list[int]:
        """Return the token ids that the server gives a text."""
        ...

    async def encode_chat(self, server: Server, messages: list[dict[str, str]]) -> list[int]:
        """Return the token ids that the server's chat template gives messages."""
        ...

    async def decode(self, server: Server, token_ids: list[int]) -> str:
        """Return the text that the server gives token ids."""
        ...


ADAPTERS: dict[str, Callable[[str], Adapter]] = {"vllm": VLLM, "sglang": SGLang}
"""Adapters by the kind in the settings; `trl vllm-serve` starts vLLM's server."""


class Served(NamedTuple):
    """What a server says about itself: kind, version, names of its models, and context window in tokens."""

    kind: str
    version: str
    models: tuple[str, ...]
    window: int | None


async def look(server: Server, given: str = "auto") -> Served:
    """Find out what a server is, unless its kind is given.

    Raises:
        OddError: it does not answer, or is none of the known kinds.
    """
    try:
        names, window = _models(await server.get("/v1/models"))
        for kind, path, key in (("sglang", "/get_model_info", "model_path"), ("vllm", "/version", "version")):
            found = await _optional(server, path)
            if given == kind or (given == "auto" and isinstance(found, dict) and key in found):
                found = found if isinstance(found, dict) else {}
                return Served(kind, str(found.get("version", "")), names, window)
    except (Passing, Unusable) as error:
        raise OddError(f"server {server.address} cannot be used ({error}): start it, or correct the address") from error
    kinds = " nor ".join(ADAPTERS)
    raise OddError(f"server {server.address} is neither {kinds}: give its kind as server_kind if it speaks like one")


async def _optional(server: Server, path: str) -> Any:
    try:
        return await server.get(path)
    except (Refused, Unusable):
        return None


def _models(listing: Any) -> tuple[tuple[str, ...], int | None]:
    """Return the names in a listing of models, and the smallest window."""
    data = listing.get("data") if isinstance(listing, dict) else None
    entries = [one for one in data or [] if isinstance(one, dict) and isinstance(one.get("id"), str)]
    windows = [one["max_model_len"] for one in entries if isinstance(one.get("max_model_len"), int)]
    return tuple(one["id"] for one in entries), min(windows, default=None)
