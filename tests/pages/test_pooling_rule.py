"""A newly registered pooling rule appears everywhere that pooling rules appear."""

import pytest

from odd.config import load_config
from odd.errors import OddError
from odd.method.pooling import RULES, PoolingRule
from odd.pipeline.worker import run
from odd.views.glossary import find
from tests.pages.test_tree import component
from tests.runs import bigrams, quick_config, rows

CONVENTION = "initial-full-off"


class InitialOnly(PoolingRule):
    """Only rollouts without a forced prefix count."""

    name, label = "initial", "initial only"
    visits, about = "initial visits", "a targeted rollout never counts"
    meaning = "Only rollouts from the question itself count."

    def counted(self, launch, depth):
        return (launch == 0) & (depth >= 0)


@pytest.fixture(scope="module", autouse=True)
def registered():
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(RULES, InitialOnly.name, InitialOnly())
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A quick run under the default rule and the new one: its folder and its file."""
    folder = tmp_path_factory.mktemp("made")
    analysis = {"n_sig": 6, "posterior_draws": 60, "poolings": ["on_policy", "initial"], "baselines": ["full"]}
    analysis |= {"rests": ["off"], "objectives": [{"name": "reverse_kl"}, {"name": "sampled_reverse_kl"}]}
    teachers = [{"name": "other", "model": bigrams("b")}]
    return folder, run(quick_config(folder, analysis=analysis, teachers=teachers), lambda step: None)


def test_a_configuration_takes_it(monkeypatch):
    assert load_config(overrides=('analysis.poolings=["initial"]',)).analysis.poolings == ("initial",)
    monkeypatch.delitem(RULES, "initial")
    with pytest.raises(OddError, match="no such pooling rule: choose one of on_policy, stratified, pooled"):
        load_config(overrides=('analysis.poolings=["initial"]',))


def test_success_is_stored_by_it(made):
    found = rows(made[1], "SELECT question, node, visits, successes, success FROM success WHERE pooling = 'initial'")
    drawn = "SELECT question, list(struct_pack(ids := token_ids, won := correct)) FROM rollouts "
    initial = dict(rows(made[1], f"{drawn} WHERE stage = 'initial' GROUP BY question"))
    roots = {question: (visits, won, success) for question, node, visits, won, success in found if node == 0}
    assert roots
    for question, (visits, won, success) in roots.items():
        outcomes = [rollout["won"] for rollout in initial[question]]
        assert (visits, won, success) == (len(outcomes), sum(outcomes), sum(outcomes) / len(outcomes))


def test_its_s_u_has_the_children_with_enough_initial_rollouts(made):
    least = rows(
        made[1],
        "SELECT min(b.visits) FROM components c JOIN branches b ON b.question = c.question AND b.parent = c.node "
        f"AND list_contains(c.tokens, b.token) AND b.pooling = 'initial' WHERE c.convention = '{CONVENTION}'",
    )
    assert least[0][0] >= 6


@pytest.mark.parametrize("objective", ["reverse_kl", "sampled_reverse_kl"])
def test_there_are_scores_under_its_convention(made, objective):
    scored = f"FROM scores WHERE convention = '{CONVENTION}' AND objective = '{objective}'"
    assert rows(made[1], f"SELECT count(alignment) > 0, max(visits) <= 48 {scored}") == [(True, True)]
    halves = f"SELECT count(gain) > 0 FROM half_scores WHERE convention = '{CONVENTION}' AND objective = '{objective}'"
    assert rows(made[1], halves) == [(True,)]


def test_a_reader_can_choose_it(made, open_page):
    app = open_page("tree", made[0])
    (box,) = (box for box in app.selectbox if box.label == "convention")
    assert "initial only · full baseline" in box.options


def test_the_tree_says_what_its_branches_count(made, open_page):
    data = component(open_page("tree", made[0], convention=CONVENTION), "generation-tree")
    assert data["counts"] == {"name": "initial visits", "about": "a targeted rollout never counts"}
    assert data["branches"][0]["n"] == [48]


def test_the_glossary_explains_it():
    (entries,) = find("initial only counting").values()
    assert [entry.meaning for entry in entries] == [InitialOnly.meaning]
