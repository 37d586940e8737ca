"""Faults of servers: a run goes on with the others, or stops with one line, and nothing false is returned."""

import os
import signal
import threading
import time
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from odd.errors import OddError
from odd.models.server import replicas as queue
from odd.models.server.replicas import Replicas
from odd.models.server.sampler import ServerSampler
from odd.models.server.scorer import ServerScorer
from odd.models.server.start import Probe, Recognition
from odd.models.server.vllm import VLLM
from odd.models.server.wire import Server
from tests.models.server.scripted import (
    END,
    MODEL,
    SIZE,
    altered,
    bigrams,
    cut_off,
    hang,
    reset,
    scripted,
    status,
    text,
)

PROMPT, KEY = (3, 1, 4), "secret-key-123"
PROBE = Probe(PROMPT, (1, 5, 9, 2, 6), (), None, {}, frozenset({END}), SIZE)


@pytest.fixture(autouse=True)
def short_rests(monkeypatch):
    monkeypatch.setattr(queue, "FIRST_REST", 0.01)
    monkeypatch.setattr(queue, "LONGEST_REST", 0.05)
    monkeypatch.setattr(queue, "LOOK_AGAIN", 0.05)


def replicas(servers, seconds=5.0, patience=0.5, room=64, key=KEY, weights=0):
    """The replicas of a model with the given weights."""
    table, known = bigrams(weights), [*PROMPT[-1:], *PROBE.response]
    reference = np.array([table[last, token] for last, token in pairwise(known)], dtype=np.float32)
    connected = [Server(one if isinstance(one, str) else one.address, key, seconds) for one in servers]
    return Replicas.of("name", connected, room, patience, Recognition(VLLM(MODEL), PROBE, reference))


def sample(made, count=8, limit=6, temperature=1.0, prompt=PROMPT):
    sampler = ServerSampler("name", VLLM(MODEL), made, SIZE, frozenset({END}), 64, processed=False)
    return sampler.sample([prompt] * count, [limit] * count, temperature, 7)


def check_rollouts(made, count=8):
    """Check that all rollouts are complete and have the log-probabilities of the model with weights 0."""
    assert len(made) == count
    table = bigrams(0)
    for one in made:
        last = (PROMPT[-1], *one.token_ids[:-1])
        np.testing.assert_allclose(one.log_probs, [table[a, b] for a, b in zip(last, one.token_ids, strict=True)], 1e-5)
        assert one.truncated == (one.token_ids[-1] != END)


def restart(handler, answer):
    """Stop the server, which returns with another model."""
    handler.server.table = bigrams(5)
    reset(handler, answer)


def interrupt(handler, answer):
    """Interrupt the run while it waits."""
    os.kill(os.getpid(), signal.SIGINT)
    hang(handler, answer)


def set_(choice, name, value):
    choice[name] = value


def log_probs(choice, change):
    change(choice["logprobs"]["token_logprobs"])


UNUSABLE = {
    "not JSON": text(b"<html>502</html>"),
    "a list": text(b"[]"),
    "no choices": text(b"{}"),
    "too large": text(b'{"choices": "' + b"x" * (3 << 20) + b'"}'),
    "a deep nest": text(b"[" * 100_000),
    "fewer continuations": lambda handler, answer: {"choices": answer["choices"][1:]},
    "no ids": altered(lambda choice: choice.pop("token_ids")),
    "no log-probabilities": altered(partial(set_, name="logprobs", value=None)),
    "fewer log-probabilities": altered(partial(log_probs, change=lambda values: values.pop())),
    "a missing log-probability": altered(partial(log_probs, change=lambda values: values.__setitem__(0, None))),
    "NaN": altered(partial(log_probs, change=lambda values: values.__setitem__(0, float("nan")))),
    "minus infinity": altered(partial(log_probs, change=lambda values: values.__setitem__(0, float("-inf")))),
    "-9999": altered(partial(log_probs, change=lambda values: values.__setitem__(0, -9999.0))),
    "a number beyond any": altered(partial(log_probs, change=lambda values: values.__setitem__(0, -(10**400)))),
    "a probability above 1": altered(partial(log_probs, change=lambda values: values.__setitem__(0, 0.7))),
    "a text as log-probability": altered(partial(log_probs, change=lambda values: values.__setitem__(0, "-1"))),
    "an id beyond the vocabulary": altered(lambda choice: choice["token_ids"].__setitem__(0, SIZE)),
    "a negative id": altered(lambda choice: choice["token_ids"].__setitem__(0, -1)),
    "an id that is true": altered(lambda choice: choice["token_ids"].__setitem__(0, True)),
    "another prompt": altered(partial(set_, name="prompt_token_ids", value=[1, 2])),
    "too long": altered(lambda choice: (choice["token_ids"].extend([1] * 9), choice.update(
        logprobs={"token_logprobs": [-1.0] * len(choice["token_ids"])}
    ))),
    "tokens after the end": altered(
        lambda choice: choice.update(token_ids=[1, END, 1, 1, 1, 1], logprobs={"token_logprobs": [-1.0] * 6})
    ),
    "no end before the limit": altered(lambda choice: choice.update(token_ids=[1], logprobs={"token_logprobs": [-1]})),
    "nothing": altered(lambda choice: choice.update(token_ids=[], logprobs={"token_logprobs": []})),
}  # fmt: skip


