"""A question, or a whole run, as HTML files that need neither a server nor a network.

A file draws what the pages Tree and Compare draw of a question, from the same payloads with the same scripts. Its
payloads are parts, each compressed on its own, which the browser unpacks when they are looked at: the tree, and per
path the tokens under each teacher. For a colour other than the first, a part holds only what differs. A file has a size
limit; parts that exceed it are left out, the least important kinds first, and the file says so.
"""

import base64
import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, NamedTuple, Self

import pandas as pd

from odd import __version__
from odd.errors import OddError, writing
from odd.export.html import document
from odd.method.measures import colours
from odd.store.run import Run
from odd.text import to_json, visible_text
from odd.views.comparison_path import path_payload, strips_overview
from odd.views.components import source
from odd.views.generation_graph import display
from odd.views.generation_tree import decision_payload, tree_payload
from odd.views.legend import legend_html
from odd.views.links import AT_START, ViewState
from odd.views.names import file_name
from odd.views.panels import chosen_measure, path_panel, tree_name, why_no_tree
from odd.views.path_window import path_extent
from odd.views.pinned_token import continuations, token_children
from odd.views.resolve import question_number, resolve
from odd.views.scores import colour_scale, legend
from odd.views.token_path import path_cards, path_names, path_rows

LARGEST = 3_000_000
"""Bytes of a file beyond which parts are left out."""
COMPONENTS = "generation_tree", "token_path", "token_strips", "continuations", "offline_question"
KINDS = (
    "the tree",
    "the first teacher's scores",
    "decision points of the tree",
    "other teachers' scores",
    "teachers side by side",
    "continuations",
    "other colours",
)
"""Kinds of parts, the most important first; the first two are never left out."""


class Part(NamedTuple):
    """A part of a file: the number of its kind, its key, and its payload."""

    kind: int
    key: str
    payload: Any


@dataclass(frozen=True)
class Contents:
    """What leaves with a file.

    Attributes:
        texts: whether texts of further rollouts, the continuations of pinned tokens, are included.
        prompts: whether the text of the question is included.
    """

    texts: bool = True
    prompts: bool = True

    @classmethod
    def without(cls, names: Iterable[str]) -> Self:
        """Everything but the named contents.

        Raises:
            OddError: a name is unknown.
        """
        known = [field.name for field in fields(cls)]
        for name in names:
            if name not in known:
                raise OddError(f"--without {name}: choose {' or '.join(known)}")
        return cls(**{name: False for name in names})


def asked_view(
    run: Run,
    question: str | None,
    path: str | None,
    position: int | None,
    teachers: Sequence[str],
    colour: str | None,
    objective: str | None,
    convention: str | None,
) -> ViewState:
    """Return the view that a user names; None for what is filled in.

    Raises:
        OddError: the run has no such question, response, token, teacher, colour, objective or convention.
    """
    colour = colour or ViewState().colour
    if colour not in colours():
        raise OddError(f"no colour {colour!r}: choose one of {', '.join(colours())}")
    named = {"question": question, "objective": objective, "convention": convention, "teachers": tuple(teachers)}
    found = resolve(run, ViewState(run=run.run_id, colour=colour, teacher=next(iter(teachers), None), **named))
    view = found.view
    if not found.notices and path is not None and view.question is not None:
        names = path_names(run.query("paths", question=question_number(run, view)))
        known = [number for number, name in names.items() if path in (name, str(number))]
        if not known:
            raise OddError(f"run {run.run_id}: no response {path!r}; it has {', '.join(names.values()) or 'none'}")
        view = view.but(path=known[0])
    found = resolve(run, view.but(position=position)) if not found.notices else found
    if found.notices:
        missing = found.notices[0].partition(": ")[0]
        raise OddError(f"{missing}: odd show {run.run_id} lists what run {run.run_id} has")
    return found.view


class _Remembered:
    """A run that answers each query once: many payloads ask the same."""

    def __init__(self, run: Run) -> None:
        self._run, self._known = run, dict[str, pd.DataFrame]()

    @property
    def run_id(self) -> str:
        return self._run.run_id

    def query(self, name: str, /, **params: Any) -> pd.DataFrame:
        key = f"{name} {sorted(params.items())!r}"
        if key not in self._known:
            self._known[key] = self._run.query(name, **params)
        return self._known[key]


