"""The bundled general questions: enough of each kind, with correct gold answers."""

import math
import re
from collections import Counter

import pytest

from odd.config import QuestionsConfig
from odd.questions.sources import load_questions

SETS = {"general-yes-no": "yes_no", "general-choice": "choice", "general-number": "number"}
COMPUTED = {
    "gn01": lambda: 4 + 9,
    "gn02": lambda: 15 - 8,
    "gn03": lambda: 7 * 6,
    "gn04": lambda: 58 / 2,
    "gn05": lambda: 3 * 4 + 2 * 2,
    "gn06": lambda: 6 * 7,
    "gn07": lambda: 144 / 12,
    "gn08": lambda: 7 * 8,
    "gn09": lambda: 23 + 48 - 19,
    "gn10": lambda: max(17, 71, 39, 68),
    "gn11": lambda: 2.5 * 60,
    "gn12": lambda: 240 * 0.25,
    "gn13": lambda: 53 % 6,
    "gn14": lambda: 2 * (9 + 4),
    "gn15": lambda: 3**5,
    "gn16": lambda: (12 * 60 + 15) - (9 * 60 + 50),
    "gn17": lambda: 36 - 36 / 3 - 5,
    "gn18": lambda: (12 + 15 + 18 + 23) / 4,
    "gn19": lambda: math.ceil(50 / 6),
    "gn20": lambda: 17 * 24,
    "gn21": lambda: 80 * (100 - 15) / 100,
    "gn22": lambda: (38 + 7) / 5,
    "gn23": lambda: 150 / 2.5,
    "gn24": lambda: sum(range(1, 41)),
    "gn25": lambda: len(range(7, 101, 7)),
    "gn26": lambda: math.gcd(84, 126),
    "gn27": lambda: math.lcm(12, 18),
    "gn28": lambda: 5 / 8,
    "gn29": lambda: 50 * 40 * 30 / 1000,
    "gn30": lambda: math.factorial(5),
    "gn31": lambda: next(ben for ben in range(100) if 3 * ben + 10 == 2 * (ben + 10)),
    "gn32": lambda: sum(red + blue == 8 for red in range(1, 7) for blue in range(1, 7)),
    "gn33": lambda: int("110101", 2),
    "gn34": lambda: sum(all(n % d for d in range(2, n)) for n in range(2, 50)),
    "gn35": lambda: round(1000 * 1.1**3, 6),
    "gn36": lambda: math.comb(9, 3),
    "gn37": lambda: 1 / (1 / 6 + 1 / 3),
    "gn38": lambda: 7**50 % 10,
    "gn39": lambda: sum(n % 3 == 0 or n % 5 == 0 for n in range(1, 201)),
    "gn40": lambda: max(n for n in range(32) if n * (31 - n) == 228),
    "gn41": lambda: abs(8 * 6 - 3 * 0) / 2,
    "gn42": lambda: sum(len(set(str(n))) == 4 for n in range(1000, 10000)),
    "gn43": lambda: sum(map(int, str(3**10))),
    "gn44": lambda: sum(360 % d == 0 for d in range(1, 361)),
    "gn45": lambda: math.comb(4, 2) / 2**4,
    "gn46": lambda: len(re.search("0*$", str(math.factorial(60)))[0]),
    "gn47": lambda: math.comb(8, 4),
    "gn48": lambda: pow(3, 100, 13),
}


def load(name):
    return load_questions(QuestionsConfig(source=name))


@pytest.mark.parametrize("name", SETS)
def test_there_are_at_least_forty_questions_of_the_kind(name):
    questions = load(name)
    assert len(questions) >= 40
    assert {question.kind for question in questions} == {SETS[name]}
    assert len({question.question for question in questions}) == len(questions)


def test_every_number_is_what_python_computes():
    questions = {question.id: question for question in load("general-number")}
    assert questions.keys() == COMPUTED.keys()
    for name, compute in COMPUTED.items():
        above, _, below = questions[name].answer.partition("/")
        assert float(above) / float(below or 1) == pytest.approx(compute(), rel=1e-12), questions[name].question


def test_half_of_the_answers_are_yes():
    assert set(Counter(question.answer for question in load("general-yes-no")).values()) == {24}


def test_the_right_choices_are_spread_over_the_letters():
    answers = Counter(question.answer for question in load("general-choice"))
    assert max(answers.values()) <= len(load("general-choice")) / 4
    assert {len(question.choices) for question in load("general-choice")} >= {2, 3, 4, 5, 6, 7, 8, 10}


def test_no_choice_is_repeated():
    assert all(len({*question.choices}) == len(question.choices) for question in load("general-choice"))
