"""Many continuations of one prefix are read as the scorer reads them one by one."""

import numpy as np
import pytest
import torch

from odd.errors import OddError
from odd.models import reading
from odd.models.tabular import TabularModel
from tests.models.test_hf import ARCHITECTURES, other, prompt

TEMPERATURES = (0.5, 1.0, 2.0)


def continuations(tiny):
    """Of many lengths, some equal, one empty."""
    drawn = tiny.sample([prompt(tiny)] * 12, [3, 30, 17] * 4, 1.0, seed=2)
    return [generation.token_ids for generation in drawn] + [(), drawn[0].token_ids]


def one_by_one(model, prefix, rows):
    return [
        np.array([model.log_probs(prefix, row, t)[np.arange(len(row)), list(row)] for t in TEMPERATURES])
        for row in rows
    ]


def assert_close(read, expected):
    assert [r.shape for r in read] == [e.shape for e in expected]
    for one, other_ in zip(read, expected, strict=True):
        np.testing.assert_allclose(one, other_, atol=1e-4)


@pytest.mark.parametrize("name", ["tiny", *ARCHITECTURES])
def test_tokens_are_read_as_the_scorer_reads_them(tiny, name):
    torch.manual_seed(0)
    model = tiny if name == "tiny" else other(tiny, name, ARCHITECTURES[name](tiny.capabilities.vocabulary_size))
    rows = continuations(tiny)
    assert_close(model.token_log_probs(prompt(tiny), rows, TEMPERATURES), one_by_one(model, prompt(tiny), rows))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_little_room_changes_nothing(tiny, name, monkeypatch):
    torch.manual_seed(0)
    model = other(tiny, name, ARCHITECTURES[name](tiny.capabilities.vocabulary_size))
    rows = continuations(tiny)
    monkeypatch.setattr(reading, "LOGITS_BYTES", 4 * 9 * tiny.capabilities.vocabulary_size)
    assert_close(model.token_log_probs(prompt(tiny), rows, TEMPERATURES), one_by_one(model, prompt(tiny), rows))


def test_the_same_question_gets_the_same_answer_to_the_last_bit(tiny):
    rows = continuations(tiny)
    one, again = (tiny.token_log_probs(prompt(tiny), rows, (1.0,)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one, again, strict=True))


def test_batches_hold_every_continuation_once_and_no_more_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(reading, "LOGITS_BYTES", 4 * 10 * 20)
    rows = [tuple(range(n)) for n in (0, 5, 5, 7, 1, 30)]
    made = list(reading.batches(rows, 10))
    assert sorted(row for batch in made for row in batch) == sorted({row for row in rows if row})
    assert all(len(batch) == 1 or len(batch) * max(map(len, batch)) <= 20 for batch in made)


def test_a_table_reads_what_it_scores():
    model = TabularModel({(7,): {(): np.array([0.2, 0.8]), (1,): np.array([0.5, 0.5])}})
    read = model.token_log_probs((7, 1), [(0,), (1,), ()], (1.0, 2.0))
    assert [rows.shape for rows in read] == [(2, 1), (2, 1), (2, 0)]
    np.testing.assert_allclose(read[0], np.log(0.5), rtol=1e-6)


def test_what_does_not_fit_the_window_is_refused(tiny):
    with pytest.raises(OddError, match="do not fit"):
        tiny.token_log_probs(prompt(tiny), [(1,) * 5000], (1.0,))
