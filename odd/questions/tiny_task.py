"""The task of the tiny model family: short arithmetic and comparison problems with worked solutions.

A problem is one or more arithmetic expressions and a question about them: the value (`number`), whether one exceeds
the other (`yes_no`), or which of several is largest (`choice`). Every problem has many correct solutions: any valid
order of steps, multiplication in one step or in parts, several wordings. So paths of a generation tree differ in style
as well as in reasoning. Wrong solutions contain one slip and continue consistently from it.

This module does not use language models. `scripts/train_tiny.py` trains on these texts; the bundled `tiny-*` question
sets are drawn from the held-out part (`is_held_out`), which is never used in training.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

T = TypeVar("T")
Kind = Literal["number", "yes_no", "choice"]
LEVELS = (1, 2, 3, 4, 5, 6)
NAMES = ("Ana", "Ben", "Mia", "Tom", "Eva", "Sam")
ITEMS = ("apples", "books", "coins", "pens", "shells", "cards")
LETTERS = "ABCD"


@dataclass(frozen=True)
class Expression:
    """Integers joined by `+`, `-` and `*`, with the usual precedence."""

    numbers: tuple[int, ...]
    operators: tuple[str, ...]

    def __str__(self) -> str:
        """The expression as it is written in a problem, e.g. `3*4+5`."""
        return str(self.numbers[0]) + "".join(f"{o}{n}" for o, n in zip(self.operators, self.numbers[1:], strict=True))

    def value(self) -> int:
        """Exact value."""
        expression = self
        while expression.operators:
            i = expression.reducible()[0]
            expression = expression.reduced(i, expression.step_value(i))
        return expression.numbers[0]

    def reducible(self) -> list[int]:
        """Return the operators that may be evaluated next without changing the value."""
        allowed = []
        for i, operator in enumerate(self.operators):
            before = self.operators[i - 1] if i else "+"
            after = self.operators[i + 1] if i + 1 < len(self.operators) else "+"
            if operator == "*" or (before == "+" and after != "*"):
                allowed.append(i)
        return allowed

    def step_value(self, i: int) -> int:
        """Value of the single step at operator `i`."""
        a, b = self.numbers[i], self.numbers[i + 1]
        return {"+": a + b, "-": a - b, "*": a * b}[self.operators[i]]

    def reduced(self, i: int, value: int) -> "Expression":
        """Return the expression after the step at operator `i`, with result `value`."""
        numbers = (*self.numbers[:i], value, *self.numbers[i + 2 :])
        return Expression(numbers, self.operators[:i] + self.operators[i + 1 :])


@dataclass(frozen=True)
class Problem:
    """A problem with the expressions that its solutions are generated from."""

    kind: Kind
    text: str
    choices: tuple[str, ...]
    answer: str
    level: int
    expressions: tuple[Expression, ...]


def is_held_out(problem: Problem) -> bool:
    """Whether a problem belongs to the 10% that are held out from training."""
    return zlib.crc32("|".join((problem.text, *problem.choices)).encode()) % 10 == 0


def _integer(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


def random_expression(rng: np.random.Generator, level: int) -> Expression:
    """Draw an expression of difficulty `level`, 1 (one small sum) to 6 (products of two-digit numbers)."""
    if level == 6:
        a, b, c = _integer(rng, 11, 49), _integer(rng, 11, 29), _integer(rng, 11, 99)
        return Expression((a, b, c), ("*", _pick(rng, ("+", "-"))))
    terms = {1: 2, 2: _integer(rng, 2, 3), 3: 3, 4: _integer(rng, 3, 4), 5: 4}[level]
    largest = {1: 9, 2: 12, 3: 12, 4: 20, 5: 20}[level]
    products = {1: 0, 2: int(terms == 2 and rng.random() < 0.5), 3: 1, 4: 1, 5: _integer(rng, 1, 2)}[level]
    operators = ["*"] * products + [_pick(rng, ("+", "-")) for _ in range(terms - 1 - products)]
    rng.shuffle(operators)
    numbers = [_integer(rng, 2, largest)]
    for operator in operators:
        numbers.append(_integer(rng, 2, min(largest, 12) if operator == "*" else largest))
    return Expression(tuple(numbers), tuple(operators))


def _story(rng: np.random.Generator, expression: Expression) -> str:
    """Return a word problem for an expression; its only product, if any, must come first."""
    name, item = _pick(rng, NAMES), _pick(rng, ITEMS)
    numbers, operators = list(expression.numbers), list(expression.operators)
    if operators[0] == "*":
        text = f"{name} has {numbers[0]} boxes with {numbers[1]} {item} each."
        numbers, operators = numbers[1:], operators[1:]
    else:
        text = f"{name} has {numbers[0]} {item}."
    for operator, number in zip(operators, numbers[1:], strict=True):
        text += f" {name} buys {number} more." if operator == "+" else f" {name} gives {number} away."
    return f"{text} How many {item} does {name} have?"


def random_problem(rng: np.random.Generator, level: int) -> Problem:
    """Draw a problem of difficulty `level`: half ask for a number, the rest compare."""
    kind: Kind = _pick(rng, ("number", "number", "yes_no", "choice"))
    if kind == "number":
        expression = random_expression(rng, level)
        tellable = "*" not in expression.operators[1:] and expression.value() >= 0
        text = _story(rng, expression) if tellable and rng.random() < 0.5 else f"What is {expression}?"
        return Problem(kind, text, (), str(expression.value()), level, (expression,))
    below = max(1, level - 1)
    expressions = [random_expression(rng, below) for _ in range(2 if kind == "yes_no" else 3)]
    if level == 1:
        expressions = [random_expression(rng, 1), Expression((_integer(rng, 2, 18),), ())][: len(expressions)]
    values = [expression.value() for expression in expressions]
    if kind == "choice" and len(expressions) == 3 and values.count(max(values)) == 1:
        answer = LETTERS[int(np.argmax(values))]
        choices = tuple(str(expression) for expression in expressions)
        return Problem(kind, "Which is largest?", choices, answer, level, tuple(expressions))
    first, second = expressions[:2]
    answer = "yes" if values[0] > values[1] else "no"
    return Problem("yes_no", f"Is {first} greater than {second}?", (), answer, level, (first, second))


@dataclass(frozen=True)
class Style:
    """Wording of one solution; each gap between sentences draws one of `joints`."""

    opening: str
    joints: tuple[str, ...]
    parts: float
    closing: str


def random_style(rng: np.random.Generator) -> Style:
    """Draw a wording; `parts` is the probability of multiplying in parts instead of in one step."""
    return Style(
        opening=_pick(rng, ("", "", "First ", "Let us see. ", "We work step by step. ")),
        joints=(". ", ". ", ". Then ", ", so "),
        parts=_pick(rng, (0.0, 0.5, 1.0)),
        closing=_pick(rng, ("", "", " The result is {}.", " So we get {}.")),
    )


def _slipped(rng: np.random.Generator, value: int) -> int:
    """Draw a wrong value near `value`."""
    return value + _pick(rng, (-10, -2, -1, 1, 2, 10))


def _step(rng: np.random.Generator, a: int, operator: str, b: int, value: int, style: Style) -> str:
    """Return one step, ending in `=value`; a product with a two-digit factor may be split into tens and ones."""
    text = f"{a}{operator}{b}"
    exact = a * b == value
    if operator == "*" and exact and a > 0 and b > 10 and b % 10 and rng.random() < style.parts:
        tens, ones = b // 10 * 10, b % 10
        text += f"={a}*{tens}+{a}*{ones}={a * tens}+{a * ones}"
    return f"{text}={value}"


def _evaluate(rng: np.random.Generator, expression: Expression, style: Style, slip: bool) -> tuple[list[str], int]:
    """Return the steps of an evaluation in a random valid order, and its result; with `slip`, one step is wrong."""
    steps: list[str] = []
    slip_at = int(rng.integers(len(expression.operators))) if slip and expression.operators else -1
    while expression.operators:
        allowed = expression.reducible()
        if len(steps) == slip_at and rng.random() < 0.4 and len(allowed) < len(expression.operators):
            allowed = [i for i in range(len(expression.operators)) if i not in allowed]  # ignores precedence
            slip_at = -1
        i = _pick(rng, allowed)
        value = expression.step_value(i)
        if len(steps) == slip_at:
            value = _slipped(rng, value)
        steps.append(
            _step(rng, expression.numbers[i], expression.operators[i], expression.numbers[i + 1], value, style)
        )
        expression = expression.reduced(i, value)
    return steps, expression.numbers[0]


def _conclude(problem: Problem, values: list[int], slip: bool) -> tuple[str, str]:
    """Return the last sentence and the answer that follow from the values; with `slip`, from their reverse order."""
    if problem.kind == "number":
        return "", str(values[0])
    keys = [-value for value in values] if slip else values
    if problem.kind == "yes_no":
        answer = "yes" if keys[0] > keys[1] else "no"
        return f"{values[0]} is {'' if answer == 'yes' else 'not '}greater than {values[1]}", answer
    largest = int(np.argmax(keys))
    return f"{values[largest]} is largest", LETTERS[largest]


def solution(rng: np.random.Generator, problem: Problem, slip: bool = False, brief: bool = False) -> str:
    """Return a solution of `problem` in a random order and wording, ending in `Answer: X`.

    Args:
        rng: random generator for order, wording and slip.
        problem: the problem to solve.
        slip: make one step wrong and continue from it. The answer may still be correct: check it.
        brief: only the key steps, as in a summary.
    """
    style = Style("", ("; ",), 0.0, "") if brief else random_style(rng)
    # the slip is in one expression or, if several are compared, in the comparison
    places = len(problem.expressions)
    wrong = int(rng.integers(places + (places > 1))) if slip else -1
    order = rng.permutation(len(problem.expressions))
    values, sentences = [0] * len(problem.expressions), []
    for i in order:
        steps, values[i] = _evaluate(rng, problem.expressions[i], style, slip=bool(i == wrong))
        if problem.kind == "choice":
            steps = [f"{LETTERS[i]}: {steps[0] if steps else values[i]}", *steps[1:]]
        sentences += steps
    last, answer = _conclude(problem, values, slip=wrong == places)
    sentences += [last] if last else []
    text = style.opening + sentences[0] + "".join(_pick(rng, style.joints) + s for s in sentences[1:]) + "."
    return f"{text}{style.closing.format(answer)}\nAnswer: {answer}"


def answer_of(text: str) -> str:
    """Return the text after the last `Answer:` of a solution."""
    return text.rpartition("Answer: ")[2]