class Question:
    """A question of a run to export.

    Args:
        run: the run.
        view: what the file shows first; its question, objective, convention and teachers are those of the file.
        contents: what leaves with the file.

    Raises:
        OddError: the run has no questions.
    """

    def __init__(self, run: Run, view: ViewState, contents: Contents) -> None:
        """Fill in what the view leaves open, and replace what the run does not have."""
        view = resolve(run, view.but(run=run.run_id)).view
        if view.question is None:
            raise OddError(f"run {run.run_id} has no questions yet: compute it with odd run")
        if view.teacher is not None and view.teacher not in view.teachers:
            view = view.but(teacher=view.teachers[0])
        self.run, self.view, self.contents = _Remembered(run), view, contents
        self.number = question_number(run, view)

    @cached_property
    def paths(self) -> pd.DataFrame:
        """The studied paths."""
        return self.run.query("paths", question=self.number)

    @cached_property
    def teachers(self) -> list[str | None]:
        """The teachers, the one shown first at the start; [None] without any."""
        return sorted(self.view.teachers, key=lambda name: name != self.view.teacher) or [None]

    def parts(self) -> Iterator[Part]:
        """Yield all parts of the file."""
        counted = self.view.convention or "on_policy"
        tree = tree_payload(self.run, self.number, counted, display(self.run, self.number, counted))
        yield Part(0, "tree", tree)
        for rank, teacher in enumerate(self.teachers):
            key, view = str(rank), self.view.but(teacher=teacher)
            if tree["branches"]:
                yield from self._by_colour(f"decisions/{key}", 2, view, self._decisions)
            for path in self.paths["path"].tolist():
                own = view.but(path=path, position=None, start=None)
                yield from self._by_colour(f"path/{path}/{key}", 3 if rank else 1, own, self._path(own))
        for path in self.paths["path"].tolist():
            own = self.view.but(path=path, position=None, start=None, teacher=None, show="score")
            yield from self._by_colour(f"strips/{path}", 4, own, self._strips)
            if self.contents.texts:
                yield Part(5, f"continuations/{path}", self._continuations(own.but(teacher=self.view.teacher)))

    @staticmethod
    def _by_colour(key: str, kind: int, view: ViewState, drawn: Callable[[ViewState], Any]) -> Iterator[Part]:
        """Yield what a view draws in its colour, and what differs in each other one."""
        first = drawn(view)
        yield Part(kind, key, first)
        for colour in colours():
            if colour != view.colour:
                other = drawn(view.but(colour=colour))
                yield Part(6, f"{key}/{colour}", {name: part for name, part in other.items() if part != first[name]})

    def _decisions(self, view: ViewState) -> dict[str, Any]:
        return decision_payload(self.run, self.number, view, colour_scale(self.run, self.number, view))

    def _path(self, view: ViewState) -> Callable[[ViewState], dict[str, Any]]:
        """What the view's path draws in the colour of another view."""
        rows = path_rows(self.run, self.number, view)
        cards = path_cards(self.run, self.number, view)
        return lambda coloured: path_panel(self.run, self.number, coloured, rows, cards)

    def _strips(self, view: ViewState) -> dict[str, Any]:
        teachers = tuple(name for name in self.teachers if name is not None)
        extent = path_extent(self.run, self.number, view.path)
        return path_payload(self.run, view, teachers) | {
            "overview": strips_overview(self.run, self.number, view, extent, range(extent.length))
        }

    def _continuations(self, view: ViewState) -> dict[int, Any]:
        """Continuations from each decision point of a path."""
        found = {}
        for row in path_rows(self.run, self.number, view):
            if row["decision"] is True:
                at = view.but(position=int(row["position"]))
                children = token_children(self.run, self.number, at)
                found[int(row["position"])] = continuations(self.run, self.number, at, children, draw=0)
        return found

    def about(self) -> dict[str, Any]:
        """What the file says of itself."""
        names = path_names(self.paths)
        row = self.run.query("question", question=self.number).iloc[0]
        given = {"text": visible_text(str(row["text"])), "answer": visible_text(str(row["answer"]))}
        shown = {"path": self.view.path, "token": self.view.position, "teacher": self.view.teacher}
        return {
            "run": self.run.run_id,
            "question": self.view.question,
            "number": self.number,
            "asked": given if self.contents.prompts else None,
            "measure": chosen_measure(self.view.but(teacher=None)).removeprefix("no teacher · "),
            "paths": [[path, names[path]] for path in self.paths["path"].tolist()],
            "teachers": self.teachers,
            "colours": [[name, legend(name).name] for name in colours()],
            "first": shown | {"colour": self.view.colour},
            "tree": tree_name(self.view),
            "no_tree": why_no_tree(self.run, self.number),
            "version": __version__,
        }

    def document(self) -> str:
        """The HTML file."""
        scripts = sum(len(script) + len(style) for script, style in map(source, COMPONENTS))
        kept, left = _within(list(self.parts()), LARGEST - scripts)
        about = self.about() | {"left": left}
        legends = [
            f'<div class="scale" data-colour="{name}" hidden>{_legend(self.run, self.number, self.view, name)}</div>'
            for name in colours()
        ]
        title = visible_text(f"{self.view.question} · {self.run.run_id} · ODD")
        body = f'<main id="question"></main><template id="legends">{"".join(legends)}</template>'
        return document(title, body, {"about": about, "parts": kept}, COMPONENTS)


