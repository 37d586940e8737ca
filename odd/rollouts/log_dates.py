"""The day on which logged rollouts were sampled, from prompts whose chat template shows today's date."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from odd.errors import OddError
from odd.models.base import LanguageModel
from odd.rollouts.log_formats import Record
from odd.rollouts.log_prompts import MARKS, SHAPES

KNOWN = date(2001, 10, 27)
"""A day whose number, month and year are told apart in any format."""
LONGEST = 100
"""Characters of a date."""


def logged_day(student: LanguageModel, prompts: Iterable[str]) -> date | None:
    """Return the day in the first of these rendered prompts that shows one as the student's chat template does.

    None if the template shows no date, or shows it behind the messages.
    """
    if not student.date_formats:
        return None
    starts = list(_starts(student.dated(KNOWN)))
    for prompt in prompts:
        for start in starts:
            day = _day(prompt, start, student.date_formats)
            if day is not None and prompt.startswith(tuple(_starts(student.dated(day)))):
                return day
    return None


def prompts_of(records: Iterable[Record], student: LanguageModel) -> Iterator[str]:
    """Yield the rendered prompts of logged rollouts; those of messages are not rendered yet."""
    for record in records:
        if isinstance(record.prompt, str):
            yield record.prompt
        elif record.prompt_ids is not None and all(0 <= t < student.scorer.vocabulary_size for t in record.prompt_ids):
            yield student.tokenizer.decode(record.prompt_ids)


def _starts(student: LanguageModel) -> Iterator[str]:
    """Yield what prompts start with before their first message, with control tokens and without."""
    tokenizer = student.tokenizer
    for roles in SHAPES:
        messages = [{"role": role, "content": MARKS[role]} for role in roles]
        try:
            texts = tokenizer.render_chat(messages), tokenizer.decode(tokenizer.encode_chat(messages))
        except OddError:  # some templates take no system message
            continue
        yield from (text.partition(MARKS[roles[0]])[0] for text in texts)


def _day(prompt: str, start: str, formats: Sequence[str]) -> date | None:
    """Return the day that a prompt shows where `start` shows the known one; None if there is none."""
    rest, form = prompt, None
    for literal, after in _pieces(start, formats):
        shown, found, rest = rest.partition(literal) if literal else (rest, "", "")
        if not found or (shown and form is None):
            return None
        if form is not None and (day := _read(shown, form)) is not None:
            return day
        form = after
    return None


def _pieces(start: str, formats: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the texts between the dates in `start`, each with the format of the date after it, None after the last."""
    shown = {KNOWN.strftime(form): form for form in formats}
    while found := [text for text in shown if text and text in start]:
        text = min(found, key=start.index)
        literal, _, start = start.partition(text)
        yield literal, shown[text]
    yield start, None


def _read(text: str, form: str) -> date | None:
    """Return the day in a text; None if it has another form, or no year."""
    if len(text) > LONGEST:
        return None
    try:
        # the minus leaves out a leading zero, which reading does not need
        day = datetime.strptime(text, form.replace("%-", "%")).date()
    except ValueError:
        return None
    return day if day.year > 1900 else None  # without a year, it is 1900
