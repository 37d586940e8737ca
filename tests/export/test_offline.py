"""Questions as files without a server: their parts, their size, and what does not leave with them."""

import base64
import gzip
import hashlib
import json
import re

import pytest

from odd.errors import OddError
from odd.export import offline
from odd.export.offline import Contents, Question, asked_view, write_question, write_site
from odd.method.measures import colours
from odd.store import RunReader
from odd.views.links import ViewState
from odd.views.panels import path_panel
from odd.views.token_path import path_cards, path_rows
from tests.export.test_html import Elements
from tests.hostile import make_hostile


@pytest.fixture(scope="module")
def run(quick):
    with RunReader(quick[1]) as reader:
        yield reader


@pytest.fixture(scope="module")
def question(run):
    return Question(run, ViewState(), Contents())


@pytest.fixture(scope="module")
def site(run, tmp_path_factory):
    return list(write_site(run, ViewState(), tmp_path_factory.mktemp("site")))


def read(document):
    """Payload of a document, and its parts, unpacked."""
    stored = json.loads(Elements(document).scripts["application/json"])
    return stored, {key: json.loads(gzip.decompress(base64.b64decode(part))) for key, part in stored["parts"].items()}


@pytest.fixture(scope="module")
def whole(question):
    return read(question.document())


@pytest.mark.parametrize("colour", colours())
def test_a_path_in_any_colour_is_that_of_the_page(question, whole, colour):
    _, parts = whole
    teacher = question.teachers[1]
    view = question.view.but(teacher=teacher, colour=colour, position=None)
    shown = path_panel(question.run, question.number, view, path_rows(question.run, question.number, view),
                       path_cards(question.run, question.number, view))  # fmt: skip
    found = parts[f"path/{view.path}/1"] | parts.get(f"path/{view.path}/1/{colour}", {})
    assert found == json.loads(json.dumps(shown))


def test_all_paths_are_there_under_all_teachers(question, whole):
    wanted = {f"path/{path}/{rank}" for path in question.paths["path"] for rank in range(len(question.teachers))}
    assert len(wanted) > 4 and wanted <= set(whole[1])


def test_what_exceeds_the_size_is_left_out_and_said(question, whole, monkeypatch):
    monkeypatch.setattr(offline, "LARGEST", 200_000)
    stored, parts = read(question.document())
    left = stored["about"]["left"]
    assert left and left == [one for one in offline.KINDS if one in left]
    assert {"tree", f"path/{question.view.path}/0"} <= set(parts) < set(whole[1])
    assert whole[0]["about"]["left"] == []


def test_continuations_stay_behind_if_asked(run, whole):
    _, parts = read(Question(run, ViewState(), Contents.without(["texts"])).document())
    assert {key for key in whole[1] if key.startswith("continuations/")} == set(whole[1]) - set(parts) != set()


def test_prompts_stay_behind_if_asked(run, question, site):
    rows, number = run.query("questions"), question.number
    text, without = rows.set_index("question")["text"][number], Contents(prompts=False)
    assert text in question.document() and text in site[-1].read_text()
    assert text not in Question(run, ViewState(), without).document() + offline._index(run, rows, without)


def test_no_path_of_this_machine_leaves(question, quick):
    stored, parts = read(question.document())
    assert str(quick[1].parent) not in question.document() + json.dumps([stored["about"], parts])


def test_only_the_scripts_of_the_document_run(question):
    document = question.document()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', document)[1]
    scripts = re.findall(r'<script type="module">(.*?)</script>', document, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert re.search(r"script-src ([^;]*)", policy)[1] == " ".join(f"'sha256-{one}'" for one in hashes)
    assert policy.startswith("default-src 'none';")


def test_a_hostile_run_adds_no_element(quick, question, tmp_path):
    with RunReader(make_hostile(quick[1], tmp_path)) as reader:
        plain, hostile = Elements(question.document()), Elements(Question(reader, ViewState(), Contents()).document())
    assert set(hostile.names) == set(plain.names)
    assert hostile.names.count("script") == plain.names.count("script")


def test_the_files_of_a_run_are_linked_by_its_index(site):
    *files, index = site
    links = re.findall(r'<a href="([^"]*)">', index.read_text())
    assert [index.parent / link for link in links] == files == sorted(set(index.parent.iterdir()) - {index})


def test_file_names_are_safe_and_different(run):
    rows = run.query("questions").head(3).assign(id=["../a/b", "..", "A" * 300])
    names = offline._file_names(rows)
    assert len({name.casefold() for name in names}) == 3
    assert not any("/" in name or len(name) > 100 or name.startswith(".") for name in names)


def test_the_view_that_is_asked_for_is_shown_first(run, tmp_path):
    question, teacher = run.query("questions")["id"].iloc[1], run.query("teachers")["teacher"].iloc[1]
    view = asked_view(run, question, "incorrect 1", 0, (teacher,), "gain", None, None)
    stored, _ = read(write_question(run, view, tmp_path / "x.html").read_text())
    names = dict(stored["about"]["paths"])
    first = stored["about"]["first"]
    assert (stored["about"]["question"], names[first["path"]], first["token"]) == (question, "incorrect 1", 0)
    assert (stored["about"]["teachers"], first["colour"]) == ([teacher], "gain")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"question": "none"}, "no question 'none'"),
        ({"path": "correct 99"}, "no response 'correct 99'; it has"),
        ({"position": 10**6}, "no token 1000000"),
        ({"teachers": ("nobody",)}, "no teacher 'nobody'"),
        ({"colour": "red"}, "no colour 'red': choose one of"),
        ({"objective": "x"}, "no objective 'x'"),
    ],
)
def test_what_a_run_does_not_have_is_named(run, asked, named):
    parts = dict.fromkeys(("question", "path", "position", "teachers", "colour", "objective", "convention"))
    with pytest.raises(OddError, match=named) as caught:
        asked_view(run, **(parts | {"teachers": ()} | asked))
    assert "is shown" not in str(caught.value)


def test_an_unknown_content_is_named():
    with pytest.raises(OddError, match="--without x: choose texts or prompts"):
        Contents.without(["x"])
