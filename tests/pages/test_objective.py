"""A newly declared objective appears everywhere that objectives appear."""

from typing import Literal

import numpy as np
import pytest

from odd.config import load_config
from odd.errors import OddError
from odd.method.objectives import Objective
from odd.method.objectives.base import NOT_KNOWN
from odd.method.objectives.reverse_kl import reverse_kl
from odd.pipeline.worker import run
from odd.views.glossary import find
from tests.runs import bigrams, quick_config, rows


@pytest.fixture(scope="module", autouse=True)
def declared():
    class HalfKL(Objective):
        name: Literal["half_kl"] = "half_kl"
        title = "half a KL"
        meaning = "Goes half as far as the reverse KL."

        def gradient(self, log_p, log_q, taken=NOT_KNOWN):
            return reverse_kl(log_p, log_q, self.temperature) / 2

    yield
    Objective.registry.pop("half_kl")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A quick run under reverse KL and the new objective: its folder and its file."""
    folder = tmp_path_factory.mktemp("made")
    analysis = {"n_sig": 6, "posterior_draws": 60, "objectives": [{"name": "reverse_kl"}, {"name": "half_kl"}]}
    teachers = [{"name": "other", "model": bigrams("b")}]
    return folder, run(quick_config(folder, analysis=analysis, teachers=teachers), lambda step: None)


def test_a_configuration_takes_it():
    (asked,) = load_config(overrides=('analysis.objectives=[{name="half_kl"}]',)).analysis.objectives
    assert asked.label == "half_kl"


def test_its_gradients_are_stored_under_every_convention(made):
    both = "gradients AS a JOIN gradients AS b USING (question, node, teacher, convention)"
    found = rows(
        made[1],
        f"SELECT a.teacher_gradient, b.teacher_gradient, convention FROM {both} "
        "WHERE a.objective = 'reverse_kl' AND b.objective = 'half_kl'",
    )
    assert len({convention for *_, convention in found}) == 12
    for whole, half, _ in found:
        np.testing.assert_allclose(np.array(whole) / 2, half, atol=1e-6)


def test_its_scores_follow(made):
    both = "scores AS a JOIN scores AS b USING (question, node, teacher, convention)"
    found = rows(
        made[1],
        f"SELECT a.alignment, b.alignment, a.gain, b.gain, a.low, b.low FROM {both} "
        "WHERE a.objective = 'reverse_kl' AND b.objective = 'half_kl' AND a.alignment IS NOT NULL",
    )
    aligned, same, gain, _, low, same_low = np.array(found, dtype=float).T
    np.testing.assert_allclose(aligned, same, atol=1e-5)
    np.testing.assert_allclose(low, same_low, atol=1e-5)
    assert len(gain) > 10


def test_a_reader_can_choose_it(made, open_page):
    app = open_page("tree", made[0], objective="half_kl")
    assert not app.exception
    (box,) = (box for box in app.selectbox if box.label == "objective")
    assert box.value == "half_kl" and len(box.options) == 2


def test_the_glossary_explains_it():
    assert find("half as far")["Gradients"][0].term == "half a KL"


def test_what_is_not_declared_is_named():
    with pytest.raises(OddError, match="quarter_kl"):
        load_config(overrides=('analysis.objectives=[{name="quarter_kl"}]',))
