"""Demonstrations are sampled from their source, verified, stored in the run, and shared by teachers."""

import json
import shutil
from pathlib import Path

import pytest

import odd.models.transformers.language_model
from odd.config import ModelConfig, TeacherConfig
from odd.errors import OddError
from odd.models.transformers.engine import TransformersEngine
from odd.pipeline.worker import add_teachers, run
from odd.rollouts.sampling import sample_chunk
from tests.runs import ROLLOUTS, TINY_M, rows, small_config

TRIES = "SELECT question, source, attempt, text, correct FROM demonstrations ORDER BY question, source, attempt"
HELPED = [
    TeacherConfig(name="Self-1C (tiny-m)", context="1c", demonstrations=ModelConfig(**TINY_M)),
    TeacherConfig(name="Self-Sum-1C", context="sum_1c", summarizer=ModelConfig(**TINY_M)),
]


@pytest.fixture
def copied(finished, tmp_path):
    """A finished run in its own cache: the cache and the name."""
    shutil.copy(finished[1], tmp_path)
    return tmp_path, finished[1].stem


@pytest.fixture(scope="module")
def helped(finished, tmp_path_factory):
    """The finished run with teachers whose demonstrations a larger model writes, and everything sampled for them."""
    folder = tmp_path_factory.mktemp("helped")
    shutil.copy(finished[1], folder)
    drawn, sample = [], TransformersEngine.sample

    def note(self, prefixes, limits, temperature, *how):
        drawn.append((self.name, len(prefixes), temperature))
        return sample(self, prefixes, limits, temperature, *how)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TransformersEngine, "sample", note)
        return add_teachers(folder, finished[1].stem, HELPED, lambda step: None), drawn


def shown(path, teacher):
    """Demonstrations of a teacher by question, if it has a context."""
    sql = f"SELECT question, demonstrations FROM contexts WHERE available AND teacher = '{teacher}'"
    return {question: json.loads(text) for question, text in rows(path, sql)}


def test_teachers_of_one_source_are_shown_the_same_tries(finished):
    one, both = shown(finished[1], "Self-1C"), shown(finished[1], "Self-1C1W")
    assert one and all(both[question][0] == one[question][0] for question in both)
    tries = {(question, text): correct for question, _, _, text, correct in rows(finished[1], TRIES)}
    for question, demonstrations in both.items():
        for demonstration in demonstrations:
            assert tries[question, demonstration["text"]] == demonstration["correct"]
            assert demonstration["source"] == "tiny-s"


def test_tries_are_drawn_in_batches_at_their_temperature_and_end_when_there_is_enough(finished):
    found = rows(finished[1], "SELECT count(*), max(chunk) + 1, min(temperature), max(temperature) FROM demonstrations "
                 "GROUP BY question")  # fmt: skip
    assert found
    for tries, batches, low, high in found:
        assert tries == 10 * batches <= 60
        assert low == high == 0.7


def test_a_path_is_not_shown_if_there_is_an_alternative(finished):
    told = rows(finished[1], "SELECT count(*) FROM contexts AS c JOIN paths AS p USING (question) "
                "JOIN rollouts AS r USING (question, rollout) WHERE c.available AND c.reason IS NULL "
                "AND contains(c.demonstrations::VARCHAR, to_json(r.text)::VARCHAR)")  # fmt: skip
    assert told == [(0,)]


def test_a_larger_model_writes_what_is_shown(helped):
    path, _ = helped
    written = shown(path, "Self-1C (tiny-m)")
    tries = {text for question, source, _, text, correct in rows(path, TRIES) if source == "tiny-m" and correct}
    assert written and all(one["text"] in tries and one["source"] == "tiny-m" for (one,) in written.values())


def test_a_summary_keeps_the_outcome_and_stores_its_response(helped):
    path, _ = helped
    own = shown(path, "Self-1C")
    summarised = shown(path, "Self-Sum-1C")
    assert summarised
    for question, (one,) in summarised.items():
        assert one["response"] == own[question][0]["text"] != one["text"]
        assert (one["source"], one["summarizer"]) == ("tiny-s", "tiny-m")
    texts = dict(rows(path, "SELECT text, tries FROM summaries"))
    assert all(texts[one["text"]] >= 1 for (one,) in summarised.values())


