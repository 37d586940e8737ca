"""Configurations are validated, survive a JSON round trip, and are identified by what determines the rollouts."""

import json
from pathlib import Path

import pytest

from odd.config import (
    PRESETS,
    AnalysisConfig,
    Convention,
    ModelConfig,
    RunConfig,
    fingerprint,
    load_config,
    objective,
    parse_config,
    shareable,
)
from odd.config.teachers import TeacherConfig, Templates
from odd.errors import OddError

QUESTIONS = [{"id": "a", "question": "What is 1+1?", "answer": "2", "kind": "number"}]


def refused(*overrides, **others):
    with pytest.raises(OddError) as caught:
        load_config(overrides=overrides, **others)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_a_json_round_trip(name):
    config = load_config(name)
    assert parse_config(json.loads(config.model_dump_json())) == config == PRESETS[name]


def test_the_paper_preset_has_the_numbers_of_the_paper():
    paper = PRESETS["paper"]
    assert paper.sampling.initial_rollouts == 200 and paper.sampling.temperature == 1
    assert paper.analysis.n_sig == 20
    targeting = paper.targeting
    assert (targeting.n_min, targeting.tau, targeting.first_window) == (100, 0.02, 50)
    assert (targeting.correct_paths, targeting.incorrect_paths) == (2, 2)
    assert Convention(pooling="pooled", baseline="full", rest="off") in paper.analysis.conventions


def test_the_file_changes_the_preset_and_overrides_change_the_file(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('title = "mine"\n[sampling]\nseed = 5\ntemperature = 0.7\n')
    config = load_config("paper", file, ("sampling.seed=9", "student.name=tiny-m"))
    assert (config.title, config.student.name) == ("mine", "tiny-m")
    assert (config.sampling.seed, config.sampling.temperature) == (9, 0.7)
    assert config.sampling.initial_rollouts == PRESETS["paper"].sampling.initial_rollouts


def test_the_limit_of_a_preset_does_not_apply_to_other_questions():
    assert load_config("paper", overrides=("questions.source=mine.jsonl",)).questions.limit is None
    asked = load_config("paper", overrides=("questions.source=mine.jsonl", "questions.limit=3"))
    assert (asked.questions.source, asked.questions.limit) == ("mine.jsonl", 3)


def test_an_override_may_be_any_toml_value():
    config = load_config(overrides=('teachers=[{name="a", context="1c"}]', 'analysis.poolings=["pooled"]'))
    assert [teacher.context for teacher in config.teachers] == ["1c"]
    assert {convention.pooling for convention in config.analysis.conventions} == {"pooled"}


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("sampling.sead=1", "sampling.sead"),
        ("sampling.nothing.at.all=1", "sampling.nothing"),
        ("sampling.seed=-1", "sampling.seed"),
        ("sampling.temperature=inf", "sampling.temperature"),
        ("sampling.temperature=1e-30", "sampling.temperature"),
        ("targeting.tau=1", "targeting.tau"),
        ("student=tiny-m", "student"),
        ("student.name=", "student.name"),
        ("student.device=gpu", "cuda"),
        ("student.dtype=int8", "float32"),
        ("title=Two\nlines", "title"),
        ("analysis.poolings=[]", "analysis.poolings"),
        ('teachers=[{name="<b>"}]', "teachers.0.name"),
        ('teachers=[{name="a"}, {name="a", context="1c"}]', "'a'"),
        ('teachers=[{name="a", context="7c"}]', "teachers.0.context"),
        ('teachers=[{name="a", demonstrations={name="tiny-l"}}]', "context is none"),
        ('teachers=[{name="a", context="1c", summarizer={name="tiny-l"}}]', "sum_"),
        ('teachers=[{name="a", context="1c", template={instruction="x"}}]', "'instruction'"),
        ('teachers=[{name="a", context="1c", template={message="x"}}]', "$examples"),
        ('teachers=[{name="Self-3C", context="1c"}]', "'Self-3C'"),
        ('templates.example="$text $else"', "$label"),
        ('screening.teachers=[{name="a", model={name="tiny-l"}}]', "'a'"),
        ("demonstrations.tries=15", "multiple of 10"),
        ('analysis.objectives=[{name="forward_kl"}, {name="forward_kl", k=3}]', "'forward_kl'"),
        ('analysis.rests=["off", "off"]', "on_policy-full-off"),
        ("seed", "section.key=value"),
        ("=3", "section.key=value"),
        ("a..b=3", "section.key=value"),
    ],
)
def test_an_invalid_override_gives_one_line_that_names_it(override, named):
    assert named in refused(override)


