"""`odd check` finds what would make a run fail or be worthless, and passes what is sound."""

import dataclasses
import json

import numpy as np
import pytest

from odd.config import ModelConfig, TeacherConfig
from odd.errors import OddError
from odd.models.registry import load_model
from odd.pipeline.checks import check, prompts, scores
from odd.pipeline.checks.sample import Sample, rollout_findings, round_trip_findings, sampled
from odd.pipeline.teachers import Models
from odd.questions.sources import load_questions
from tests.runs import quick_config

OTHER = TeacherConfig(name="other", model=ModelConfig(name="b", engine="bigrams"))


def found(config):
    return {finding.check: finding for finding in check(config)}


def bad(findings):
    return {one.check: one for one in findings if one.verdict != "ok"}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return quick_config(
        tmp_path_factory.mktemp("check"), teachers=[OTHER.model_dump(), {"name": "self", "context": "1c"}]
    )


@pytest.fixture(scope="module")
def student(config):
    return load_model(config.student, config.cache)


@pytest.fixture(scope="module")
def samples(config, student):
    return sampled(config, load_questions(config.questions), student)[0]


@pytest.fixture(scope="module")
def teacher(config):
    return Models(config, config.cache).teacher(OTHER)


class Changed:
    """A scorer with a change to the distributions along each response."""

    def __init__(self, scorer, change):
        self.scorer, self.change = scorer, change

    def __getattr__(self, name):
        return getattr(self.scorer, name)

    def read(self, prompt, responses, temperature=1.0):
        yield self.change(np.concatenate(list(self.scorer.read(prompt, responses, temperature))))


def with_change(model, change):
    return dataclasses.replace(model, scorer=Changed(model.scorer, change))


def scored(config, teacher, student, samples):
    return list(scores.teacher_scores(config, OTHER, teacher, student, samples))


def test_a_teacher_is_shown_the_solution_of_the_question_in_a_check(config, student, samples):
    solved = TeacherConfig(name="solved", context="solution")
    [finding, *_] = prompts.teacher_prompt(config, solved, student, student, samples)
    assert finding.verdict == "warning" and "the question has no solution" in finding.text
    question = samples[0].question.model_copy(update={"solution": "It is in 213."})
    given = [dataclasses.replace(samples[0], question=question), *samples[1:]]
    [finding, *_] = prompts.teacher_prompt(config, solved, student, student, given)
    assert finding.verdict == "ok" and "It is in 213." in dict(finding.shown)["solved"]


def test_a_sound_run_has_all_checks_and_no_error(config):
    findings = found(config)
    names = [
        "questions",
        "student",
        "prompt",
        "window",
        "rollouts",
        "end of turn",
        "round trip",
        "engine gap",
        "memory",
    ]
    names += [f"{check} of other" for check in ("vocabulary", "prompt", "window", "template", "lag", "top-16", "level")]
    assert {*names, "time", "prompt of self", "clamped top-16 loss of self"} <= findings.keys()
    assert not [one for one in findings.values() if one.verdict == "error"]


def test_findings_are_plain_json(config):
    for finding in check(config):
        assert json.loads(json.dumps(finding.to_json()))["check"] == finding.check
        assert "\n" not in finding.text + finding.remedy


def test_prompts_are_shown_beside_the_students(config):
    (ours, own), (name, other) = found(config)["prompt of self"].shown
    assert (ours, name) == ("student", "self") and "Worked examples" in other and "Worked examples" not in own


def test_a_rollout_is_shown_with_its_verdict(config):
    headings = [heading for heading, _ in found(config)["rollouts"].shown]
    assert len(headings) == 9 and all(heading.endswith(("correct", "wrong")) for heading in headings)


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({"questions": {"source": "nothing.jsonl"}}, "questions and student", "file not found"),
        ({"student": {"name": "x", "engine": "fax"}}, "questions and student", "no engine 'fax'"),
        ({"teachers": [{"name": "t", "model": {"name": "tiny-s"}}]}, "vocabulary of t", "differ"),
    ],
)
def test_what_would_end_the_run_is_an_error(tmp_path, changes, name, said):
    finding = found(quick_config(tmp_path, **changes))[name]
    assert finding.verdict == "error" and said in finding.text


def test_a_teacher_that_cannot_be_used_does_not_hide_the_others(tmp_path):
    teachers = [{"name": "t", "model": {"name": "tiny-s"}}, OTHER.model_dump()]
    findings = found(quick_config(tmp_path, teachers=teachers))
    assert findings["vocabulary of t"].verdict == "error" and "lag of other" in findings


def test_scores_of_the_same_positions_pass(config, teacher, student, samples):
    assert "lag of other" not in bad(scored(config, teacher, student, samples))


@pytest.mark.parametrize("lag", [-1, 0, 1])
def test_scores_that_are_one_position_off_are_noticed(lag):
    own = list(np.random.default_rng(0).normal(-1, 1, (4, 20)))
    nothing = [np.ones(20)] * 4
    rows = scores.Rows(own, [np.roll(one, lag) for one in own], nothing, nothing, nothing)
    found = bad(scores.findings_of(rows, "other"))
    assert ("lag of other" in found) == (lag != 0)
    assert lag == 0 or f"1.00 at lag {lag:+d}" in found["lag of other"].text


def test_tokens_without_probability_are_noticed(config, teacher, student, samples):
    def without(rows):
        rows[:, samples[0].rollouts[0].token_ids[0]] = -np.inf
        return rows

    finding = bad(scored(config, with_change(teacher, without), student, samples))["finite scores of other"]
    assert "without a finite log-probability" in finding.text


