"""The notebook interface: opening and computing runs, tables with documented columns, drawings."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import odd
import odd.method
from odd.config import load_config
from odd.errors import OddError
from odd.notebook import OpenedRun
from tests.runs import small_config

FRAMES = ("questions", "teachers", "rollouts", "paths", "nodes", "scores")


@pytest.fixture(scope="module")
def run(finished):
    """The finished small run, opened."""
    with odd.open_run(finished[1]) as opened:
        yield opened


def frame(run, name):
    found = getattr(run, name)
    return found if isinstance(found, pd.DataFrame) else found()


def test_importing_odd_imports_nothing_heavy():
    code = "import odd, sys; print({'torch', 'duckdb', 'numpy', 'pandas', 'pydantic'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_opening_a_run_loads_no_models(finished):
    code = f"import odd, sys; odd.open_run({str(finished[1])!r}).path(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_run_is_opened_by_its_file_and_by_its_id(finished, monkeypatch):
    config, path = finished
    assert odd.open_run(str(path)).run_id == odd.open_run(path.stem, config.cache).run_id == path.stem
    monkeypatch.setenv("ODD_CACHE", str(config.cache))
    assert odd.open_run(path.stem).run_id == path.stem


def test_the_example_run_is_opened_by_its_name():
    assert odd.open_run("example").run_id.startswith("example-")


@pytest.mark.parametrize("name", ["nowhere-00000000", "../etc/passwd", "nowhere.duckdb"])
def test_a_missing_run_is_named(name, tmp_path):
    with pytest.raises(OddError, match=r"nowhere|passwd"):
        odd.open_run(name, tmp_path)


@pytest.mark.parametrize("name", FRAMES)
def test_every_column_of_a_frame_is_documented(run, name):
    meanings = run.columns(name)
    assert meanings.index.tolist() == frame(run, name).columns.tolist()
    assert meanings.str.len().min() > 0


def test_an_unknown_frame_is_rejected(run):
    with pytest.raises(OddError, match="questions, teachers"):
        run.columns("halves")


def test_frames_contain_the_entire_run(run):
    counts = run.questions.set_index("question")
    assert len(run.rollouts()) == counts["initial_rollouts"].sum() + counts["targeted_rollouts"].sum()
    assert len(run.paths()) == counts["paths"].sum()
    assert run.teachers["teacher"].tolist() == ["tiny-m", "Self-1C", "Self-1C1W", "Self-check"]


def test_a_question_is_named_by_id_or_number(run):
    number = int(run.questions.set_index("id").loc["compare", "question"])
    pd.testing.assert_frame_equal(run.rollouts("compare"), run.rollouts(number))
    assert set(run.nodes(number)["question"]) == {number}


def test_nodes_have_the_text_of_their_token(run):
    nodes = run.nodes("sum")
    assert nodes.loc[nodes["node"] > 0, "text"].notna().all()


def test_scores_are_those_of_the_measure(run):
    usual, other = run.scores(), run.scores("forward_kl", "pooled-full-off")
    assert set(usual["objective"]) == {"reverse_kl"} and set(usual["convention"]) == {"on_policy-full-off"}
    assert set(other["objective"]) == {"forward_kl"} and set(other["convention"]) == {"pooled-full-off"}


def test_the_settings_are_those_of_the_run(run, finished):
    assert run.config["sampling"] == finished[0].sampling.model_dump(mode="json")


def test_a_path_is_drawn_for_the_given_choices(run):
    drawing = run.path("sum", "incorrect 1", teacher="Self-1C", objective="forward_kl", colour="gain")
    assert all(part in drawing.title for part in ("sum", "Self-1C", "forward KL"))
    assert "What is 8+6-3?" in drawing.document


def test_without_choices_the_question_with_most_decision_points_is_drawn(run):
    questions = run.questions
    most = questions.loc[questions["decision_points"].idxmax(), "id"]
    assert f"question {most} " in run.path().title
    assert f"question {most} " in run.tree().title


def test_a_tree_is_drawn_with_the_given_branches(run):
    nodes = run.nodes("sum")
    inner = int(nodes.loc[nodes["node"].isin(nodes["parent"]) & (nodes["depth"] > 0), "node"].iloc[0])
    assert f'"unfolded":[{inner}]' in run.tree("sum", unfolded=[inner]).document


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"question": "none such"}, "sum, compare, impossible"),
        ({"question": 99}, "99"),
        ({"question": "sum", "path": "correct 9"}, "correct 1"),
        ({"teacher": "nobody"}, "tiny-m, Self-1C"),
        ({"objective": "sideways_kl"}, "reverse_kl"),
        ({"convention": "on_policy"}, "on_policy-full-off"),
        ({"colour": "pink"}, "alignment, p_positive"),
        ({"question": "sum", "position": 10_000}, "10000"),
        ({"question": "impossible"}, "has no path"),
    ],
)
def test_a_missing_choice_is_named_with_the_available_ones(run, asked, named):
    with pytest.raises(OddError, match=named):
        run.path(**asked)


def test_a_question_without_a_tree_says_why(run):
    with pytest.raises(OddError, match="impossible"):
        run.tree("impossible")


def test_odd_run_opens_a_run_that_is_finished(finished, capsys):
    config, path = finished
    opened = odd.run(config, quiet=True)
    assert isinstance(opened, OpenedRun)
    assert opened.file == path
    assert capsys.readouterr().out == ""


def test_odd_run_computes_a_run_from_a_preset_with_changes(tmp_path, capsys):
    few = {"initial_rollouts": 8, "max_new_tokens": 16}
    made = odd.run("demo", questions={"limit": 1}, sampling=few, targeting={"n_min": 2}, cache=tmp_path)
    assert made.file.parent == tmp_path
    assert len(made.questions) == 1 and made.config["sampling"]["initial_rollouts"] == 8
    assert "question 1 of 1" in capsys.readouterr().out


def test_odd_run_accepts_nested_dictionaries(tmp_path):
    config = small_config(tmp_path)
    tree = config.model_dump(mode="json") | {"teachers": []}
    made = odd.run(tree, sampling={"initial_rollouts": 8, "max_new_tokens": 16}, targeting={"n_min": 2}, quiet=True)
    assert made.teachers.empty


@pytest.mark.parametrize("given", [("nope",), ({"sampling": {"rollouts": 3}},)])
def test_odd_run_rejects_an_invalid_configuration(given):
    with pytest.raises(OddError, match=r"nope|sampling\.rollouts"):
        odd.run(*given)


def test_changes_do_not_modify_the_presets(tmp_path):
    before = load_config("demo")
    with pytest.raises(OddError):
        odd.run("demo", sampling={"initial_rollouts": -1}, cache=tmp_path)
    assert load_config("demo") == before


def test_the_mathematics_works_on_arrays():
    p, success = np.array([0.5, 0.3, 0.2]), np.array([0.9, 0.5, 0.1])
    ideal = odd.method.ideal_gradient(p, success)
    teacher = odd.method.reverse_kl(np.log(p), np.log(np.array([[0.8, 0.15, 0.05]])))
    assert odd.method.cosine(ideal, teacher[0]) > 0.9


@pytest.mark.parametrize("name", sorted(odd.method.__all__))
def test_every_name_of_the_mathematics_exists(name):
    assert callable(getattr(odd.method, name))
    assert getattr(odd.method, name).__doc__


def test_an_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="sideways"):
        _ = odd.method.sideways
    with pytest.raises(AttributeError, match="sideways"):
        _ = odd.sideways