@pytest.mark.parametrize("fault", UNUSABLE.values(), ids=UNUSABLE)
def test_a_server_that_answers_rubbish_is_left_out_and_the_others_do_its_work(fault):
    with scripted(0, 0) as (good, bad):
        bad.always = fault
        made = replicas([good, bad])
        check_rollouts(sample(made))
        check_rollouts(sample(made))
        assert made.replicas[1].unusable and not made.replicas[0].unusable


def test_rubbish_from_the_only_server_stops_with_one_line():
    with scripted(0) as (bad,):
        bad.always = UNUSABLE["NaN"]
        with pytest.raises(OddError, match=r"no server is left \(http.*log-probability is nan, 3 times in a row\)"):
            sample(replicas([bad]))
        assert len(bad.asked) == queue.MOST_UNUSABLE


PASSING = {
    "429": status(429),
    "500": status(500),
    "503, and when to come back": status(503, **{"Retry-After": "0"}),
    "reset": reset,
    "cut off": cut_off,
    "one unusable answer": UNUSABLE["NaN"],
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_passes_is_asked_again(fault):
    with scripted(0) as (server,):
        server.faults = [fault, fault]
        check_rollouts(sample(replicas([server], patience=5)))


@pytest.mark.parametrize("code", [301, 400, 404, 422])
def test_what_is_refused_is_not_asked_again(code):
    with scripted(0) as (server,):
        server.always = status(code)
        with pytest.raises(OddError, match=f"refuses the request \\({code}\\): failed with"):
            sample(replicas([server]), count=4)
        assert len(server.asked) == 1


def test_a_server_that_hangs_is_replaced_by_the_others():
    with scripted(0, 0) as (good, slow):
        slow.always = hang
        check_rollouts(sample(replicas([good, slow], seconds=0.2)))


def test_a_server_that_was_killed_is_replaced_by_the_others():
    with scripted(0, 0) as (good, killed):
        address = killed.address
        killed.shutdown()
        killed.server_close()
        check_rollouts(sample(replicas([good, address])))


def test_when_all_servers_are_gone_the_run_stops_with_one_line():
    with scripted(0) as (server,):
        server.always = reset
        started = time.monotonic()
        with pytest.raises(OddError, match=r"no server has answered for 0\.3 s .*run the same command to resume"):
            sample(replicas([server], patience=0.3))
        assert time.monotonic() - started < 3


def test_a_server_that_returns_within_the_patience_finishes_the_work():
    with scripted(0) as (server,):
        server.always = status(503)
        threading.Timer(0.3, lambda: setattr(server, "always", None)).start()
        check_rollouts(sample(replicas([server], patience=20)))


def test_a_server_that_returns_with_another_model_is_left_out():
    with scripted(0, 0) as (good, other):
        other.faults = [restart]
        made = replicas([good, other])
        for _ in range(20):
            check_rollouts(sample(made))
        assert "has another model than at the start" in (made.replicas[1].left_out or "")


def test_answers_of_a_model_that_was_replaced_unnoticed_are_not_returned():
    with scripted(5) as (other,), pytest.raises(OddError, match="has another model than at the start"):
        sample(replicas([other]))


@pytest.mark.parametrize("code", [400, 401, 403, 500])
def test_the_api_key_is_sent_and_is_in_no_error(code):
    with scripted(0) as (server,):
        server.always = status(code)
        with pytest.raises(OddError) as caught:
            sample(replicas([server], patience=0.1))
        assert server.headers_seen[0]["Authorization"] == f"Bearer {KEY}"
        assert KEY not in f"{caught.value} {caught.getrepr(style='long', chain=True, showlocals=False)}"


def test_an_interrupt_closes_the_connection():
    with scripted(0) as (server,):
        server.always = interrupt
        with pytest.raises(KeyboardInterrupt):
            sample(replicas([server], seconds=60), count=4)
        assert server.gone.wait(30)


def test_a_server_never_samples_more_rollouts_at_a_time_than_there_is_room_for():
    with scripted(0) as (server,):
        server.delay = 0.02
        check_rollouts(sample(replicas([server], room=40), count=256), 256)
        assert 32 <= server.most <= 40


def test_the_less_loaded_server_is_asked_first():
    with scripted(0, 0) as (one, other):
        one.delay = other.delay = 0.02
        check_rollouts(sample(replicas([one, other]), count=64), 64)
        assert sum(body["n"] for body in one.sampling_bodies()) == 32


def test_equal_prefixes_in_different_requests_have_different_seeds():
    with scripted(0, 0) as servers:
        made = [one.token_ids for one in sample(replicas(servers), count=64, limit=20)]
        assert len({body["seed"] for server in servers for body in server.sampling_bodies()}) == 2
        assert made[:32] != made[32:]


def test_log_probabilities_at_another_temperature_are_unknown_rather_than_wrong():
    with scripted(0) as (server,):
        assert all(np.isnan(one.log_probs).all() for one in sample(replicas([server]), temperature=0.5))


SCORES = {
    "another position": lambda rows: rows.insert(4, rows.pop()),
    "a shorter list": lambda rows: rows.pop(),
    "nothing at a position": lambda rows: rows.__setitem__(4, None),
    "NaN": lambda rows: [entry.update(logprob=float("nan")) for entry in rows[4].values()],
    "-9999 for the token that follows": lambda rows: [entry.update(logprob=-9999.0) for entry in rows[4].values()],
    "no log-probability": lambda rows: [entry.clear() for entry in rows[4].values()],
    "too much probability": lambda rows: rows.__setitem__(4, {str(one): {"logprob": -0.1} for one in range(SIZE)}),
    "a name in place of an id": lambda rows: rows.__setitem__(4, {"a": {"logprob": -1.0}}),
}


@pytest.mark.parametrize("change", SCORES.values(), ids=SCORES)
def test_scores_that_are_none_are_refused(change):
    with scripted(0) as (server,):
        server.always = altered(lambda choice: change(choice["prompt_logprobs"]))
        scorer = ServerScorer("name", VLLM(MODEL), replicas([server]), SIZE, 64, top=3)
        with pytest.raises(OddError, match="no server is left"):
            scorer.token_log_probs(PROMPT, [(1, 5, 9, 2)], (1.0,))


def test_a_floored_entry_of_a_distribution_is_unknown():
    with scripted(0) as (server,):
        server.faults = [altered(lambda choice: choice["prompt_logprobs"][3]["7"].update(logprob=-9999.0))]
        (row,) = ServerScorer("name", VLLM(MODEL), replicas([server]), SIZE, 64, top=SIZE).read(PROMPT, [(1,)])
        assert np.flatnonzero(np.isinf(row[0])).tolist() == [7]


@pytest.mark.parametrize("top", [3, None])
def test_distributions_are_those_of_the_model_at_each_distinct_prefix(top):
    with scripted(0) as (server,):
        scorer = ServerScorer("name", VLLM(MODEL), replicas([server]), SIZE, 64, top)
        rows = np.concatenate(list(scorer.read(PROMPT, [(1, 5, 9), (1, 2)])))
        expected = bigrams(0)[[PROMPT[-1], 1, 5]]
        known = np.isfinite(rows)
        assert rows.shape == (3, SIZE) and (known.sum(axis=1) >= (top or SIZE)).all()
        np.testing.assert_allclose(rows[known], expected[known], atol=1e-5)
