"""The interface for notebooks and scripts: make a run, open a run, take its tables, and draw its paths and trees."""

import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from odd.config import RunConfig, default_cache, load_config, merge, parse_config
from odd.errors import OddError
from odd.export.html import Drawing, Theme, component_document
from odd.method.measures import colours
from odd.places import the_example_run
from odd.store import RunReader, published_path, tables
from odd.text import visible
from odd.views.generation_graph import display
from odd.views.generation_tree import tree_payload
from odd.views.legend import legend_html
from odd.views.links import ViewState
from odd.views.panels import chosen_measure, path_notices, path_panel, tree_panel, why_no_tree
from odd.views.resolve import resolve, usual_measure
from odd.views.scores import Row, colour_scale, legend
from odd.views.token_path import path_cards, path_names, path_rows

_TABLES_OF = {
    "questions": ("questions",),
    "teachers": ("teachers",),
    "rollouts": ("rollouts",),
    "paths": ("paths",),
    "nodes": ("nodes", "vocabulary"),
    "scores": ("path_tokens", "paths", "scores", "node_teachers", "vocabulary"),
}
"""Frame to the tables of the schema that its columns come from, the first that has a column saying what it is."""
_OWN = {
    "initial_rollouts": "rollouts from the root",
    "initial_correct": "of them correct",
    "initial_truncated": "of them cut at the length limit",
    "pass_rate": "share of the initial rollouts that is correct",
    "targeted_rollouts": "rollouts from forced prefixes",
    "paths": "paths that were studied",
    "correct_paths": "of them correct",
    "decision_points": "nodes where two children with enough visits differ in success, under any convention",
    "teachers_available": "teachers that could be given their context",
    "teachers_unavailable": "teachers that could not",
    "normalised_depth": "position divided by the length of the path, 0 to 1",
}
"""Columns that no table has as they are computed when they are asked for."""


def open_run(run: str | os.PathLike[str], cache: str | os.PathLike[str] | None = None) -> "OpenedRun":
    """Open a run.

    Args:
        run: its file, its run id, or `example` for the run that comes with ODD.
        cache: folder in which a run id is looked up; None: `ODD_CACHE`, or `cache` in the working directory.

    Raises:
        OddError: there is no such run, or it cannot be read.
    """
    if run == "example":
        file = the_example_run()
    elif Path(run).suffix == ".duckdb":
        file = Path(run)
    else:
        file = published_path(default_cache() if cache is None else Path(cache), str(run))
    return OpenedRun(file)


def run(config: RunConfig | Mapping[str, Any] | str = "demo", /, *, quiet: bool = False, **changes: Any) -> "OpenedRun":
    """Make a run in this process, or take up one that was interrupted, and open it.

    A finished run with these settings is only opened. It loads the models, so the first call takes seconds more.

    Args:
        config: a preset (`demo`, `smollm2`, `paper`), a configuration, or the same as nested dictionaries.
        quiet: whether nothing is printed on the way.
        **changes: sections of the configuration to change, such as `questions={"limit": 2}`, or `cache="runs"`.

    Raises:
        OddError: a setting is impossible, or the run cannot be made; says which and why.
    """
    from odd.pipeline.progress import ProgressFile
    from odd.pipeline.worker import run as make

    settings = _configured(config, changes)
    listeners: list[Callable[[Any], None]] = [ProgressFile(settings.cache)]
    listeners += [] if quiet else [_print_progress]

    def listen(step: Any) -> None:
        for listener in listeners:
            listener(step)

    return OpenedRun(make(settings, listen))


def _configured(config: RunConfig | Mapping[str, Any] | str, changes: Mapping[str, Any]) -> RunConfig:
    if isinstance(config, str):
        config = load_config(config)
    tree = config.model_dump(mode="json") if isinstance(config, RunConfig) else json.loads(json.dumps(config))
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in changes.items()}
    merge(tree, plain)
    return parse_config(tree)


