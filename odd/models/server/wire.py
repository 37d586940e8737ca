"""One inference server over HTTP: JSON in, JSON out, with limits on time and size, and errors by what to do about them.

No redirect is followed and no proxy of the environment is used: prompts and the API key reach the given address only.
"""

import ssl
from functools import cache
from typing import Any

import httpx2
import pydantic_core
from pydantic import TypeAdapter, ValidationError

from odd.errors import OddError
from odd.text import shortened

ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
MEGABYTE = 1 << 20
CONNECT_SECONDS = 5.0
KEEP_SECONDS = 4.0
"""Idle connections are closed before uvicorn's servers close them, after 5 seconds."""
LONGEST_REASON = 300
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses of requests that may succeed later."""


class Passing(Exception):
    """The server did not answer, or was not able to; it may be at the next attempt.

    Attributes:
        seconds: how long the server asks to wait.
        away: whether the server may have been stopped, and may return with another model.
    """

    def __init__(self, reason: str, seconds: float = 0.0, away: bool = False) -> None:
        super().__init__(reason)
        self.seconds, self.away = seconds, away


class Unusable(Exception):
    """The server answered with something that is not an answer to the request."""


class Refused(OddError):
    """The server refuses the request, and would again.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """An inference server.

    Args:
        address: its address, such as http://gpu1:8000.
        key: API key, sent as a bearer token; it appears in no message.
        seconds: time after which an answer counts as missing.
    """

    def __init__(self, address: str, key: str | None = None, seconds: float = 600.0) -> None:
        self.address, self._key, self.seconds = address.rstrip("/"), key, seconds
        self._client = httpx2.AsyncClient(
            headers={"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {}),
            timeout=httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
            limits=httpx2.Limits(max_connections=None, keepalive_expiry=KEEP_SECONDS),
            verify=_certificates() if self.address.startswith("https:") else False,
            follow_redirects=False,
            trust_env=False,
        )

    async def get(self, path: str) -> Any:
        """Return the JSON at a path; errors as for `post`."""
        return await self._ask("GET", path, None, MEGABYTE)

    async def post(
        self, path: str, body: dict[str, Any], most: int = MEGABYTE, shape: TypeAdapter[Any] = ANYTHING
    ) -> Any:
        """Send JSON to a path and return the JSON of the answer.

        Args:
            path: path after the address.
            body: what to send.
            most: largest answer in bytes.
            shape: what to read of the answer; the rest is skipped.

        Raises:
            Passing: no answer in time, a broken connection, or a status that says to try again.
            Unusable: the answer is too large, not JSON, or of another shape.
            Refused: any other status than 200.
        """
        return await self._ask("POST", path, body, most, shape)

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, most: int, shape: TypeAdapter[Any] = ANYTHING
    ) -> Any:
        content = None if body is None else pydantic_core.to_json(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with self._client.stream(method, self.address + path, content=content, headers=headers) as answer:
                text = await self._read(answer, most)
        except httpx2.TimeoutException as error:
            raise Passing(f"no answer within {self.seconds:g} s", away=True) from error
        except httpx2.HTTPError as error:
            reason = f"connection failed ({self._clean(str(error) or type(error).__name__)})"
            raise Passing(reason, away=True) from error
        if answer.status_code != 200:
            raise self._problem(answer, text)
        try:
            return shape.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise Unusable(f"its answer is not what was asked for: {where} {first['msg']}"[:LONGEST_REASON]) from error

    async def _read(self, answer: httpx2.Response, most: int) -> bytes:
        parts: list[bytes] = []
        room = most
        async for part in answer.aiter_raw():
            room -= len(part)
            if room < 0:
                raise Unusable(f"its answer is larger than {most:,} bytes")
            parts.append(part)
        return b"".join(parts)

    def _problem(self, answer: httpx2.Response, text: bytes) -> Passing | Refused:
        status, said = answer.status_code, self._clean(_message(text))
        if status in TRY_AGAIN:
            wait = answer.headers.get("retry-after", "")
            return Passing(f"status {status} ({said})", float(wait) if wait.isdecimal() else 0.0, status != 429)
        if status in (401, 403) and "enable" not in said:
            remedy = "the key in it is refused" if self._key else "it wants an API key"
            return Refused(
                f"server {self.address}: {remedy} ({status}): name the variable with it as api_key_env", status
            )
        return Refused(f"server {self.address} refuses the request ({status}): {said}", status)

    def _clean(self, text: str) -> str:
        """Shorten what a server said; it may repeat the key."""
        if self._key:
            text = text.replace(self._key, "…")
        return shortened(" ".join(text.split()), LONGEST_REASON)


@cache
def _certificates() -> ssl.SSLContext:
    """Return the context of encrypted connections; loading the certificates takes a while."""
    return httpx2.create_ssl_context()


def _message(text: bytes) -> str:
    """Return what an answer says about an error."""
    plain = text[:MEGABYTE].decode(errors="replace")
    try:
        found = pydantic_core.from_json(plain)
    except ValueError:
        return plain
    for name in ("error", "message", "detail"):
        found = found.get(name, found) if isinstance(found, dict) else found
    return found if isinstance(found, str) else str(found)
