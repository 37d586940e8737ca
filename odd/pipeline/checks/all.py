"""All checks, in order of cost: settings and models, prompts, rollouts, scores, memory and time."""

from collections.abc import Iterator

from odd.config import RunConfig
from odd.errors import OddError
from odd.models.base import LanguageModel
from odd.pipeline.checks.costs import cost_findings
from odd.pipeline.checks.finding import Finding
from odd.pipeline.checks.prompts import student_prompt, teacher_prompt
from odd.pipeline.checks.sample import rollout_findings, round_trip_findings, sampled
from odd.pipeline.checks.scores import student_scores, teacher_scores
from odd.pipeline.teachers import Models
from odd.questions.sources import load_questions


def check(config: RunConfig) -> Iterator[Finding]:
    """Yield what the checks of a run find, as they find it. An error in one check does not keep others from running."""
    try:
        questions = load_questions(config.questions)
        yield Finding("questions", "ok", f"{len(questions):,} questions; the first is {questions[0].id!r}")
        models = Models(config, config.cache)
    except OddError as error:
        yield _error("questions and student", error)
        return
    student = models.student
    ends = student.tokenizer.token_bytes(student.tokenizer.end_token).decode(errors="replace")
    size = student.scorer.vocabulary_size
    yield Finding("student", "ok", f"{student.name}: {size:,} tokens; a response ends with {ends}")
    teachers: dict[str, LanguageModel] = {}
    for teacher in config.teachers:
        try:
            teachers[teacher.name] = model = models.teacher(teacher)
            for writer in (teacher.demonstrations, teacher.summarizer):
                models.writer(writer)
            yield Finding(f"vocabulary of {teacher.name}", "ok", _vocabulary(student, model))
        except OddError as error:
            yield _error(f"vocabulary of {teacher.name}", error)
    try:
        yield from student_prompt(config, questions, student)
        samples, seconds = sampled(config, questions, student)
        yield from rollout_findings(samples, config, student)
        yield from round_trip_findings(samples, student)
        yield from student_scores(config, student, samples)
    except OddError as error:
        yield _error("rollouts", error)
        return
    for teacher in config.teachers:
        if (model := teachers.get(teacher.name)) is None:
            continue
        try:
            yield from teacher_prompt(config, teacher, model, student, samples)
            yield from teacher_scores(config, teacher, model, student, samples)
        except OddError as error:
            yield _error(f"scores of {teacher.name}", error)
    yield from cost_findings(config, len(questions), student, samples, seconds)


def _error(check: str, error: OddError) -> Finding:
    return Finding(check, "error", str(error))


def _vocabulary(student: LanguageModel, model: LanguageModel) -> str:
    """Describe a vocabulary that is the student's."""
    if model is student:
        return "the student's own"
    return f"{model.name}: each of its {len(model.tokenizer.vocabulary()):,} tokens has the student's id"
