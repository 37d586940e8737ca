import socket
from contextlib import closing
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.frames import Frame, Opcode

from benchmarks.tap import ASKED, BEGUN, DONE, Message, Tap, opened, server_time

HEAD = b"GET /_stcore/stream HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"


def frame(payload, opcode=Opcode.BINARY, final=True, mask=False):
    return Frame(opcode, payload, final).serialize(mask=mask)


def asked():
    message = BackMsg()
    message.rerun_script.query_string = "question=" + 300 * "x"
    return message.SerializeToString()


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
@pytest.mark.parametrize("mask", [True, False])
def test_messages_are_found_however_their_bytes_arrive(chunk, mask):
    tap, payload = Tap(), asked()
    stream = HEAD + frame(payload, mask=mask) + frame(b"", Opcode.PING, mask=mask) + frame(payload, mask=mask)
    note = tap.note_messages(sent=True)
    for start in range(0, len(stream), chunk):
        note(start, stream[start : start + chunk])
    assert [(message.kind, message.size) for message in tap.messages] == 2 * [(ASKED, len(payload))]


def test_a_message_in_several_frames_is_one():
    tap, payload = Tap(), ForwardMsg(delta={"new_element": {"text": {"body": 70_000 * "x"}}}).SerializeToString()
    note = tap.note_messages(sent=False)
    note(0.0, b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + frame(payload[:50_000], final=False))
    note(1.0, frame(payload[50_000:], Opcode.CONT))
    assert tap.messages == [Message(1.0, False, "delta", len(payload))]


def test_a_script_interrupted_for_a_rerun_has_not_finished():
    tap = Tap()
    for status in (ForwardMsg.FINISHED_EARLY_FOR_RERUN, ForwardMsg.FINISHED_SUCCESSFULLY):
        payload = ForwardMsg(script_finished=status).SerializeToString()
        tap.note_messages(sent=False)(0.0, b"\r\n\r\n" + frame(payload))
    assert [message.kind for message in tap.messages] == ["interrupted", DONE]


def passed(*kinds):
    return [Message(time, kind == ASKED, kind, 1) for time, kind in kinds]


def test_server_time_excludes_idle_time():
    messages = passed((0, ASKED), (1, BEGUN), (3, DONE), (10, ASKED), (11, BEGUN), (12, DONE))
    assert server_time(messages) == 5


def test_an_interrupted_script_counts_until_its_successor_is_done():
    messages = passed((0, ASKED), (1, BEGUN), (2, ASKED), (3, "interrupted"), (3, BEGUN), (6, DONE))
    assert server_time(messages) == 6


@pytest.mark.parametrize(
    "kinds",
    [
        [],
        [(0, ASKED)],
        [(0, ASKED), (1, BEGUN)],
        [(0, ASKED), (1, BEGUN), (2, ASKED), (3, DONE)],
        [(0, ASKED), (1, BEGUN), (2, DONE), (3, ASKED)],
        [(0, ASKED), (1, BEGUN), (2, DONE), (3, BEGUN)],
    ],
)
def test_a_pending_page_has_no_time_yet(kinds):
    assert server_time(passed(*kinds)) is None


def test_messages_to_a_shut_tap_pass_when_it_opens():
    with closing(socket.create_server(("127.0.0.1", 0))) as server, opened() as taps:
        tap = taps.tap(server.getsockname()[1])
        with closing(socket.create_connection(("127.0.0.1", urlsplit(tap.url).port or 0))) as browser:
            browser.sendall(HEAD)
            app, _ = server.accept()
            app.settimeout(10)
            assert app.recv(1000) == HEAD
            with taps.shut([tap]):
                browser.sendall(frame(asked(), mask=True))
                until = monotonic() + 10
                while not tap.held and monotonic() < until:
                    sleep(0.01)
                assert tap.held
                assert not tap.messages
            assert app.recv(1000)
            app.close()
    assert [message.kind for message in tap.messages] == [ASKED]
    assert not tap.held
