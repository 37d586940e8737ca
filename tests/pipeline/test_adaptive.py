"""A run with adaptive allocation: a budget, a floor, and the same result after the worker died."""

import pytest

from odd.config import TargetingConfig, fingerprint, load_config
from odd.pipeline.worker import run
from tests.runs import assert_same_results, quick_config, rows

pytestmark = pytest.mark.checked_shapes

TARGETING = {
    "n_min": 24, "n_gradient": 4, "n_difference": 2, "correct_paths": 1, "incorrect_paths": 1, "allocation": "adaptive",
    "floor": 6,
}  # fmt: skip
SAMPLING = {"initial_rollouts": 48, "max_new_tokens": 48, "batch_size": 24}


def adaptive(folder):
    return quick_config(folder, targeting=TARGETING, sampling=SAMPLING)


class Stop(Exception):
    """Simulates the death of a worker."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run(adaptive(tmp_path_factory.mktemp("adaptive")), lambda step: None)


def test_it_launches_the_rollouts_of_its_pairs_within_the_budget(made):
    said = rows(
        made, "SELECT question, sum(launched), sum(greatest(0, 24 - visits)) FROM pairs GROUP BY ALL ORDER BY 1"
    )
    drawn = rows(made, "SELECT question, count(*) FROM rollouts WHERE stage = 'targeted' GROUP BY ALL ORDER BY 1")
    assert [(question, launched) for question, launched, _ in said] == drawn
    assert all(launched <= budget for _, launched, budget in said)


def test_chunks_come_one_after_the_other(made):
    chunks = rows(made, "SELECT question, list(DISTINCT chunk ORDER BY chunk) FROM rollouts "
                        "WHERE stage = 'targeted' GROUP BY ALL")  # fmt: skip
    assert chunks and all(numbers == list(range(len(numbers))) for _, numbers in chunks)
    assert max(len(numbers) for _, numbers in chunks) > 1


def test_every_pair_reaches_the_floor_and_some_get_more_than_others(made):
    pairs = rows(made, "SELECT visits + launched, launched FROM pairs")
    assert min(reached for reached, _ in pairs) > 0
    assert len({launched for _, launched in pairs}) > 2


@pytest.mark.parametrize("after", [1, 3, 5])
def test_resumed_run_equals_uninterrupted_run(made, tmp_path, after):
    seen = []

    def die(step):
        seen.append(step)
        if sum(one.stage == "targeted" and one.done > 0 for one in seen) == after:
            raise Stop

    config = adaptive(tmp_path)
    with pytest.raises(Stop):
        run(config, die)
    assert_same_results(made, run(config, lambda step: None))


def test_only_settings_of_the_allocation_in_use_change_the_run():
    config = load_config("paper")
    ids = [
        fingerprint(config.model_copy(update={"targeting": TargetingConfig(**changes)}), [], "")
        for changes in ({}, {"floor": 3}, {"allocation": "adaptive"}, {"allocation": "adaptive", "floor": 3})
    ]
    assert ids[0] == ids[1] and len(set(ids)) == 3
