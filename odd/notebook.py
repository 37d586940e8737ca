"""The interface for notebooks and scripts: compute or open a run, read its tables, and draw its paths and trees."""

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
from odd.store import RunReader, published_path, tables, usual_measure
from odd.text import visible
from odd.views.generation_graph import display
from odd.views.generation_tree import tree_payload
from odd.views.legend import legend_html
from odd.views.links import ViewState
from odd.views.panels import chosen_measure, path_notices, path_panel, tree_panel, why_no_tree
from odd.views.resolve import resolve
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
"""Frame to the schema tables of its columns; the first table with a column gives its description."""
_OWN = {
    "initial_rollouts": "rollouts from the root",
    "initial_correct": "initial rollouts that are correct",
    "initial_truncated": "initial rollouts cut off at the length limit",
    "pass_rate": "share of the initial rollouts that are correct",
    "targeted_rollouts": "rollouts from forced prefixes",
    "targeted_whole": "targeted rollouts of which the file has all tokens and the text",
    "paths": "studied paths",
    "correct_paths": "studied paths that are correct",
    "decision_points": "nodes where two children with enough visits differ in success, under any convention",
    "teachers_available": "teachers whose context could be built",
    "teachers_unavailable": "teachers whose context could not be built",
    "normalised_depth": "position divided by the length of the path, 0 to 1",
}
"""Computed columns, which no table stores."""


def open_run(run: str | os.PathLike[str], cache: str | os.PathLike[str] | None = None) -> "OpenedRun":
    """Open a run.

    Args:
        run: run file, run id, or `example` for the run that ships with ODD.
        cache: folder to look up a run id in; None: `ODD_CACHE`, or `cache` in the working directory.

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
    """Compute a run in this process, or resume an interrupted one, and open it.

    A finished run with these settings is only opened. The models are loaded, so the first call takes a few seconds
    longer.

    Args:
        config: a preset (`demo`, `smollm2`, `paper`), a configuration, or a configuration as nested dictionaries.
        quiet: whether to suppress progress output.
        **changes: sections of the configuration to change, such as `questions={"limit": 2}`, or `cache="runs"`.

    Raises:
        OddError: a setting is invalid, or the run fails; the message says which and why.
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
    """Print one line that overwrites itself, in notebooks and terminals."""
    told = f"{step.run_id}: question {min(step.question + 1, step.questions)} of {step.questions}"
    at = "finished" if step.stage == "done" else f"{step.stage} {step.done:,}/{step.total:,}"
    print(f"\r{told}, {at}".ljust(100), end="\n" if step.stage == "done" else "", flush=True)


