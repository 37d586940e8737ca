"""Checks of prompts: what student and teachers read, and whether it fits."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from odd.config import RunConfig, TeacherConfig
from odd.errors import OddError
from odd.models.base import LanguageModel, encode_prompt
from odd.pipeline.checks.finding import Finding, judged
from odd.pipeline.checks.sample import Sample, messages_of
from odd.questions.base import Question
from odd.questions.contexts import ContextUnavailable
from odd.rollouts.sampling import opens_thinking

LAST = 20
"""Tokens of the end of a prompt that are shown."""


def student_prompt(config: RunConfig, questions: Sequence[Question], student: LanguageModel) -> Iterator[Finding]:
    """Report the student's prompt of the first question, and whether all prompts fit."""
    messages = questions[0].messages(templates=config.templates)
    rendered, prompt = student.tokenizer.render_chat(messages), encode_prompt(student, messages)
    end = "".join(student.tokenizer.token_bytes(token).decode(errors="replace") for token in prompt[-LAST:])
    thinking = "opens a thinking part" if opens_thinking(student, prompt) else "opens no thinking part"
    yield judged(
        "prompt",
        questions[0].question.strip() in rendered,
        f"{len(prompt)} tokens; it {thinking}; its last {LAST} tokens: {end!r}",
        "the chat template leaves the question out: choose a model with a template that contains user messages",
        "error",
        shown=(("student", rendered),),
    )
    sizes = {
        question.id: len(encode_prompt(student, question.messages(templates=config.templates)))
        for question in questions
    }
    longest = max(sizes, key=lambda id: sizes[id])
    yield _window("window", student, f"question {longest!r}", sizes[longest], config.sampling.max_new_tokens)


def teacher_prompt(
    config: RunConfig, teacher: TeacherConfig, model: LanguageModel, student: LanguageModel, samples: Sequence[Sample]
) -> Iterator[Finding]:
    """Report the prompt of a teacher beside the student's."""
    name, sample = f"prompt of {teacher.name}", samples[0]
    others = [rollout for one in samples[1:] for rollout in one.rollouts]
    try:
        messages = messages_of(teacher, sample, config, others)
    except ContextUnavailable as error:
        remedy = "a run tries up to demonstrations.tries responses for each question, and skips a question without one"
        if teacher.column:
            remedy = f"fill in the column {teacher.column} of the questions: a run has no scores for those without one"
        yield Finding(name, "warning", f"its context {teacher.context} cannot be shown: {error}", remedy)
        return
    own = student.tokenizer.render_chat(sample.question.messages(templates=config.templates))
    rendered, prompt = student.tokenizer.render_chat(messages), encode_prompt(student, messages)
    same = rendered == own
    changed = "the student's own prompt" if same else f"{len(prompt)} tokens, {_changed(own, rendered)}"
    stands_in = any(teacher.shown) and not any(one.correct and not one.truncated for one in sample.rollouts)
    note = "; a response to another question stands in as the example" if stands_in else ""
    yield Finding(name, "ok", f"{changed}{note}", shown=() if same else (("student", own), (teacher.name, rendered)))
    yield _window(
        f"window of {teacher.name}", model, "this prompt", len(prompt), config.sampling.max_new_tokens, "teacher"
    )
    if model is not student:
        yield _template(teacher, model, messages, rendered)


def _template(teacher: TeacherConfig, model: LanguageModel, messages: list[dict[str, str]], rendered: str) -> Finding:
    """Compare the teacher's own chat template with the student's, with which it is asked."""
    check = f"template of {teacher.name}"
    try:
        usual = model.tokenizer.render_chat(messages)
    except OddError as error:
        return Finding(check, "warning", str(error), "it is asked with the student's template, which it may not know")
    return judged(
        check,
        usual == rendered,
        "its own chat template writes the same prompt"
        if usual == rendered
        else f"its own chat template writes another prompt: {_changed(rendered, usual)}",
        "it is asked with the student's template, which it may not know: choose a teacher of the student's family, or "
        "set student.thinking as the teacher's template has it",
        shown=(("student's template", rendered), ("its own", usual)) if usual != rendered else (),
    )


def _window(check: str, model: LanguageModel, whose: str, prompt: int, response: int, role: str = "student") -> Finding:
    window = model.scorer.max_context
    text = f"{whose}: a prompt of {prompt} and a response of up to {response} tokens"
    if window is None:
        return Finding(check, "ok", f"{text}; the {role} has no limit")
    return judged(
        check,
        prompt + response <= window,
        f"{text}, in a window of {window}",
        "shorten the question or lower sampling.max_new_tokens",
        "error" if role == "student" else "warning",
    )


def _changed(one: str, other: str) -> str:
    """Return how many lines of two texts differ, in words."""
    operations = SequenceMatcher(None, one.splitlines(), other.splitlines(), autojunk=False).get_opcodes()
    removed = sum(end - start for kind, start, end, _, _ in operations if kind != "equal")
    added = sum(end - start for kind, _, _, start, end in operations if kind != "equal")
    return f"{added} lines in place of {removed} of the student's"
