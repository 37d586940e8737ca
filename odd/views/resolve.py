"""Resolve a view against a run: fill in defaults, and replace what the run does not have."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from odd.store import usual_measure
from odd.store.run import Run
from odd.views.links import AT_START, ViewState


@dataclass(frozen=True)
class Resolved:
    """A view with ids that all exist in the run, and one sentence per id that did not."""

    view: ViewState
    notices: tuple[str, ...]


class _Resolver:
    def __init__(self, run: Run, view: ViewState) -> None:
        self.run, self.view = run, view
        self.notices: list[str] = []

    def pick(self, part: str, options: Sequence, default: object = None) -> None:
        """Keep the view's value of a parameter if the run has it, else use the default and add a notice."""
        wanted = getattr(self.view, part)
        if wanted in options:
            return
        chosen = default if default in options else (options[0] if len(options) else None)
        if wanted is not None:
            instead = f"{part} {chosen} is shown" if chosen is not None else f"it has no {part} to show"
            self.notices.append(f"This run has no {part} {wanted!r}: {instead}.")
        self.view = self.view.but(**{part: chosen})

    def measures(self) -> None:
        measures = self.run.query("measures")
        for part, usual in usual_measure(self.run).items():
            self.pick(part, measures[part].unique().tolist(), usual)

    def teachers(self) -> None:
        names = self.run.query("teachers")["teacher"].tolist()
        self.pick("teacher", names)
        missing = [name for name in self.view.teachers if name not in names]
        if missing:
            self.notices.append(f"This run has no teacher {', '.join(map(repr, missing))}: left out.")
        kept = tuple(name for name in dict.fromkeys(self.view.teachers) if name in names)
        self.view = self.view.but(teachers=kept or tuple(names))
        self.pick("baseline", self.view.teachers)

    def question(self) -> None:
        questions = self.run.query("questions")
        best = questions.sort_values("decision_points", ascending=False, kind="stable")["id"].tolist()
        self.pick("question", questions["id"].tolist(), best[0] if best else None)
        if self.view.question is None:
            self.view = self.view.but(**AT_START)
            return
        number = question_number(self.run, self.view)
        paths = self.run.query("paths", question=number)
        self.pick("path", paths["path"].tolist())
        self._position(paths)
        self._nodes(number)

    def _position(self, paths: pd.DataFrame) -> None:
        found = paths.loc[paths["path"] == self.view.path, "length"]
        length = found.item() if len(found) else 0
        instead = {"position": "the path is shown without a pinned token", "start": "its first tokens are shown"}
        for part, shown in instead.items():
            position = getattr(self.view, part)
            if position is not None and position >= length:
                self.notices.append(f"This path has no token {position}: {shown}.")
                self.view = self.view.but(**{part: None})

    def _nodes(self, number: int) -> None:
        asked = {*self.view.unfolded, *self.view.folded, *({self.view.node} - {None})}
        if not asked:
            return
        found = set(self.run.query("nodes_known", question=number, nodes=sorted(asked))["node"].tolist())
        for node in sorted(asked - found):
            self.notices.append(f"This tree has no node {node}: left out.")
        self.view = self.view.but(
            node=self.view.node if self.view.node in found else None,
            unfolded=tuple(node for node in self.view.unfolded if node in found),
            folded=tuple(node for node in self.view.folded if node in found),
        )


def resolve(run: Run, view: ViewState) -> Resolved:
    """Fill in what the link leaves open and replace what the run does not have.

    Args:
        run: the run named by `view.run`.
        view: the requested view.
    """
    resolver = _Resolver(run, view)
    resolver.measures()
    resolver.teachers()
    resolver.question()
    return Resolved(resolver.view, tuple(resolver.notices))


def question_number(run: Run, view: ViewState) -> int:
    """Number of the view's question, which must exist in the run."""
    questions = run.query("questions")
    return int(questions["question"].iloc[questions["id"].tolist().index(view.question)])


__all__ = ["Resolved", "question_number", "resolve"]
