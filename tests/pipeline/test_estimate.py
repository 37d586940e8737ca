"""The time of a run is estimated from its settings, with speeds from earlier runs or the benchmark."""

import pandas as pd
import pytest

from odd.config import PRESETS, ImportConfig, ModelConfig, parse_config
from odd.pipeline.estimate import benchmark_speed, estimate, measured_speed
from odd.pipeline.stages import Stage
from odd.store import RunReader, RunWriter
from tests.store.example_run import ROWS, RUN

DEMO = PRESETS["demo"]
SPEED = benchmark_speed(DEMO.student)
MINILLM = {"objectives": [{"name": "reverse_kl"}, {"name": "minillm"}]}


def changed(**sections):
    tree = DEMO.model_dump(mode="json")
    for section, changes in sections.items():
        tree[section] = tree[section] | changes if isinstance(changes, dict) else changes
    return parse_config(tree)


@pytest.mark.parametrize(
    "preset, questions, seconds, targeted", [("demo", 8, 83, 30_076), ("paper", 10, 88, 46_999)], ids=["demo", "paper"]
)
def test_the_benchmark_is_within_a_factor_of_two_of_the_measurement(preset, questions, seconds, targeted):
    guess = estimate(PRESETS[preset], questions, benchmark_speed(PRESETS[preset].student))
    assert seconds / 2 < guess.seconds < seconds * 2
    assert targeted / 2 < guess.targeted_rollouts < targeted * 2


def test_the_parts_make_up_the_whole():
    guess = estimate(DEMO, 8, SPEED)
    assert sum(guess.parts.values()) == pytest.approx(guess.seconds)
    assert guess.initial_rollouts == 8 * DEMO.sampling.initial_rollouts


@pytest.mark.parametrize(
    "more",
    [
        {"sampling": {"initial_rollouts": 400}},
        {"targeting": {"n_min": 120}},
        {"targeting": {"correct_paths": 4}},
        {"teachers": [*DEMO.model_dump(mode="json")["teachers"], {"name": "Late"}]},
    ],
)
def test_more_work_takes_longer(more):
    assert estimate(changed(**more), 8, SPEED).seconds > estimate(DEMO, 8, SPEED).seconds


def test_minillm_costs_a_reading_of_all_rollouts_by_the_student_and_every_teacher():
    plain, asked = (estimate(config, 8, SPEED) for config in (DEMO, changed(analysis=MINILLM)))
    assert plain.read_tokens == plain.parts[Stage.READ] == 0
    assert asked.read_tokens == pytest.approx(asked.parts[Stage.READ] * SPEED.reading_all)
    assert asked.seconds - plain.seconds == pytest.approx(asked.parts[Stage.READ])
    alone = estimate(changed(analysis=MINILLM, teachers=[]), 8, SPEED)
    assert asked.read_tokens == pytest.approx(5 * alone.read_tokens, rel=1e-3)
    assert alone.read_tokens > alone.targeted_rollouts


def test_a_run_that_read_its_rollouts_has_a_reading_speed(finished):
    config, path = finished
    with RunReader(path) as reader:
        drawn = measured_speed(reader, reader.meta, config.student)
        timings = reader.query("timings")
    read = pd.DataFrame([{"stage": "read", "seconds": 2.0, "items": 10, "tokens": 3000}])

    class Reads:
        run_id = "reads"

        def query(self, name):
            return pd.concat([timings, read]) if name == "timings" else facts

    with RunReader(path) as reader:
        facts, meta = reader.query("run_facts"), reader.meta
    assert drawn.reading_all == drawn.sampling
    assert measured_speed(Reads(), meta, config.student).reading_all == 1500


def test_imported_rollouts_take_no_time():
    imported = DEMO.model_copy(update={"imported": ImportConfig(files=("log.jsonl",))})
    drawn, there = (estimate(one, 8, SPEED) for one in (DEMO, imported))
    assert drawn.parts[Stage.INITIAL] > 0 == there.parts[Stage.INITIAL]


def test_short_responses_take_less():
    short = changed(sampling={"max_new_tokens": 8})
    assert estimate(short, 8, SPEED).seconds < estimate(DEMO, 8, SPEED).seconds


def test_more_questions_take_longer_in_proportion():
    one, ten = (estimate(DEMO, count, SPEED) for count in (1, 10))
    loading = one.parts["loading"]
    assert ten.seconds - loading == pytest.approx(10 * (one.seconds - loading), rel=1e-3)


def test_unmeasured_models_have_no_estimate():
    assert benchmark_speed(ModelConfig(name="./mine")) is None
    assert benchmark_speed(ModelConfig(name="tiny-s", device="cuda")) is None


def test_figures_of_a_run_give_its_own_rollouts_back(finished):
    config, path = finished
    with RunReader(path) as reader:
        speed = measured_speed(reader, reader.meta, config.student)
        drawn = int(reader.query("questions")["targeted_rollouts"].sum())
        paths = int(reader.query("run_facts")["paths"].iloc[0])
    each = config.targeting.correct_paths + config.targeting.incorrect_paths
    assert path.stem in speed.source
    assert estimate(config, 1, speed).targeted_rollouts * paths / each == pytest.approx(drawn, rel=0.02)


def test_a_run_gives_no_speed_for_another_student(finished):
    with RunReader(finished[1]) as reader:
        assert measured_speed(reader, reader.meta, ModelConfig(name="tiny-m")) is None
        assert measured_speed(reader, reader.meta, ModelConfig(dtype="bfloat16")) is None


@pytest.mark.parametrize("config", ["", "{", "[]", '{"student": 1}', "[" * 100_000])
def test_a_run_without_configuration_gives_no_speed(finished, config):
    with RunReader(finished[1]) as reader:
        assert measured_speed(reader, {"config": config}, ModelConfig()) is None


def test_an_unfinished_run_gives_no_speed(published):
    with RunReader(published) as reader:
        meta = {"config": DEMO.model_dump_json()}
        assert measured_speed(reader, meta, DEMO.student) is None


@pytest.fixture
def published(tmp_path):
    """A run with a few timings of zero items or seconds."""
    with RunWriter(tmp_path, RUN) as writer:
        for table in ("questions", "timings"):
            writer.insert(table, ROWS[table])
        writer.publish()
        return writer.published
