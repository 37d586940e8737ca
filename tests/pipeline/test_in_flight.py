"""Several questions at a time give what one after the other gives, and stop together."""

import threading

import pytest

from odd.errors import OddError
from odd.models.waiting import waiting
from odd.pipeline.events import Step
from odd.pipeline.in_flight import in_flight
from odd.pipeline.stages import Stage
from odd.pipeline.worker import run
from tests.runs import RESULTS, quick_config, rows


def step(question, done=1):
    return Step(question, Stage.INITIAL, done, 3)


def nothing():
    """There is nothing to cancel."""


def test_a_run_has_the_same_results_with_several_questions_at_a_time(quick, tmp_path):
    made = run(quick_config(tmp_path, pipeline={"questions_in_flight": 3}), lambda step: None)
    assert made.name == quick[1].name
    for sql in RESULTS:
        assert rows(made, sql) == rows(quick[1], sql)


def test_questions_wait_at_the_same_time():
    together = threading.Barrier(3)

    def work(question):
        with waiting():
            together.wait(timeout=10)
        yield step(question)

    assert {event.question for event in in_flight(map(work, range(6)), 3, nothing)} == set(range(6))


def test_only_one_question_computes_at_a_time():
    inside = threading.Lock()

    def work(question):
        for done in range(20):
            assert inside.acquire(blocking=False)
            inside.release()
            yield step(question, done)

    assert len(list(in_flight(map(work, range(4)), 4, nothing))) == 80


def test_the_events_of_a_question_stay_in_order():
    def work(question):
        for done in range(50):
            yield step(question, done)

    events = list(in_flight(map(work, range(4)), 4, nothing))
    for question in range(4):
        assert [event.done for event in events if event.question == question] == list(range(50))


def test_at_most_the_given_number_of_questions_is_begun():
    begun: list[int] = []

    def work(question):
        begun.append(question)
        yield step(question)

    events = in_flight(map(work, range(9)), 2, nothing)
    next(events)
    assert len(begun) <= 2
    events.close()


def test_an_error_of_one_question_ends_the_others_and_is_raised():
    released = threading.Event()

    def work(question):
        if question == 0:
            raise OddError("the disk is full")
        yield step(question)
        with waiting():
            assert released.wait(10)

    with pytest.raises(OddError, match="the disk is full"):
        list(in_flight(map(work, range(3)), 3, released.set))
    assert released.is_set()


def test_stopping_cancels_what_questions_wait_for():
    released = threading.Event()

    def work(question):
        yield step(question)
        with waiting():
            assert released.wait(10)

    events = in_flight(map(work, range(2)), 2, released.set)
    next(events)
    events.close()
    assert released.is_set()
    assert not [one for one in threading.enumerate() if "_work" in one.name]
