"""Kinds of servers, and which one an address is."""

from typing import Any, NamedTuple, Protocol

from odd.errors import OddError
from odd.models.base import Generation
from odd.models.server.asking import Sampling, Scores, Scoring
from odd.models.server.vllm import VLLM
from odd.models.server.wire import Passing, Refused, Server, Unusable


class Adapter(Protocol):
    """The interface of one kind of server.

    Attributes:
        kind: its name in the settings.
        top_remedy: how to start it to get `top` tokens per distribution.
        mode_remedy: how to start it to get log-probabilities of the distribution that it samples from.
    """

    kind: str
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


ADAPTERS: dict[str, Any] = {"vllm": VLLM}
SIGNS = {"sglang": ("/get_model_info", "model_path"), "trl": ("/get_world_size/", "world_size")}
"""A path that only this kind of server has, and a key of its answer."""


class Served(NamedTuple):
    """What a server says about itself: kind, version, names of its models, and context window in tokens."""

    kind: str
    version: str
    models: tuple[str, ...]
    window: int | None


async def look(server: Server) -> Served:
    """Find out what a server is.

    Raises:
        OddError: it does not answer, or is none of the known kinds.
    """
    try:
        for kind, (path, key) in SIGNS.items():
            found = await _optional(server, path)
            if isinstance(found, dict) and key in found:
                return Served(kind, str(found.get("version", "")), *_models(await _optional(server, "/v1/models")))
        listing = await server.get("/v1/models")
        version = await _optional(server, "/version")
    except (Passing, Unusable) as error:
        raise OddError(f"server {server.address} cannot be used ({error}): start it, or correct the address") from error
    names, window = _models(listing)
    said = str(version.get("version", "")) if isinstance(version, dict) else ""
    if not names or not said:
        raise OddError(
            f"server {server.address} is none of {', '.join(['vllm', *SIGNS])}: name its kind as server_kind"
        )
    return Served("vllm", said, names, window)


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
