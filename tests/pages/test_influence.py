"""Influence where a reader meets it: colours, cards, findings, weights, notebooks."""

import numpy as np
import pytest

from odd.config import WeightsConfig
from odd.errors import OddError
from odd.export.weights import training_rows
from odd.notebook import open_run
from odd.store import RunReader
from odd.views.scores import records
from tests.pages.test_compare import payloads
from tests.pages.test_findings import said
from tests.pages.test_tree import component
from tests.runs import rows

KEYS = ("influence", "influence_other")


@pytest.fixture
def folder(influenced):
    return influenced[1].parents[1]


def stored(path, key, question=0, on=0):
    return rows(
        path,
        f"""
        SELECT {key}, {key}_low, {key}_high FROM token_influence WHERE teacher = 'other' AND question = {question}
        AND objective = 'reverse_kl' AND path = {on} ORDER BY position""",
    )


@pytest.mark.parametrize("key", KEYS)
def test_tokens_are_coloured_by_it_and_muted_where_its_halves_differ(influenced, folder, open_page, key):
    data = component(open_page("tree", folder, colour=key, teacher="other"), "token-path")
    expected = stored(influenced[1], key, question=data["question"], on=data["path"])
    end = data["legend"]["ends"][1]
    assert len(data["tokens"]) == len(expected)
    for token, (value, low, high) in zip(data["tokens"], expected, strict=True):
        assert token["value"] == pytest.approx(np.clip(value / end, -1, 1), rel=1e-3, abs=1e-6)
        assert token["settled"] == (low > 0 or high < 0)


def test_cards_have_it(influenced, folder, open_page):
    data = component(open_page("tree", folder, teacher="other"), "token-path")
    assert {*KEYS} <= {fact["column"] for fact in data["facts"]}
    expected = stored(influenced[1], "influence", question=data["question"], on=data["path"])
    for card, (value, *_) in zip(records(data["scores"]), expected, strict=True):
        assert card["influence"] == pytest.approx(value, rel=1e-3)


def test_decision_points_of_the_tree_are_coloured_by_it(folder, open_page):
    data = component(open_page("tree", folder, colour="influence", teacher="other"), "generation-tree")
    assert any(one["value"] is not None for one in records(data["decisions"]))


def test_teachers_are_compared_by_it(folder, open_page):
    data = payloads(open_page("compare", folder, colour="influence"))["token_strips"]
    assert any(cell["value"] is not None for teacher in data["teachers"] for cell in records(teacher["cells"]))


def test_a_run_without_it_does_not_offer_it(quick, open_page):
    app = open_page("tree", quick[1].parents[1])
    (box,) = (box for box in app.selectbox if box.label == "colour by")
    assert "influence" not in box.options
    assert "influence" not in {fact["column"] for fact in component(app, "token-path")["facts"]}


def test_a_link_to_it_opens_in_a_run_without_it(quick, open_page):
    data = component(open_page("tree", quick[1].parents[1], colour="influence"), "token-path")
    assert {token["value"] for token in data["tokens"]} == {None}


def test_findings_predict_the_gain_of_each_teacher(folder, open_page):
    text = said(open_page("findings", folder, section="training"))
    assert "predicted gain from a step of length 0.01" in text and "on the same questions" in text


@pytest.mark.parametrize("target", ["same", "other"])
def test_weights_keep_the_tokens_with_influence_above_the_threshold(influenced, target):
    with RunReader(influenced[1]) as reader:
        known = reader.query("weights_influence", teacher="other", objective="reverse_kl", target=target)
        values = {(q, rollout): (a + b) / 2 for q, rollout, a, b in known.itertuples(index=False)}
        threshold = float(np.quantile(np.concatenate(list(values.values())), 0.6))
        asked = {"rule": "influence", "target": target, "rollouts": "initial", "threshold": threshold}
        written, coverage = training_rows(reader, WeightsConfig(teacher="other", **asked))
    assert coverage.scored == coverage.tokens and 0 < coverage.kept < coverage.tokens
    for row in written.to_dict("records"):
        expected = values[row["question"], row["rollout"]]
        np.testing.assert_allclose(row["scores"], expected, rtol=1e-5)
        np.testing.assert_array_equal(row["loss_mask"], expected > threshold)


def test_weights_without_influence_say_how_to_get_it(quick):
    with RunReader(quick[1]) as reader, pytest.raises(OddError, match="compute it with odd influence"):
        training_rows(reader, WeightsConfig(teacher="other", rule="influence"))


def test_a_notebook_reads_it(influenced):
    with open_run(influenced[1]) as opened:
        found = opened.influence()
        own = found[(found["teacher"] == "other") & (found["question"] == 0) & (found["path"] == 0)]
    expected = stored(influenced[1], "influence")
    np.testing.assert_allclose(own[["influence", "influence_low", "influence_high"]], expected)