def test_an_unknown_preset_lists_the_available_ones():
    assert all(name in refused(preset="nope") for name in PRESETS)


def test_malformed_toml_is_reported_with_its_position(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("title = 'a'\nseed = = 3\n")
    assert "line 2" in refused(file=file)


def test_the_output_of_show_config_can_be_loaded(tmp_path):
    file = tmp_path / "run.json"
    config = load_config("paper", overrides=("questions.limit=3", "templates.closing='\x7f'"))
    file.write_text(config.model_dump_json(indent=2))
    assert load_config("demo", file) == config


def test_the_cache_folder_comes_from_the_environment_unless_set(monkeypatch):
    monkeypatch.delenv("ODD_CACHE", raising=False)
    assert load_config().cache == Path("cache")
    monkeypatch.setenv("ODD_CACHE", "/somewhere/else")
    assert load_config().cache == Path("/somewhere/else")
    assert load_config(overrides=("cache='here'",)).cache == Path("here")


@pytest.mark.parametrize("suffix", [".toml", ".json"])
@pytest.mark.parametrize("content", [None, b"\xff\xfe", b'"line\\nbreak" = 1', b"[1]"])
def test_an_unusable_file_gives_a_one_line_error(tmp_path, content, suffix):
    file = tmp_path / f"run{suffix}"
    if content is not None:
        file.write_bytes(content)
    assert refused(file=file)


def changed(**sections):
    """Return the default configuration with some settings replaced."""
    tree = RunConfig().model_dump(mode="json")
    for section, value in sections.items():
        tree[section] = {**tree[section], **value} if isinstance(value, dict) else value
    return fingerprint(parse_config(tree), QUESTIONS, "digest")


@pytest.mark.parametrize(
    "change",
    [
        {"student": {"name": "tiny-m"}},
        {"student": {"device": "cuda"}},  # another device rounds differently, so it samples differently
        {"student": {"dtype": "bfloat16"}},
        {"student": {"thinking_marks": ["<reason>", "</reason>"]}},
        {"sampling": {"seed": 1}},
        {"sampling": {"batch_size": 7}},
        {"sampling": {"temperature": 0.9}},
        {"targeting": {"n_min": 7}},
        {"targeting": {"tau": 0.5}},
        {"templates": {"instruction": "Answer."}},
        {"screening": {"rollouts": 16}},  # the first chunk of initial rollouts comes from the screening
        {"demonstrations": {"temperature": 1.0}},
        {"teachers": []},  # all teachers take part in the choice of forced tokens
        {"teachers": [{"name": "tiny-l", "model": {"name": "tiny-l"}, "temperature": 0.5}]},
    ],
)
def test_what_determines_the_rollouts_changes_the_fingerprint(change):
    assert changed(**change) != changed()


@pytest.mark.parametrize(
    "change",
    [
        {"analysis": {"n_sig": 7}},
        {"templates": {"heading": "Examples"}},
        {"screening": {"context_rollouts": 8, "teachers": []}},
        {"demonstrations": {"tries": 100}},
        {"cache": "elsewhere"},
        {"title": "other"},
        {"questions": {"source": "the same questions under another name"}},
    ],
)
def test_settings_that_can_change_later_leave_the_fingerprint(change):
    assert changed(**change) == changed()


def test_teachers_that_are_no_guides_leave_the_fingerprint():
    teachers = RunConfig().model_dump(mode="json")["teachers"]
    late = {"name": "Late", "context": "3c"}
    guides = {"guides": [teacher["name"] for teacher in teachers]}
    assert changed(teachers=[*teachers, late], targeting=guides) == changed()
    assert changed(teachers=[*teachers, late]) != changed()


def test_names_and_order_of_the_guides_leave_the_fingerprint():
    teachers = RunConfig().model_dump(mode="json")["teachers"]
    renamed = [teacher | {"name": f"my {teacher['name']}"} for teacher in reversed(teachers)]
    assert changed(teachers=renamed) == changed()


def test_a_guide_is_a_teacher():
    assert "Nobody" in refused('targeting.guides=["Nobody"]')


def test_the_questions_themselves_are_in_the_fingerprint():
    more = [*QUESTIONS, {**QUESTIONS[0], "id": "b"}]
    reworded = [{**QUESTIONS[0], "question": "What is 1 + 1?"}]
    assert len({fingerprint(RunConfig(), questions, "digest") for questions in (QUESTIONS, more, reworded)}) == 3


def test_the_students_weights_are_in_the_fingerprint():
    assert fingerprint(RunConfig(), QUESTIONS, "one") != fingerprint(RunConfig(), QUESTIONS, "other")


def test_the_label_names_settings_that_differ_from_the_defaults():
    assert ModelConfig(name="big").label == "big"
    assert ModelConfig(name="big", device="cuda", thinking=True).label == "big [cuda, thinking]"
    assert ModelConfig(name="big", engine="served").label == "big [served]"


def test_default_labels_are_unique():
    analysis = AnalysisConfig()
    for labelled in (analysis.objectives, analysis.conventions):
        assert len({one.label for one in labelled}) == len(labelled)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("jsd", {"beta": 0.1}),
        ("topk_reverse_kl", {"k": 8}),
        ("topk_reverse_kl", {"support": "union"}),
        ("topk_forward_kl", {"tail": "renormalize"}),
        ("minillm", {"gamma": 0.5}),
        ("minillm", {"length_normalization": True}),
        ("reverse_kl", {"temperature": 2}),
    ],
)
def test_parameters_that_matter_are_in_the_label(name, change):
    assert objective(name).label != objective(name, **change).label


