r"""Find the answer in a response: at its last `Answer:`, else in its last `\boxed{}`, else at its last `####`.

If nothing stands on the line of an `Answer:`, or a display or an environment opens there, the answer stands below it.
"""

import re

from odd.questions.thinking import Marks, after_thinking

# possessive, as model output may repeat any of it a million times
ANSWER_LINE = re.compile(
    r"^[ \t>*_#`•-]*+(?P<quote>[\"'“])?[ \t*_]*+(?:\d{1,3}[.)][ \t*_]++)?(?:(?:the[ \t]++)?final[ \t]++)?"
    r"answer[ \t*_]*+[:：][ \t*_]*+(?P<said>.*)$",
    re.IGNORECASE | re.MULTILINE,
)
HASHES_LINE = re.compile(r"^[ \t]*(?P<quote>)####[ \t]*(?P<said>.*)$", re.MULTILINE)
BOX = r"\boxed{"
DISPLAYS = {"$$": "$$", r"\[": r"\]", r"\(": r"\)"}
"""What opens and closes a display of mathematics."""
ENVIRONMENT = re.compile(r"\\begin\{([a-z]{1,20}\*?)\}")
EDGES = " \t\r\n*_`"
QUOTES = "\"'“”"


def extract_answer(text: str, whole: bool = False, inside: bool = False, marks: Marks | None = None) -> str | None:
    r"""Extract the answer from a response; its thinking part is ignored.

    Args:
        text: a response.
        whole: take everything after the mark, for answers of several lines.
        inside: whether the prompt has already opened the thinking part.
        marks: marks of a thinking part beside the usual ones.

    Returns:
        The answer; None if there is none or it is empty.
    """
    text = after_thinking(text, inside, marks)
    said = _said(ANSWER_LINE, text, whole)
    if not said:
        said = boxed(text) or said
    if said is None:
        said = _said(HASHES_LINE, text, whole)
    if said is None:
        return None
    inner = boxed(said)
    return (said if inner is None else inner).strip(EDGES) or None


def _said(pattern: re.Pattern[str], text: str, whole: bool) -> str | None:
    """Return what stands at the last mark, which may be nothing; None without a mark."""
    mark = None
    for found in pattern.finditer(text):
        mark = found
    if mark is None:
        return None
    rest = text[mark.start("said") :]
    if whole:
        return rest
    line = mark["said"].strip(EDGES)
    if mark["quote"]:
        line = line.rstrip(QUOTES)
    return _display(line, rest) or line


def _display(line: str, rest: str) -> str:
    """Return a display, an environment or a box that opens on a line, or is the first thing below an empty one.

    Args:
        line: what stands on the line of the mark.
        rest: all text from there.

    Returns:
        Its content, of an environment with its marks; empty if none opens, or it ends on the line or never.
    """
    if BOX in line:
        return "" if boxed(line) is not None else boxed(rest) or ""
    if (opened := ENVIRONMENT.search(line)) and (ends := rf"\end{{{opened[1]}}}") not in line:
        begun, found, after = rest.partition(ends)
        return begun + found + after.partition("\n")[0] if found else ""
    begun = line or rest.strip(EDGES)[:2]
    for opens, closes in DISPLAYS.items():
        if begun.startswith(opens) and closes not in line[len(opens) :]:
            content = rest[rest.index(opens) + len(opens) :]
            return content[: content.index(closes)] if closes in content else ""
    return ""


def boxed(text: str) -> str | None:
    r"""Return the content of the last `\boxed{}` of a text, including inner braces; None if there is none."""
    start = text.rfind(BOX)
    if start < 0:
        return None
    depth, begin = 0, start + len(BOX)
    for i in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth < 0:
            return text[begin:i]
    return None
