from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from time import sleep

from odd.store import RunReader
from pages.shared.data import as_it_is, keeping


def test_concurrent_calls_of_several_sessions_compute_once():
    made, start = [], Barrier(8)

    @keeping(4)
    def double(number):
        made.append(number)
        sleep(0.05)
        return 2 * number

    def ask(_):
        start.wait()
        return double(3)

    with ThreadPoolExecutor(8) as readers:
        assert list(readers.map(ask, range(8))) == 8 * [6]
    assert made == [3]


def test_functions_keep_their_results_apart():
    once, twice = keeping(4)(lambda number: number), keeping(4)(lambda number: 2 * number)
    assert (once(3), twice(3)) == (3, 6)


def test_an_error_of_a_query_is_not_kept(run, monkeypatch):
    opened, real, calls = as_it_is(run), RunReader.query, []

    def failing_once(self, name, /, **params):
        calls.append(name)
        if len(calls) == 1:
            raise OSError("the disk was away")
        return real(self, name, **params)

    monkeypatch.setattr(RunReader, "query", failing_once)
    with suppress(OSError):  # or it is repeated immediately, if the first answer came soon enough
        opened.query("teachers")
    assert len(opened.query("teachers"))
    assert len(calls) == 2
