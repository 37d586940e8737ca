"""What a run takes is told before anything is loaded."""

import json
from pathlib import Path

import pytest

from odd.config import RunConfig, TeacherConfig, load_config
from odd.errors import OddError
from odd.models.base import ModelSize
from odd.models.registry import load_model, model_size
from odd.pipeline import budget as module
from odd.pipeline.budget import budget, resident_models, turns
from odd.pipeline.estimate import Speed, benchmark_speed

GB = 10**9
SIZES = {"small": 2 * GB, "large": 8 * GB, "larger": 20 * GB}


@pytest.fixture
def three(monkeypatch):
    """A run of three models of known sizes, and a function that sets the free memory."""

    def sized(config, cache):
        return ModelSize(weights=SIZES[config.name], last_layer=GB // 10, token=1000, vocabulary=1000)

    monkeypatch.setattr(module, "model_size", sized)
    teachers = [{"name": name, "model": {"name": name}} for name in ("large", "larger")]
    config = RunConfig.model_validate({"student": {"name": "small"}, "teachers": teachers})
    return config, lambda free: monkeypatch.setattr(module, "available_memory", lambda device: free)


@pytest.mark.parametrize(("free", "most"), [(40, None), (29, {"cpu": 2}), (22, {"cpu": 1})])
def test_as_many_models_are_loaded_as_fit(three, free, most):
    config, set_free = three
    set_free(free * GB)
    assert resident_models(config) == most
    assert (turns(config) is None) == (most is None)


def test_the_largest_model_must_fit(three):
    config, set_free = three
    set_free(19 * GB)
    with pytest.raises(OddError, match=r"largest model on cpu .* more than the 19.00 GB that are free"):
        resident_models(config)


def test_the_number_of_models_in_memory_can_be_set(three):
    config, set_free = three
    set_free(40 * GB)
    assert resident_models(RunConfig.model_validate(config.model_dump() | {"models": {"resident": 2}})) == {"cpu": 2}


def test_models_on_different_devices_do_not_compete(three):
    config, set_free = three
    set_free(20.9 * GB)
    elsewhere = config.teachers[1].model_copy(
        update={"model": config.teachers[1].model.model_copy(update={"device": "cuda"})}
    )
    assert resident_models(config.model_copy(update={"teachers": (config.teachers[0], elsewhere)})) is None


def test_the_size_of_a_model_is_that_of_its_weights(tmp_path):
    config = load_config().student
    model = load_model(config, tmp_path).scorer.model
    found = model_size(config, tmp_path)
    weights = sum(weight.nbytes for weight in model.parameters())
    assert weights < found.weights < 2 * weights  # on CPUs, linear layers are copied
    assert found.last_layer == model.get_output_embeddings().weight.nbytes


def test_the_size_of_an_unknown_model_is_unknown(tmp_path):
    assert model_size(load_config().student.model_copy(update={"name": "no/such"}), tmp_path) is None


def test_amounts_grow_with_the_questions():
    config = load_config()
    speed = benchmark_speed(config.student)
    one, ten = (budget(config, questions, speed) for questions in (10, 100))
    for name in ("initial_rollouts", "targeted_rollouts", "sampled_tokens", "path_tokens", "student_passes"):
        assert getattr(ten, name) == pytest.approx(10 * getattr(one, name), rel=0.01)
    assert one.seconds < ten.seconds and one.file < ten.file < 10 * one.file


def test_without_a_known_speed_every_response_is_counted_at_its_limit():
    config = load_config()
    found = budget(config, 8, None)
    assert found.seconds is None and "at its limit" in found.source
    assert found.path_tokens == 8 * 4 * config.sampling.max_new_tokens


def test_the_file_of_the_example_run_is_estimated_within_a_factor_of_two():
    (example,) = Path("cache").glob("example-*.duckdb")
    config = load_config(file=Path("cache/example.toml"))
    speed = Speed("the run", 1, 1, 1, 1, length=52.0, rest=0.49, fill=1.33)
    assert 0.5 < budget(config, 4, speed).file / example.stat().st_size < 2


def test_the_lines_can_be_read_by_programs(tmp_path):
    found = budget(load_config(), 8, None)
    assert json.loads(json.dumps(found.to_json()))["fits"] is True
    assert [what for what, _ in found.lines()][:3] == ["questions", "rollouts", "sampled tokens"]


def test_a_teacher_that_is_the_student_takes_no_memory(three):
    config, set_free = three
    set_free(3 * GB)
    own = config.model_copy(update={"teachers": (TeacherConfig(name="Self-1C", context="1c"),)})
    assert resident_models(own) is None
