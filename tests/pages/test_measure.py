"""A newly registered measure appears everywhere that measures appear."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from odd.method.measures import MEASURES, Measure
from odd.models.transformers.engine import TransformersEngine
from odd.pipeline.worker import run
from odd.store import RunReader
from odd.views.glossary import find
from odd.views.links import ViewState
from odd.views.scores import records
from tests.pages.test_compare import payloads
from tests.pages.test_tree import component
from tests.runs import SCORES, bigrams, quick_config, rows

PUSH = Measure(
    "push", "length of the push", "How far the teacher would move the logits of the components.",
    short="push", symbol="|g|", unit="logits", digits=5, low="stays", high="moves", scale="largest",
    comment="norm of the teacher gradient", halves=True,
    value=lambda nodes: np.linalg.norm(nodes.gradients, axis=-1),
    ends=lambda nodes: (np.linalg.norm(nodes.gradients, axis=-1) - 1, np.linalg.norm(nodes.gradients, axis=-1) + 1),
    interval=("push_low", "push_high"), settled_by=("push_low", "push_high"),
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def registered(finished):
    """Register the measure after the older run exists."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(MEASURES, PUSH.key, PUSH)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A quick run with the new measure: its folder and its file."""
    folder = tmp_path_factory.mktemp("made")
    analysis = {"n_sig": 6, "posterior_draws": 60, "poolings": ["on_policy"], "baselines": ["full"], "rests": ["off"]}
    analysis |= {"objectives": [{"name": "reverse_kl"}]}
    teachers = [{"name": "other", "model": bigrams("b")}, {"name": "Self-1C", "context": "1c"}]
    return folder, run(quick_config(folder, analysis=analysis, teachers=teachers), lambda step: None)


@pytest.fixture
def older(finished, tmp_path):
    """A finished run from before the measure existed, in its own cache: its config and its file."""
    config, path = finished
    return config.model_copy(update={"cache": tmp_path}), Path(shutil.copy(path, tmp_path))


def test_an_older_run_is_read_without_it(older):
    with RunReader(older[1]) as reader:
        found = reader.query("scores", objective="reverse_kl", convention="on_policy-full-off")
    assert found["push"].isna().all() and found["alignment"].notna().any()


def test_an_older_run_is_rescored_for_it_without_sampling(older, monkeypatch):
    monkeypatch.setattr(TransformersEngine, "sample", None)
    config, path = older
    before = rows(path, SCORES)
    assert run(config, lambda step: None) == path
    after = rows(path, SCORES)
    assert repr([row[: len(before[0])] for row in after]) == repr(before)
    assert rows(path, "SELECT count(push) > 0 FROM scores") == [(True,)]


def test_it_is_computed_and_stored(made):
    both = "scores JOIN gradients USING (question, node, teacher, objective, convention)"
    found = rows(made[1], f"SELECT push, push_low, push_high, teacher_gradient FROM {both}")
    assert len(found) > 10
    for push, low, high, gradient in found:
        np.testing.assert_allclose([push, low, high], np.linalg.norm(gradient) + np.array([0, -1, 1]), atol=1e-6)
    assert rows(made[1], "SELECT count(push) > 0 FROM half_scores") == [(True,)]


def test_views_have_it(made):
    with RunReader(made[1]) as reader:
        asked = {"objective": "reverse_kl", "convention": "on_policy-full-off"}
        assert reader.query("scores", **asked)["push"].notna().all()
        assert "push" in reader.query("decisions", **asked)


def test_a_reader_can_choose_it_as_colour(made, open_page):
    app = open_page("tree", made[0])
    (box,) = (box for box in app.selectbox if box.label == "colour by")
    assert "length of the push" in box.options


def test_a_link_can_name_it():
    view, problems = ViewState.from_query({"colour": ["push"]})
    assert view.colour == "push" and not problems


def test_tokens_are_coloured_by_it_on_its_own_scale(made, open_page):
    data = component(open_page("tree", made[0], colour="push"), "token-path")
    legend = data["legend"]
    largest = rows(made[1], f"SELECT max(push) FROM scores WHERE question = {data['question']}")
    assert (legend["name"], legend["symbol"], legend["unit"]) == ("length of the push", "|g|", "logits")
    assert legend["ends"] == pytest.approx([-largest[0][0], largest[0][0]])
    coloured = [
        (token["value"], score["push"])
        for token, score in zip(data["tokens"], records(data["scores"]), strict=True)
        if token["value"] is not None
    ]
    assert coloured
    for value, push in coloured:
        assert value == pytest.approx(push / largest[0][0], rel=1e-3)


def test_its_sign_is_settled_by_its_interval(made, open_page):
    data = component(open_page("tree", made[0], colour="push"), "token-path")
    assert {token["settled"] for token in data["tokens"] if token["value"] is not None} == {False}


def test_the_legend_of_the_page_names_it_and_its_ends(made, open_page):
    app = open_page("tree", made[0], colour="push")
    legend = " ".join(part.proto.body for part in app.get("html"))
    assert all(word in legend for word in ("length of the push", "logits", "stays", "moves"))


def test_cards_list_it(made, open_page):
    app = open_page("tree", made[0])
    for key in ("token-path", "generation-tree"):
        (fact,) = (one for one in component(app, key)["facts"] if one["column"] == "push")
        assert (fact["short"], fact["digits"], fact["interval"]) == ("push", 5, ["push_low", "push_high"])
    assert all("push" in one for one in records(component(app, "generation-tree")["decisions"]))


def test_teachers_are_compared_by_it(made, open_page):
    data = payloads(open_page("compare", made[0], colour="push"))["token_strips"]
    assert "push" in [one["column"] for one in data["facts"]]
    for teacher in data["teachers"]:
        assert any(cell["value"] == cell["push"] is not None for cell in records(teacher["cells"]))


def test_the_glossary_explains_it():
    (entries,) = find("length of the push").values()
    assert [entry.meaning for entry in entries] == [PUSH.meaning]
