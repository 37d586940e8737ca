"""Every number in a sentence is in the table that it is about."""

import re

import pytest

from odd.findings.evidence import Filters
from odd.findings.kinds import KINDS
from odd.findings.ranking import leads
from odd.findings.words import basis, share
from odd.findings.written import written
from tests.findings.made_up import evidence

NAN = float("nan")
INTERVAL = re.compile(r"[+−]?[\d.]+%? \[[^\]]*\]")
QUESTIONS = re.compile(r"(\d+|one) questions?\b")
FLOOR = re.compile(r"(\w+) \(([+−][\d.]+) to ([+−][\d.]+)\)")
RUNS = {
    "many questions": {"effects": {"good": 0.6, "bad": -0.6, "chance": 0.0, "check": NAN}, "questions": 24},
    "few questions": {"effects": {"good": 0.6, "bad": -0.6}, "questions": 4},
    "one question": {"effects": {"good": 0.6, "chance": 0.0}, "questions": 1},
    "no scores": {"effects": {"check": NAN}, "questions": 3},
    "no points": {
        "effects": {"a": 0.5}, "questions": 3, "filters": Filters("o", "on_policy-full-off", kind="none"),
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=RUNS)
def some(request):
    return evidence(**RUNS[request.param])


def cells(found):
    return [cell for row in found.rows for cell in row.cells.values()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_every_interval_and_number_of_questions_in_a_sentence_is_in_the_table(some, kind):
    found = kind.find(some)
    estimates = [cell.estimate for cell in cells(found)]
    if kind.key == "ranking" and found.rows:
        estimates += leads(some, [row.labels[0] for row in found.rows]).values()
    told = {written(one, digits, null) for one in estimates for digits in (2, 3) for null in (0.0, 0.5)}
    told |= {share(one) for one in estimates}
    counted = {some.questions, *(one.clusters for one in estimates)}
    for sentence in found.sentences:
        assert set(INTERVAL.findall(sentence)) <= told
        counts = {1 if text == "one" else int(text) for text in QUESTIONS.findall(sentence)}
        assert counts <= counted, sentence


def test_the_noise_floor_of_each_teacher_is_its_own(some):
    found = next(kind for kind in KINDS if kind.key == "ranking").find(some)
    floors = {row.labels[0]: row.cells["weighted_cosine"].floor for row in found.rows}
    for sentence in found.sentences:
        for name, low, high in FLOOR.findall(sentence):
            ends = [float(end.replace("−", "-")) for end in (low, high)]
            assert ends == pytest.approx(floors[name], abs=0.006)


def test_a_verdict_needs_six_questions(some):
    found = next(kind for kind in KINDS if kind.key == "ranking").find(some)
    verdict = re.search("points? (towards|away)|Holm|ahead|behind", " ".join(found.sentences))
    assert bool(verdict) == (some.questions >= 6)


def test_the_basis_counts_questions_and_says_when_there_is_nothing(some):
    text = basis(some)
    if not some.questions:
        assert "nothing" in text and "interval" not in text
    else:
        assert (f"{some.questions} questions" if some.questions > 1 else "one question") in text
        assert ("estimates only" in text) == (1 < some.questions < 6)