def test_a_teacher_far_below_the_student_is_noticed(config, student, samples):
    reversed_ = with_change(student, lambda rows: rows[:, ::-1].copy())
    assert "another prompt" in bad(scored(config, reversed_, student, samples))["level of other"].remedy


def test_mass_outside_the_top_k_is_noticed(config, student, samples):
    flat = with_change(student, lambda rows: np.full_like(rows, -np.log(rows.shape[1])))
    assert "16.7%" in bad(scored(config, flat, student, samples))["top-16 of other"].text  # 16 of 96 tokens


def test_the_lost_share_counts_positions_where_the_student_has_more_mass():
    q = np.log(np.array([0.5, 0.3, 0.2]))
    assert scores._position(np.log(np.array([0.6, 0.35, 0.05])), q, 0)[4] == 0.0  # a whole vocabulary is never negative
    wide = np.log(np.full(40, 1 / 40))
    concentrated = np.log(np.r_[np.full(16, 0.9 / 16), np.full(24, 0.1 / 24)])
    assert scores._position(concentrated, wide, 0)[2:] == pytest.approx((0.9, 0.4, 1.0))


def test_a_gap_between_sampler_and_scorer_is_noticed(config, student, samples):
    off = [
        Sample(
            one.question, one.prompt, [dataclasses.replace(r, log_probs=r.log_probs / 2 - 0.3) for r in one.rollouts]
        )
        for one in samples
    ]
    assert not bad(scores.student_scores(config, student, samples))
    assert "engine gap" in bad(scores.student_scores(config, student, off))


def changed(samples, **fields):
    return [
        Sample(one.question, one.prompt, [dataclasses.replace(rollout, **fields) for rollout in one.rollouts])
        for one in samples
    ]


@pytest.mark.parametrize(
    ("fields", "remedy"),
    [
        ({"truncated": True, "answer": None, "correct": False}, "raise sampling.max_new_tokens"),
        ({"answer": None, "correct": False}, "ask for one"),
        ({"correct": False}, "choose easier questions"),
        ({"correct": True}, "choose harder questions"),
        ({"token_ids": np.array([5, 6], np.int32)}, "eos_token_id"),
    ],
)
def test_rollouts_from_which_nothing_can_be_learnt_are_noticed(config, student, samples, fields, remedy):
    remedies = [one.remedy for one in rollout_findings(changed(samples, **fields), config, student)]
    assert any(remedy in one for one in remedies)


def test_texts_that_do_not_survive_encoding_are_noticed(student, samples):
    assert bad(round_trip_findings(samples, student))  # the fake tokenizer adds "Answer: "


def test_a_prompt_that_does_not_fit_is_an_error(config, student):
    class Narrow(Changed):
        max_context = 40

    narrow = dataclasses.replace(student, scorer=Narrow(student.scorer, None))
    finding = bad(prompts.student_prompt(config, load_questions(config.questions), narrow))["window"]
    assert finding.verdict == "error" and "in a window of 40" in finding.text


def test_a_question_that_the_prompt_leaves_out_is_an_error(config, student):
    class Silent:
        def __getattr__(self, name):
            return getattr(student.tokenizer, name)

        def render_chat(self, messages):
            return "assistant: "

    silent = dataclasses.replace(student, tokenizer=Silent())
    finding = bad(prompts.student_prompt(config, load_questions(config.questions), silent))["prompt"]
    assert finding.verdict == "error" and "leaves the question out" in finding.remedy


def test_a_teacher_with_another_template_is_noticed(config, student, teacher, samples):
    class Other:
        def __init__(self, fails):
            self.fails = fails

        def __getattr__(self, name):
            return getattr(teacher.tokenizer, name)

        def render_chat(self, messages):
            if self.fails:
                raise OddError("it rejects system messages")
            return "<think>\n</think>" + teacher.tokenizer.render_chat(messages)

    for fails, said in ((False, "writes another prompt"), (True, "rejects system messages")):
        other = dataclasses.replace(teacher, tokenizer=Other(fails))
        finding = bad(prompts.teacher_prompt(config, OTHER, other, student, samples))["template of other"]
        assert said in finding.text


def test_a_context_without_a_response_to_show_is_noticed(config, student, samples):
    wrong = changed(samples, correct=False)
    context = TeacherConfig(name="self", context="1c")
    finding = bad(prompts.teacher_prompt(config, context, student, student, wrong))["prompt of self"]
    assert "a correct response is missing" in finding.text


def of_same_weights(config, student, samples, model, **settings):
    """The self-check of a teacher that has the student's weights under another name."""
    same = TeacherConfig(name="folder", model=ModelConfig(name="folder"), **settings)
    found = scores.teacher_scores(config, same, model, student, samples)
    return [one for one in found if one.check == "self-check of folder"]


def test_a_teacher_with_the_students_weights_must_score_like_the_student(config, student, samples):
    [finding] = of_same_weights(config, student, samples, student)
    assert finding.verdict == "ok"
    [finding] = of_same_weights(config, student, samples, with_change(student, lambda rows: rows / 2))
    assert finding.verdict == "warning" and finding.remedy


def test_another_temperature_or_other_weights_are_no_self_check(config, student, samples, teacher):
    assert not of_same_weights(config, student, samples, student, temperature=0.5)
    assert not of_same_weights(config, student, samples, teacher)