def test_adding_teachers_samples_only_demonstrations(helped, finished):
    path, drawn = helped
    assert drawn and {name for name, _, _ in drawn} == {"tiny-m"}
    assert {temperature for _, _, temperature in drawn} == {0.7}
    assert repr(rows(path, ROLLOUTS)) == repr(rows(finished[1], ROLLOUTS))
    own = [row for row in rows(path, TRIES) if row[1] == "tiny-s"]
    assert own == rows(finished[1], TRIES)


def test_stored_demonstrations_are_not_sampled_again(helped, tmp_path, monkeypatch):
    path = Path(shutil.copy(helped[0], tmp_path))
    monkeypatch.setattr(TransformersEngine, "sample", lambda *_, **__: pytest.fail("sampled"))
    again = [one.model_copy(update={"name": f"{one.name} again"}) for one in HELPED]
    added = add_teachers(tmp_path, path.stem, again, lambda step: None)
    for one in HELPED:
        assert shown(added, f"{one.name} again") == shown(added, one.name)


def test_a_writer_with_other_weights_is_refused(helped, tmp_path, monkeypatch):
    path = Path(shutil.copy(helped[0], tmp_path))
    digest = odd.models.transformers.language_model.model_digest
    changed = lambda model, tokenizer: "x" if "tiny-m" in model.name_or_path else digest(model, tokenizer)  # noqa: E731
    monkeypatch.setattr(odd.models.transformers.language_model, "model_digest", changed)
    both = TeacherConfig(name="Late", context="sum_1c1w", summarizer=ModelConfig(name="tiny-m"))
    with pytest.raises(OddError, match="'tiny-m' that writes demonstrations has changed"):
        add_teachers(tmp_path, path.stem, [both], lambda step: None)


def test_a_context_that_does_not_fit_is_refused_for_its_question_with_the_reason(copied):
    long = TeacherConfig(name="Long", context="1c", template={"closing": "Think. " * 600})
    path = add_teachers(*copied, [long], lambda step: None)
    told = rows(path, "SELECT DISTINCT available, reason FROM contexts WHERE teacher = 'Long' AND question < 2")
    assert all(not available and "do not fit the window of 1024" in reason for available, reason in told)


def test_without_a_wrong_try_a_contrast_cannot_be_shown(tmp_path, monkeypatch):
    def only_right(*arguments, **named):
        made = sample_chunk(*arguments, **named)
        return [one for one in made if one.correct] or made

    monkeypatch.setattr("odd.pipeline.demonstrations.sample_chunk", only_right)
    path = run(small_config(tmp_path, demonstrations={"tries": 10}), lambda step: None)
    told = rows(path, "SELECT reason FROM contexts WHERE teacher = 'Self-1C1W' AND question = 1")
    assert "no wrong response among" in told[0][0] and "tries of tiny-s" in told[0][0]


def test_a_summary_that_loses_the_outcome_is_not_shown(copied, monkeypatch):
    def cut(*arguments, **named):
        return [one.__class__(**{**vars(one), "truncated": True}) for one in sample_chunk(*arguments, **named)]

    monkeypatch.setattr("odd.pipeline.demonstrations.sample_chunk", cut)
    path = add_teachers(*copied, HELPED[1:], lambda step: None)
    told = rows(path, "SELECT DISTINCT reason FROM contexts WHERE teacher = 'Self-Sum-1C' AND question < 2")
    assert told == [("no summary by tiny-m of a correct response is correct in 8 tries",)]
    assert rows(path, "SELECT DISTINCT text, tries FROM summaries") == [(None, 8)]


def test_templates_come_from_the_run_and_the_teacher(tmp_path):
    teachers = [
        {"name": "Plain", "context": "1c"},
        {"name": "Own", "context": "1c", "template": {"heading": "Look here"}},
    ]
    templates = {"instruction": "Work it out, then write Answer: X.", "heading": "Samples"}
    config = small_config(tmp_path, teachers=teachers, templates=templates)
    path = run(config, lambda step: None)
    prompts = dict(rows(path, "SELECT teacher, prompt_text FROM contexts WHERE available AND question = 1"))
    assert "\nSamples\n" in prompts["Plain"] and "Look here" not in prompts["Plain"]
    assert "\nLook here\n" in prompts["Own"] and "Samples" not in prompts["Own"]
    asked = [prompt for (prompt,) in rows(path, "SELECT prompt_text FROM questions")]
    assert all(templates["instruction"] in prompt for prompt in (*asked, *prompts.values()))
    with pytest.raises(OddError, match="other templates"):
        run(small_config(tmp_path, teachers=teachers, templates=templates | {"heading": "Others"}), lambda step: None)
