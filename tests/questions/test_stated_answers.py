"""What an answer says must be the gold answer itself: not beside another value, taken back, or with another option."""

import pytest

from odd.questions.base import Question
from odd.questions.verifiers import is_correct, read_answer

CHOICES = ("stone", "cork", "iron", "lead")


def is_right(kind, gold, response):
    question = Question(id="q", question="?", answer=gold, kind=kind, choices=CHOICES if kind == "choice" else ())
    return is_correct(question, read_answer(question, response))


@pytest.mark.parametrize(
    "answer", [r"\neq 7", r"x \ne 7", r"\geq 7", r"x \leq 7", r"\pm 7", r"\sum 7", r"7\infty", r"7\alpha", "x^2 = 7"]
)
def test_a_number_behind_a_relation_or_sign_of_tex_is_not_stated(answer):
    assert not is_right("number", "7", f"Answer: {answer}")


@pytest.mark.parametrize(
    "answer", [r"\alpha = 7", r"\angle ABC = 7", r"\therefore 7", r"7 \quad", r"\approx 7", r"7^\circ"]
)
def test_names_and_layout_in_tex_leave_a_number_as_it_is(answer):
    assert is_right("number", "7", f"Answer: {answer}")


@pytest.mark.parametrize(
    "answer",
    [
        "7 Millionen",
        "7 millones",
        "7 mille",
        "7 Mrd.",
        "7 tausend",
        "7 tenths",
        "7 eighths",
        "7 thousandths",
        "7 doubled",
    ],
)
def test_magnitudes_and_parts_make_another_number(answer):
    assert not is_right("number", "7", f"Answer: {answer}")


@pytest.mark.parametrize(
    "answer",
    ["7 is wrong", "wrong: 7", "cannot be 7", "can't be 7", "anything but 7", "neither 7", "nicht 7", "7 or eight"],
)
def test_a_number_that_is_taken_back_or_one_of_several_is_not_stated(answer):
    assert not is_right("number", "7", f"Answer: {answer}")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("7", "7 Äpfel"), ("7", "7 months"), ("7", "7。"), ("7", "7\u200b"), ("28", "28％"),
        ("0.00001", "1e-5"), ("7000", "7e3"), ("7000", "7 x 10^3"), ("7000", "7×10³"), ("60", "60 km·h⁻¹"), ("0.5", r"\frac12"),  # noqa: E501
    ],
)  # fmt: skip
def test_numbers_are_taken_as_people_write_them(gold, answer):
    assert is_right("number", gold, f"Answer: {answer}")


@pytest.mark.parametrize("answer", ["C cork", "B iron", "B) iron", "B (stone)", "B or not B"])
def test_a_letter_with_the_text_of_another_option_names_neither(answer):
    assert not is_right("choice", "B", f"Answer: {answer}") and not is_right("choice", "C", f"Answer: {answer}")


@pytest.mark.parametrize("answer", ["B (cork)", "B - cork", "B) cork", "B: cork, not lead", "B, since it floats"])
def test_a_letter_may_have_its_own_text_or_a_reason(answer):
    assert is_right("choice", "B", f"Answer: {answer}")


@pytest.mark.parametrize(
    "answer",
    ["Yes?", "Yes, but actually no", "Yes, I mean no", "Yes if 3>4, else no", "Yes is wrong", '"Yes" would be wrong',
     "Yes, unless it is not", "Yes, but I'm not sure", "yes == false"],
)  # fmt: skip
def test_a_yes_that_is_taken_back_is_none(answer):
    assert not is_right("yes_no", "yes", f"Answer: {answer}")


@pytest.mark.parametrize("answer", ["No. 7", "No.1", "No, actually yes", "No, I don't know", "No is wrong"])
def test_a_no_that_is_taken_back_is_none(answer):
    assert not is_right("yes_no", "no", f"Answer: {answer}")


@pytest.mark.parametrize(
    "answer", ["'No'", "No. 8 is less than 9.", "No, not at all", "No, otherwise 8 would be no sum"]
)
def test_a_no_with_a_reason_is_no(answer):
    assert is_right("yes_no", "no", f"Answer: {answer}")


@pytest.mark.parametrize(
    "marks",
    [("<|START_THINKING|>", "<|END_THINKING|>"), ("<|channel>thought\n", "<channel|>"), ("<|inner_prefix|>", "<|inner_suffix|>"),  # noqa: E501
     ("<unused94>thought\n", "<unused95>")],
)  # fmt: skip
def test_thinking_parts_of_further_models_are_left_out(marks):
    opens, closes = marks
    assert is_right("number", "7", f"{opens}Answer: 8{closes}Answer: 7")
    assert not is_right("number", "7", f"{opens}Answer: 7")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\sqrt{2}", r"\sqrt{2}."), (r"\frac{x}{2}", r"$\frac{x}{2}$."), ("x^2", "x^2。"), ("(1,2]", "(1, 2]."),
        (r"\frac13", r"0.\overline{3}"), (r"0.1\overline{6}", "1/6"), ("1/7", "0.142857"), (r"\frac{1}{810}", "0.00123457"),  # noqa: E501
        (r"\frac{3}{4}", "The probability is 3/4"), (r"\emptyset", r"\varnothing"), ("1011_2", "(1011)_2"),
    ],
)  # fmt: skip
def test_equal_mathematics_is_equal(gold, answer):
    assert is_right("expression", gold, f"Answer: {answer}")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [(r"\frac{1}{2}", "0.5000001"), ("1/7", "0.142858"), (r"\{1,2\}", "(1,2)"), ("(1,2)", r"\{1,2\}"), ("7", "x^2 = 7"),
     (r"\sqrt{7}", r"x^2 = \sqrt{7}")],
)  # fmt: skip
def test_unequal_mathematics_is_not(gold, answer):
    assert not is_right("expression", gold, f"Answer: {answer}")


def test_a_matrix_keeps_what_closes_behind_its_environment():
    matrix = "\\left(\\begin{array}{c}\n1\\\\\n2\n\\end{array}\\right)"
    assert is_right("expression", r"\begin{pmatrix}1\\2\end{pmatrix}", f"Answer: {matrix}")