def _legend(run: Run, number: int, view: ViewState, colour: str) -> str:
    return legend_html(legend(colour), colour_scale(run, number, view.but(colour=colour)))


def _within(parts: Sequence[Part], room: int) -> tuple[dict[str, str], list[str]]:
    """Return the packed parts that fit, by key, and the kinds of which some do not."""
    kept, left = dict[str, str](), set[int]()
    for kind, key, payload in sorted(parts, key=lambda part: part.kind):
        packed = _packed(payload)
        if kind > 1 and (left or len(packed) > room):
            left.add(kind)
            continue
        kept[key], room = packed, room - len(packed)
    return kept, [KINDS[kind] for kind in sorted(left)]


def _packed(payload: Any) -> str:
    """A payload as JSON, compressed, in base 64."""
    text = to_json(payload)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def write_question(run: Run, view: ViewState, out: Path, contents: Contents | None = None) -> Path:
    """Write one question of a run as an HTML file.

    Args:
        run: the run.
        view: the question, and what is shown first; what it leaves open is filled in as on the pages.
        out: the file.
        contents: what leaves with the file; None: everything.

    Raises:
        OddError: the run has no questions, or the file cannot be written.
    """
    text = Question(run, view, contents or Contents()).document()
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    return out


def write_site(run: Run, view: ViewState, out: Path, contents: Contents | None = None) -> Iterator[Path]:
    """Write every question of a run as a file in a folder, and then an index, which links them; yield each file.

    Args:
        run: the run.
        view: teachers, objective, convention and colour of the files.
        out: the folder.
        contents: what leaves with the files; None: everything.

    Raises:
        OddError: the run has no questions, or a file cannot be written.
    """
    contents = contents or Contents()
    rows = run.query("questions")
    if rows.empty:
        raise OddError(f"run {run.run_id} has no questions yet: compute it with odd run")
    for name, row in zip(_file_names(rows), rows.to_dict("records"), strict=True):
        yield write_question(run, view.but(question=row["id"], **AT_START), out / name, contents)
    index = out / "index.html"
    with writing(index):
        index.write_text(_index(run, rows, contents), encoding="utf-8")
    yield index


def _file_names(rows: pd.DataFrame) -> list[str]:
    """File names of the questions, which any file system takes and which differ in more than case."""
    return [
        f"{number:04d}-{file_name(name)[:80]}.html" for number, name in zip(rows["question"], rows["id"], strict=True)
    ]


def _index(run: Run, rows: pd.DataFrame, contents: Contents) -> str:
    """The page that links the questions."""
    heads = ("question", "pass rate", "decision points", "text" if contents.prompts else "")
    lines = []
    for name, row in zip(_file_names(rows), rows.to_dict("records"), strict=True):
        rate = "–" if pd.isna(row["pass_rate"]) else f"{row['pass_rate']:.2f}"
        text = escape(visible_text(str(row["text"]))[:200]) if contents.prompts else ""
        link = f'<a href="{escape(name)}">{escape(visible_text(str(row["id"])))}</a>'
        lines.append(f"<tr><td>{link}</td><td>{rate}</td><td>{row['decision_points']}</td><td>{text}</td></tr>")
    head = "".join(f"<th>{one}</th>" for one in heads)
    title = escape(visible_text(run.run_id))
    table = f'<table class="index"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    body = f'<main class="odd"><h1>{title}</h1>{table}</main>'
    return document(f"{run.run_id} · ODD", body, None, COMPONENTS[-1:])