class OpenedRun:
    """A run file, opened for reading.

    Its tables are pandas DataFrames; `columns` describes each column. Questions are given by their id, as in the table
    `questions`, or by their number. Values that are not stored are NaN or None.

    Attributes:
        file: the run file.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        """Open a file.

        Raises:
            OddError: the file cannot be read, or is not a run.
        """
        self.file = Path(file)
        self._reader = RunReader(self.file)

    def close(self) -> None:
        """Close the file; a run is also closed when it is garbage-collected."""
        self._reader.close()

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def __repr__(self) -> str:
        """Return run id, size and status."""
        questions, teachers = len(self._questions), len(self.query("teachers"))
        return f"<run {self.run_id}: {questions} questions, {teachers} teachers, {self.meta.get('status', '')}>"

    @property
    def run_id(self) -> str:
        """Run id."""
        return self._reader.run_id

    @property
    def meta(self) -> dict[str, str]:
        """Metadata of the file: versions, status, and the settings as JSON."""
        return self._reader.meta

    @property
    def config(self) -> dict[str, Any]:
        """The settings of the run."""
        return json.loads(self.meta["config"])

    def query(self, name: str, /, **params: Any) -> pd.DataFrame:
        """Return the rows of any query of the dashboard, see `odd.store.QUERIES`.

        Raises:
            OddError: the file is damaged.
            ValueError: there is no such query.
        """
        return self._reader.query(name, **params)

    @property
    def questions(self) -> pd.DataFrame:
        """One row per question: id, text, answer, pass rate, difficulty, and counts of rollouts and decision points."""
        return self._questions.copy()

    @cached_property
    def _questions(self) -> pd.DataFrame:
        """The same, queried once: the counts scan all rollouts and scores."""
        return self.query("questions")

    @property
    def teachers(self) -> pd.DataFrame:
        """One row per teacher: name, model, context and settings."""
        return self.query("teachers")

    @property
    def measures(self) -> pd.DataFrame:
        """Objectives and conventions with scores in this run."""
        return self.query("measures")

    def rollouts(self, question: str | int | None = None) -> pd.DataFrame:
        """Return one row per rollout: token ids, log-probabilities, text, answer, outcome and launch.

        Args:
            question: id or number of a question; None: all questions.
        """
        return self._of("rollouts", question)

    def paths(self, question: str | int | None = None) -> pd.DataFrame:
        """Return one row per studied path: its rollout, outcome and length.

        Args:
            question: id or number of a question; None: all questions.
        """
        return self._of("paths", question)

    def nodes(self, question: str | int | None = None) -> pd.DataFrame:
        """Return one row per node of the tree: parent, token, student log-probability, visits and successes.

        Args:
            question: id or number of a question; None: all questions.
        """
        nodes = self._of("nodes", question)
        tokens = self.query("token_bytes", tokens=sorted({int(token) for token in nodes["token"] if token >= 0}))
        texts = {token: visible(spelled) for token, spelled in zip(tokens["token"], tokens["bytes"], strict=True)}
        return nodes.assign(text=nodes["token"].map(texts))

    def scores(self, objective: str | None = None, convention: str | None = None) -> pd.DataFrame:
        """Return one row per teacher and scored path token: alignment and gain with intervals, and divergences.

        A node shared by several paths has one row per path.

        Args:
            objective: label; None: reverse_kl, if the run has it.
            convention: label; None: on_policy-full-off, if the run has it.
        """
        return self.query("scores", **self._measure(objective, convention))

    def influence(self, objective: str | None = None) -> pd.DataFrame:
        """Return one row per teacher and path token: its influence on the same questions and on others.

        `influence_low` and `influence_high` are the two values from disjoint rollouts whose mean it is. Empty until
        `odd influence` has computed it. The first-order change of success for training on a question, tested on
        another one, is in the query `influence_matrix`, the lengths of gradients in `influence_norms`.

        Args:
            objective: label; None: reverse_kl, if the run has it.
        """
        return self.query("influence_paths", objective=self._measure(objective, None)["objective"])

    def columns(self, frame: str) -> pd.Series:
        """Return the descriptions of the columns of a frame.

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
        position: int | None = None,
        theme: Theme = "light",
        height: int | None = None,
    ) -> Drawing:
        """Draw a path as text, coloured token by token, as on the page Tree.

        Args:
            question: id or number; None: the question with most decision points.
            path: number, or name such as "incorrect 1"; None: the first.
            teacher: teacher whose gradient is compared with the ideal one; None: the first.
            objective: label; None: reverse_kl, if the run has it.
            convention: label; None: on_policy-full-off, if the run has it.
            colour: measure that tokens are coloured by: alignment, p_positive, gain, advantage, success, kl or
                difference.
            position: position of the pinned token.
            theme: light or dark.
            height: height of the frame in pixels; None: depends on the length of the text.

        Raises:
            OddError: the run has no such question, path, teacher, objective or convention; the message lists those it
                has.
        """
        number, view = self._view(question, path, teacher, objective, convention, colour, position)
        if view.path is None:
            raise OddError(f"run {self.run_id}: question {view.question} has no path; choose another question")
        rows = path_rows(self, number, view)
        payload = path_panel(self, number, view, rows, path_cards(self, number, view))
        decisions = any(row["decision"] is True for row in rows)
        lines = [self._text(number), *map(_plain, path_notices(self, number, view, decisions))]
        drawn = legend_html(legend(view.colour), colour_scale(self, number, view))
        title = f"path of question {view.question} · {chosen_measure(view)}"
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
        """Draw the generation tree of a question with its decision points, as on the page Tree.

        Args:
            question: id or number; None: the question with most decision points.
            path: number or name of the path to mark; None: the first.
            teacher: teacher whose gradient is compared with the ideal one; None: the first.
            objective: label; None: reverse_kl, if the run has it.
            convention: label; None: on_policy-full-off, if the run has it. Its pooling rule determines the counts of
                branches.
            colour: measure that decision points are coloured by, as for `path`.
            unfolded: nodes whose rare branches are drawn, too; clicking folded branches shows their node.
            theme: light or dark.
            height: height of the frame in pixels.

        Raises:
            OddError: the run has no such question, path, teacher, objective or convention, or the question has no tree.
        """
        number, view = self._view(question, path, teacher, objective, convention, colour)
        view = view.but(unfolded=tuple(unfolded))
        counted = view.convention or "on_policy"
        tree = tree_payload(self, number, counted, display(self, number, counted, view.unfolded))
        if not tree["branches"]:
            raise OddError(f"run {self.run_id}, question {view.question}: {why_no_tree(self, number)}")
        title = f"tree of question {view.question} · {chosen_measure(view)}"
        payload = tree_panel(self, number, view, tree)
        document = component_document("generation_tree", payload, title, [self._text(number)], theme=theme)
        return Drawing(title, document, height)

    def _of(self, name: str, question: str | int | None) -> pd.DataFrame:
        numbers = self._questions["question"].tolist() if question is None else [self._number(question)]
        found = [self.query(name, question=number) for number in numbers]
        return pd.concat(found, ignore_index=True) if len(found) != 1 else found[0]

    def _number(self, question: str | int) -> int:
        """Return the number of a question given by id or number."""
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
        position: int | None = None,
    ) -> tuple[int, ViewState]:
        """Return the number of the question, and the view with all defaults filled in."""
        if self._questions.empty:
            raise OddError(f"run {self.run_id} has no questions yet: compute it with odd run")
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
        if position is not None and view.path is not None and not 0 <= position < lengths[view.path]:
            raise OddError(f"run {self.run_id}: no position {position}; the path has 0 to {lengths[view.path] - 1}")
        return number, view.but(position=position)

    def _id(self, number: int) -> str:
        questions = self._questions
        return str(questions.loc[questions["question"] == number, "id"].iloc[0])

    def _path(self, number: int, path: str | int) -> int:
        """Return the number of a path given by number or name."""
        names = path_names(self.query("paths", question=number))
        for known, name in names.items():
            if path in (known, name):
                return known
        raise OddError(f"run {self.run_id}: no path {path!r}; the question has {_listed(list(names.values()))}")


def _listed(names: list) -> str:
    """Join the first names, for a message."""
    shown = ", ".join(map(str, names[:8])) or "none"
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown


def _plain(markdown: str) -> str:
    """Return the displayed text of Markdown from `odd.text.markdown_escaped` or written by ODD."""
    return re.sub(r"\\(.)|`", r"\1", markdown)


def _path_height(rows: Sequence[Row]) -> int:
    """Return the height in pixels of a path at 95 characters per line, with a staff below each line."""
    text = b"".join(row["bytes"] if isinstance(row["bytes"], bytes) else b"?" for row in rows)
    lines = sum(max(1, math.ceil(len(line) / 95)) for line in text.rstrip(b"\n").split(b"\n"))
    return int(np.clip(230 + 110 * lines, 340, 1200))
