"""The window of a long path that a page shows, and where its thinking part ends."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any

from odd.config import RunConfig, stored_config
from odd.questions.thinking import after_thinking, ends_in_thinking
from odd.store.run import Run
from odd.text import occurrences
from odd.views.links import ViewState

HITS = 500
"""Found places of a path that are shown."""
WINDOW = 480
"""Tokens that a page shows at once: the text of a longer path is shown in windows."""
UNDER_TEACHERS = WINDOW // 3
"""Tokens that the page Compare shows at once, each under every teacher."""


@dataclass(frozen=True)
class Extent:
    """The size of a path.

    Attributes:
        length: number of tokens.
        answer: position of the first token after the thinking part, the length if the path never leaves it; None: the
            path has no thinking part.
    """

    length: int
    answer: int | None = None

    def part(self, view: ViewState) -> range:
        """Positions of the part of the path that the view shows; a pinned token outside it shows all of it."""
        parts = {"thinking": range(self.answer or 0), "answer": range(self.answer or 0, self.length)}
        chosen = range(0) if self.answer is None else parts.get(view.part, range(0))
        whole = view.start is None and view.position is not None and view.position not in chosen
        return range(self.length) if whole or not chosen else chosen

    def window(self, view: ViewState, size: int | None = None) -> range:
        """Positions that the view shows: `size` tokens (`WINDOW`) from its start, or those around its pinned token."""
        part, size = self.part(view), size or WINDOW
        start = view.start
        if start is None:
            pinned = view.position if view.position is not None and view.position in part else part.start
            start = part.start + (pinned - part.start) // size * size
        start = max(part.start, min(start, part.stop - size))
        return range(start, min(part.stop, start + size))

    def windowed(self, view: ViewState) -> bool:
        """Whether the view shows only a part of the path."""
        return len(self.window(view)) < self.length


def pinning(view: ViewState, position: int | None, size: int | None = None) -> dict[str, Any]:
    """Parameters of a view that change when a token is pinned: its window stays if it contains the token."""
    stays = position is None or (view.start is not None and 0 <= position - view.start < (size or WINDOW))
    return {"position": position, "start": view.start if stays else None}


def path_extent(run: Run, question: int, path: int | None) -> Extent:
    """Length of a path and the end of its thinking part."""
    texts = run.query("path_texts", question=question, path=path)["bytes"].tolist()
    prompt = run.query("question", question=question)["prompt_text"].iloc[0]
    config = run_settings(run)
    marks = None if config is None else config.student.thinking_marks
    inside = isinstance(prompt, str) and ends_in_thinking(prompt, marks)
    return Extent(len(texts), thinking_end(texts, inside, marks))


def thinking_end(texts: Sequence[object], inside: bool, marks: tuple[str, str] | None) -> int | None:
    """Position of the first token after the thinking part; None without one.

    Args:
        texts: bytes of each token; others are unknown.
        inside: whether the prompt has already opened the thinking part.
        marks: marks of a thinking part beside the usual ones.
    """
    pieces = [text if isinstance(text, bytes) else b"" for text in texts]
    whole = b"".join(pieces).decode("utf-8", errors="surrogateescape")
    answer = after_thinking(whole, inside, marks)
    if answer == whole:
        return None
    left = _bytes(whole, len(whole) - len(answer))
    for position, piece in enumerate(pieces):
        if left <= 0:
            return position
        left -= len(piece)
    return len(pieces)


def path_hits(texts: Sequence[object], find: str) -> list[list[int]]:
    """Tokens in which a text is found, in any case: first position, and the one after the last; at most `HITS`.

    Args:
        texts: bytes of each token; others are unknown.
        find: the text; empty for none.
    """
    if not find:
        return []
    pieces = [text if isinstance(text, bytes) else b"" for text in texts]
    whole = b"".join(pieces).decode("utf-8", errors="surrogateescape")
    ends = list(accumulate(map(len, pieces)))
    found = islice(occurrences(whole, find), HITS)
    return [
        [bisect_right(ends, _bytes(whole, at)), bisect_left(ends, _bytes(whole, at + len(find))) + 1] for at in found
    ]


def _bytes(text: str, characters: int) -> int:
    return len(text[:characters].encode("utf-8", errors="surrogateescape"))


def run_settings(run: Run) -> RunConfig | None:
    """Settings of the run; None if they cannot be read."""
    stored = run.query("run_settings")["value"].tolist()
    return stored_config(stored[0] if stored else None)


def support(run: Run) -> int:
    """Visits from which V(u) is drawn: those that a child needs to be in S_u (`analysis.n_sig`)."""
    config = run_settings(run)
    return 1 if config is None else config.analysis.n_sig