def _print_progress(step: Any) -> None:
    """One line that is written over itself, in notebooks and terminals alike."""
    told = f"{step.run_id}: question {min(step.question + 1, step.questions)} of {step.questions}"
    at = "finished" if step.stage == "done" else f"{step.stage} {step.done:,}/{step.total:,}"
    print(f"\r{told}, {at}".ljust(100), end="\n" if step.stage == "done" else "", flush=True)


class OpenedRun:
    """A run file, opened for reading.

    Its tables are pandas DataFrames; `columns` says what each column holds. Questions are named by their id, as the
    table `questions` has it, or by their number. What is not stored is NaN or None.

    Attributes:
        file: the run file.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        """Open a file.

        Raises:
            OddError: it cannot be read, or is not a run.
        """
        self.file = Path(file)
        self._reader = RunReader(self.file)

    def close(self) -> None:
        """Close the file; a run that nobody refers to any more is closed by itself."""
        self._reader.close()

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def __repr__(self) -> str:
        """Name and size."""
        questions, teachers = len(self._questions), len(self.query("teachers"))
        return f"<run {self.run_id}: {questions} questions, {teachers} teachers, {self.meta.get('status', '')}>"

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self._reader.run_id

    @property
    def meta(self) -> dict[str, str]:
        """What the file says of itself: versions, status, and the settings as JSON."""
        return self._reader.meta

    @property
    def config(self) -> dict[str, Any]:
        """The settings that the run was made with."""
        return json.loads(self.meta["config"])

    def query(self, name: str, /, **params: Any) -> pd.DataFrame:
        """Rows of any query that the dashboard asks, see `odd.store.QUERIES`.

        Raises:
            OddError: the file turns out to be damaged.
            ValueError: there is no such query.
        """
        return self._reader.query(name, **params)

    @property
    def questions(self) -> pd.DataFrame:
        """A row per question: id, text, answer, pass rate, difficulty, and counts of rollouts and decision points."""
        return self._questions.copy()

    @cached_property
    def _questions(self) -> pd.DataFrame:
        """The same, asked for once: counting goes through all rollouts and scores."""
        return self.query("questions")

    @property
    def teachers(self) -> pd.DataFrame:
        """A row per teacher: its name, model, context and settings."""
        return self.query("teachers")

    @property
    def measures(self) -> pd.DataFrame:
        """Objectives and conventions that the run has scores for."""
        return self.query("measures")

    def rollouts(self, question: str | int | None = None) -> pd.DataFrame:
        """A row per rollout: token ids, log-probabilities, text, answer, whether it is correct, and its launch.

        Args:
            question: of which; None: of all.
        """
        return self._of("rollouts", question)

    def paths(self, question: str | int | None = None) -> pd.DataFrame:
        """A row per path that was studied: the rollout that it is, its outcome and its length.

        Args:
            question: of which; None: of all.
        """
        return self._of("paths", question)

    def nodes(self, question: str | int | None = None) -> pd.DataFrame:
        """A row per node of the tree: parent, token, the student's log-probability, visits and successes.

        Args:
            question: of which; None: of all.
        """
        nodes = self._of("nodes", question)
        tokens = self.query("token_bytes", tokens=sorted({int(token) for token in nodes["token"] if token >= 0}))
        texts = {token: visible(spelled) for token, spelled in zip(tokens["token"], tokens["bytes"], strict=True)}
        return nodes.assign(text=nodes["token"].map(texts))

    def scores(self, objective: str | None = None, convention: str | None = None) -> pd.DataFrame:
        """A row per teacher and token of a path with a score: alignment and gain with their intervals, and divergences.

        A node that several paths share has a row in each.

        Args:
            objective: label; None: reverse_kl, if the run has it.
            convention: label; None: on_policy-full-off, if the run has it.
        """
        return self.query("scores", **self._measure(objective, convention))

    def columns(self, frame: str) -> pd.Series:
        """What the columns of a frame hold.

        Args:
            frame: questions, teachers, rollouts, paths, nodes or scores.
        """
        if frame not in _TABLES_OF:
            raise OddError(f"no frame {frame!r}: choose one of {', '.join(_TABLES_OF)}")
        known: dict[str, str] = dict(_OWN)
        for table in reversed(_TABLES_OF[frame]):
            known |= {column: meaning for column, (_, meaning) in tables()[table][1].items()}
        first = int(self._questions["question"].iloc[0])
        rows = getattr(self, frame)
        columns = (rows if isinstance(rows, pd.DataFrame) else rows() if frame == "scores" else rows(first)).columns
        return pd.Series({column: known[column] for column in columns}, name=frame)

    def path(
        self,
        question: str | int | None = None,
        path: str | int | None = None,
        *,
        teacher: str | None = None,
        objective: str | None = None,
        convention: str | None = None,
        colour: str = "alignment",
        token: int | None = None,
        theme: Theme = "light",
        height: int | None = None,
    ) -> Drawing:
        """A path as text, coloured token by token, as the page Tree draws it.

        Args:
            question: None: the one with most decision points.
            path: number, or name such as "incorrect 1"; None: the first.
            teacher: whose gradient is compared with the ideal one; None: the first.
            objective: label; None: reverse_kl, if the run has it.
            convention: label; None: on_policy-full-off, if the run has it.
            colour: what the colour of a token stands for: alignment, p_positive, gain, advantage, success, kl or
                difference.
            token: position of the token that is pinned.
            theme: light or dark.
            height: of the frame, pixels; None: by the length of the text.

        Raises:
            OddError: the run has no such question, path, teacher, objective or convention; names those it has.
        """
        number, view = self._view(question, path, teacher, objective, convention, colour, token)
        if view.path is None:
            raise OddError(f"run {self.run_id}: question {view.question} has no path; choose another question")
        rows = path_rows(self, number, view)
        payload = path_panel(self, number, view, rows, path_cards(self, number, view))
        lines = [self._text(number), *map(_plain, path_notices(self, number, view, rows))]
        drawn = legend_html(legend(view.colour), colour_scale(self, number, view))
        title = f"a path of question {view.question} · {chosen_measure(view)}"
        document = component_document("token_path", payload, title, lines, drawn, theme)
        return Drawing(title, document, height or _path_height(rows))

    def tree(
        self,
        question: str | int | None = None,
        *,
        path: str | int | None = None,
        teacher: str | None = None,
        objective: str | None = None,
        convention: str | None = None,
        colour: str = "alignment",
        unfolded: tuple[int, ...] | list[int] = (),
        theme: Theme = "light",
        height: int = 900,
    ) -> Drawing:
        """The generation tree of a question with its decision points, as the page Tree draws it.

        Args:
            question: None: the one with most decision points.
            path: the path that is marked, by number or name; None: the first.
            teacher: whose gradient is compared with the ideal one; None: the first.
            objective: label; None: reverse_kl, if the run has it.
            convention: label; None: on_policy-full-off, if the run has it. Its pooling decides what branches count.
            colour: of the decision points, as for `path`.
            unfolded: nodes whose rarer branches are drawn, too; a click on folded branches says which they are.
            theme: light or dark.
            height: of the frame, pixels.

        Raises:
            OddError: the run has no such question, path, teacher, objective or convention, or the question has no tree.
        """
        number, view = self._view(question, path, teacher, objective, convention, colour)
        view = view.but(unfolded=tuple(unfolded))
        counted = view.convention or "on_policy"
        tree = tree_payload(self, number, counted, display(self, number, counted, view.unfolded))
        if not tree["branches"]:
            raise OddError(f"run {self.run_id}, question {view.question}: {why_no_tree(self, number)}")
        title = f"the tree of question {view.question} · {chosen_measure(view)}"
        payload = tree_panel(self, number, view, tree)
        document = component_document("generation_tree", payload, title, [self._text(number)], theme=theme)
        return Drawing(title, document, height)

    def _of(self, name: str, question: str | int | None) -> pd.DataFrame:
        numbers = self._questions["question"].tolist() if question is None else [self._number(question)]
        found = [self.query(name, question=number) for number in numbers]
        return pd.concat(found, ignore_index=True) if len(found) != 1 else found[0]

    def _number(self, question: str | int) -> int:
        """Number of a question that is named by id or number."""
        questions = self._questions
        column = "id" if isinstance(question, str) else "question"
        found = questions.loc[questions[column] == question, "question"]
        if found.empty:
            raise OddError(f"run {self.run_id}: no question {question!r}; it has {_listed(questions['id'].tolist())}")
        return int(found.iloc[0])

    def _text(self, number: int) -> str:
        return str(self.query("question", question=number)["text"].iloc[0])

    def _measure(self, objective: str | None, convention: str | None) -> dict[str, str | None]:
        usual, measures = usual_measure(self), self.measures
        asked = {"objective": objective, "convention": convention}
        for part, value in asked.items():
            self._check(part, value, measures[part].unique().tolist())
        return {part: usual[part] if value is None else value for part, value in asked.items()}

    def _check(self, part: str, value: object, options: list) -> None:
        if value is not None and value not in options:
            raise OddError(f"run {self.run_id}: no {part} {value!r}; it has {_listed(options)}")

    def _view(
        self,
        question: str | int | None,
        path: str | int | None,
        teacher: str | None,
        objective: str | None,
        convention: str | None,
        colour: str,
        token: int | None = None,
    ) -> tuple[int, ViewState]:
        """The view that is asked for, complete, and the number of its question."""
        if self._questions.empty:
            raise OddError(f"run {self.run_id} has no question yet: make it with odd run")
        self._check("teacher", teacher, self.teachers["teacher"].tolist())
        if colour not in colours():
            raise OddError(f"no colour {colour!r}: choose one of {', '.join(colours())}")
        asked = ViewState(run=self.run_id, teacher=teacher, colour=colour).but(**self._measure(objective, convention))
        if question is not None:
            asked = asked.but(question=self._id(self._number(question)))
        view = resolve(self, asked).view
        number = self._number(str(view.question))
        if path is not None:
            view = view.but(path=self._path(number, path))
        lengths = dict(self.query("paths", question=number)[["path", "length"]].itertuples(index=False))
        if token is not None and view.path is not None and not 0 <= token < lengths[view.path]:
            raise OddError(f"run {self.run_id}: the path has tokens 0 to {lengths[view.path] - 1}, no {token}")
        return number, view.but(token=token)

    def _id(self, number: int) -> str:
        questions = self._questions
        return str(questions.loc[questions["question"] == number, "id"].iloc[0])

    def _path(self, number: int, path: str | int) -> int:
        """Number of a path that is given by number or name."""
        names = path_names(self.query("paths", question=number))
        for known, name in names.items():
            if path in (known, name):
                return known
        raise OddError(f"run {self.run_id}: no path {path!r}; the question has {_listed(list(names.values()))}")


def _listed(names: list) -> str:
    """Some names, for a message."""
    shown = ", ".join(map(str, names[:8])) or "none"
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown


def _plain(markdown: str) -> str:
    """Markdown of `odd.text.markdown_escaped` and of our own, as the text that it shows."""
    return re.sub(r"\\(.)|`", r"\1", markdown)


def _path_height(rows: Sequence[Row]) -> int:
    """Pixels that a path needs where 95 characters fit into a line, which stands above its staff."""
    text = b"".join(row["bytes"] if isinstance(row["bytes"], bytes) else b"?" for row in rows)
    lines = sum(max(1, math.ceil(len(line) / 95)) for line in text.rstrip(b"\n").split(b"\n"))
    return int(np.clip(230 + 110 * lines, 340, 1200))
