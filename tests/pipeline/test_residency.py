"""Models that take turns in memory give the same run as models that are loaded together."""

from collections import Counter
from pathlib import Path

from odd.config import ModelConfig, ModelsConfig
from odd.models import registry
from odd.models.residency import Residency
from odd.pipeline import teachers
from odd.pipeline.screening import screen
from odd.pipeline.worker import run
from tests.models import bigram_engine
from tests.runs import SCREENING, assert_same_results, quick_config, quick_screening_config, small_config


def in_turns(config, resident=1):
    return config.model_copy(update={"models": ModelsConfig(resident=resident)})


def test_a_run_with_one_model_at_a_time_has_the_same_tables_bit_for_bit(finished, tmp_path):
    path = run(in_turns(small_config(tmp_path)), lambda step: None)
    assert path.name == finished[1].name
    assert_same_results(finished[1], path)


def test_a_wave_loads_each_teacher_once(tmp_path, monkeypatch):
    loads, load = Counter(), registry.load_model

    def counted(config, cache):
        loads[config.label] += 1
        return load(config, cache)

    monkeypatch.setattr(teachers, "load_model", counted)
    config = in_turns(quick_config(tmp_path))
    run(config, lambda step: None)
    others = {model.label for one in config.teachers for model in (one.model, one.demonstrations) if model}
    # once to check it before the start
    assert others and all(loads[label] <= 2 for label in others)
    assert loads[config.student.label] <= 4


def test_no_more_models_are_loaded_than_allowed():
    residency = Residency({"cpu": 2})
    for name in "abc":
        residency.add(name, "cpu", lambda: bigram_engine.load(ModelConfig(name="c"), Path()))
    assert [residency.is_loaded(name) for name in "abc"] == [False, True, True]
    residency.get("a")
    assert [residency.is_loaded(name) for name in "abc"] == [True, False, True]


def test_a_screening_with_one_model_at_a_time_draws_the_same(quick_screened, tmp_path):
    path = screen(in_turns(quick_screening_config(tmp_path)), lambda step: None)
    assert_same_results(quick_screened[1], path, SCREENING)