def test_teachers_score_all_rollouts_only_for_minillm():
    assert AnalysisConfig().reading_temperatures == ()
    asked = [objective("minillm", gamma=gamma, temperature=t) for gamma, t in ((0, 2), (1, 2), (1, 1))]
    assert AnalysisConfig(objectives=tuple(asked)).reading_temperatures == (1, 2)


def test_conventions_are_every_combination():
    analysis = AnalysisConfig()
    assert len(analysis.conventions) == len(analysis.poolings) * len(analysis.baselines) * len(analysis.rests)


def test_a_teacher_replaces_parts_of_the_runs_wording():
    run = Templates(heading="Examples", closing="Now you.")
    teacher = TeacherConfig(name="a", context="1c", template={"closing": "Go."})
    assert (teacher.templates(run).heading, teacher.templates(run).closing) == ("Examples", "Go.")


def test_the_paper_preset_has_the_papers_teachers_and_screens_six_contexts():
    paper = PRESETS["paper"]
    kinds = [(teacher.context, teacher.demonstrations is not None) for teacher in paper.screened]
    assert kinds == [(k, False) for k in ("1c", "1c1w", "sum_1c", "sum_1c1w")] + [("1c", True), ("3c", False)]
    assert [teacher.model.name for teacher in paper.teachers if teacher.model] == ["tiny-l", "tiny-m", "tiny-xl"]


def test_a_teacher_of_the_run_is_screened_once():
    config = load_config(overrides=('teachers=[{name="Self-3C", context="3c"}]',))
    assert [teacher.name for teacher in config.screened] == ["Self-3C"]


def test_configurations_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().sampling.seed = 3  # pyright: ignore


def test_what_is_sent_to_others_names_files_without_folders():
    config = parse_config({
        "questions": {"source": "/home/ann/secret/q.jsonl?limit=5"},
        "imported": {"files": ["/home/ann/logs/1.jsonl", "logs/2.jsonl"]},
    })  # fmt: skip
    sent = shareable(config)
    assert sent.questions.source == "q.jsonl?limit=5"
    assert sent.imported is not None and sent.imported.files == ("1.jsonl", "logs/2.jsonl")
    assert shareable(sent) == sent
