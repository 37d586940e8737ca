"""A door between a browser and the app, which notes when which message passes.

Times are taken on the wire, so that a browser busy with drawing is not counted as work of the server.
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
"""Kinds of messages: the browser asks for the page, the server begins to run the script, and has run it to its end."""
CHUNK = 1 << 16


@dataclass(frozen=True)
class Message:
    """A message of the websocket.

    Attributes:
        time: when its last byte passed, seconds.
        sent: whether the browser sent it.
        kind: streamlit's name for it; "interrupted" where a script ended because it is to run again.
        size: bytes.
    """

    time: float
    sent: bool
    kind: str
    size: int


@dataclass
class Tap:
    """What passed through one door.

    Attributes:
        url: address of the door.
        messages: of the websocket, in the order of their times.
        requests: other requests of the browser.
        fetched: bytes that answered them.
        open: whether messages of the browser pass.
        held: whether one waits.
    """

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    requests: int = 0
    fetched: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    held: bool = False

    def __post_init__(self) -> None:
        """Open the door."""
        self.open.set()

    async def let_through(self) -> None:
        """Hold a message while the door is shut."""
        self.held = not self.open.is_set()
        await self.open.wait()
        self.held = False

    def note_request(self, time: float, data: bytes) -> None:
        """Count what a connection without websocket asks for."""
        self.requests += data.count(b" HTTP/1.1\r\n")

    def note_answer(self, time: float, data: bytes) -> None:
        """Count what is answered to it."""
        self.fetched += len(data)

    def note_messages(self, sent: bool) -> Note:
        """What reads one direction of a websocket."""
        stream = _Stream()

        def note(time: float, data: bytes) -> None:
            for payload in stream.read(data):
                self.messages.append(Message(time, sent, _kind(sent, payload), len(payload)))

        return note


def server_time(messages: Sequence[Message]) -> float | None:
    """Seconds in which the server owed the browser a page; None while it does, or where none was asked for."""
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
    """Messages out of the bytes of one direction of a websocket, after the head of its handshake."""

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
        """The next frame in full, as RFC 6455 has it; None if it is not all there."""
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
    """Makes doors; they are open as long as `opened` lasts."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def tap(self, port: int) -> Tap:
        """A door of its own to the server at a port."""
        return asyncio.run_coroutine_threadsafe(self._listen(port), self._loop).result(10)

    @contextmanager
    def shut(self, doors: Sequence[Tap]) -> Iterator[None]:
        """Hold what browsers ask for, and let all of it through in one instant at the end."""

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
            with suppress(ConnectionError, asyncio.IncompleteReadError):  # browsers open connections and leave them
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
    """Nothing to wait for."""


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
    """A thread in which doors are open."""
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
