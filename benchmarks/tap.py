"""A proxy between a browser and the app that records when each message passes.

Times are taken on the wire, so that a browser busy drawing does not count as server time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from time import perf_counter

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

Note = Callable[[float, bytes], None]

ASKED, BEGUN, DONE = "rerun_script", "new_session", "script_finished"
"""Kinds of messages: the browser requests a rerun, the server starts the script, and the server has finished it."""
CHUNK = 1 << 16


@dataclass(frozen=True)
class Message:
    """A websocket message.

    Attributes:
        time: when its last byte passed, in seconds.
        sent: whether the browser sent it.
        kind: Streamlit's name for it; "interrupted" if a script ended early for a rerun.
        size: size in bytes.
    """

    time: float
    sent: bool
    kind: str
    size: int


@dataclass
class Tap:
    """Traffic through one tap.

    Attributes:
        url: address of the tap.
        messages: websocket messages, in order of time.
        requests: number of other requests by the browser.
        fetched: bytes of the responses to them.
        open: set while messages from the browser may pass.
        held: whether a message is waiting.
    """

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    requests: int = 0
    fetched: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    held: bool = False

    def __post_init__(self) -> None:
        """Open the tap."""
        self.open.set()

    async def let_through(self) -> None:
        """Wait while the tap is shut."""
        self.held = not self.open.is_set()
        await self.open.wait()
        self.held = False

    def note_request(self, time: float, data: bytes) -> None:
        """Count the requests on a connection without websocket."""
        self.requests += data.count(b" HTTP/1.1\r\n")

    def note_answer(self, time: float, data: bytes) -> None:
        """Count the response bytes on a connection without websocket."""
        self.fetched += len(data)

    def note_messages(self, sent: bool) -> Note:
        """Return a function that records the messages in one direction of a websocket."""
        stream = _Stream()

        def note(time: float, data: bytes) -> None:
            for payload in stream.read(data):
                self.messages.append(Message(time, sent, _kind(sent, payload), len(payload)))

        return note


def server_time(messages: Sequence[Message]) -> float | None:
    """Seconds during which the browser waited for the server; None while it still waits, or without a request."""
    total, since, pending, answered = 0.0, None, False, False
    for message in messages:
        if message.kind == ASKED and message.sent:
            pending = True
        pending = pending and message.kind != BEGUN
        if message.kind in (ASKED, BEGUN) and since is None:
            since = message.time
        if message.kind == DONE and since is not None:
            total, since, answered = total + message.time - since, None, True
    return total if answered and since is None and not pending else None


def _kind(sent: bool, payload: bytes) -> str:
    if sent:
        return BackMsg.FromString(payload).WhichOneof("type") or ""
    message = ForwardMsg.FromString(payload)
    if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
        return "interrupted"
    return message.WhichOneof("type") or ""


class _Stream:
    """Parse messages from the bytes of one direction of a websocket, after the handshake header."""

    def __init__(self) -> None:
        self.bytes, self.message, self.greeted = bytearray(), bytearray(), False

    def read(self, data: bytes) -> Iterator[bytes]:
        self.bytes += data
        if not self.greeted:
            _, end, rest = self.bytes.partition(b"\r\n\r\n")
            if not end:
                return
            self.bytes, self.greeted = rest, True
        while (frame := self._frame()) is not None:
            final, opcode, payload = frame
            if opcode >= 8:  # ping, pong, close
                continue
            self.message += payload
            if final:
                yield bytes(self.message)
                self.message.clear()

    def _frame(self) -> tuple[bool, int, bytes] | None:
        """Return the next complete frame (RFC 6455); None if it is incomplete."""
        if len(self.bytes) < 2:
            return None
        first, second = self.bytes[0], self.bytes[1]
        more = {126: 2, 127: 8}.get(second & 127, 0)
        masked = 4 if second & 128 else 0
        start = 2 + more + masked
        if len(self.bytes) < start:
            return None
        length = int.from_bytes(self.bytes[2 : 2 + more], "big") if more else second & 127
        if len(self.bytes) < start + length:
            return None
        payload = bytes(self.bytes[start : start + length])
        if masked:
            mask = (bytes(self.bytes[start - 4 : start]) * (length // 4 + 1))[:length]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(length, "big")
        del self.bytes[: start + length]
        return bool(first & 128), first & 15, payload


class Taps:
    """Creates taps; they work within the context of `opened`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def tap(self, port: int) -> Tap:
        """Create a tap to the server at a port."""
        return asyncio.run_coroutine_threadsafe(self._listen(port), self._loop).result(10)

    @contextmanager
    def shut(self, doors: Sequence[Tap]) -> Iterator[None]:
        """Hold messages from browsers within the context, and release all of them at once at its end."""

        async def swing(move: Callable[[asyncio.Event], None]) -> None:
            for door in doors:
                move(door.open)

        asyncio.run_coroutine_threadsafe(swing(asyncio.Event.clear), self._loop).result(10)
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(swing(asyncio.Event.set), self._loop).result(10)

    async def _listen(self, port: int) -> Tap:
        tap = Tap()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError, asyncio.IncompleteReadError):  # browsers abandon connections
                await _connect(tap, port, reader, writer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        tap.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return tap


async def _connect(tap: Tap, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
    notes, before = (tap.note_request, tap.note_answer), _at_once
    if b"upgrade: websocket" in head.lower():
        notes, before = (tap.note_messages(True), tap.note_messages(False)), tap.let_through
    notes[0](perf_counter(), head)
    server_writer.write(head)
    await asyncio.gather(
        _pump(reader, server_writer, notes[0], before), _pump(server_reader, writer, notes[1], _at_once)
    )


async def _at_once() -> None:
    """Do not wait."""


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Note, before: Callable[[], Awaitable[None]]
) -> None:
    try:
        while data := await reader.read(CHUNK):
            await before()
            passed = perf_counter()
            writer.write(data)
            await writer.drain()
            note(passed, data)
    finally:
        writer.close()


@contextmanager
def opened() -> Iterator[Taps]:
    """Run the taps in a thread within the context."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield Taps(loop)
    finally:
        asyncio.run_coroutine_threadsafe(_close_all(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


async def _close_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
