"""Demonstrations for teachers: sampled from a source model, verified, summarised, stored in the run (method §6).

Tries are sampled in batches, each with its own seed, only until there is enough to show. So teachers with the same
source share its tries, and an interrupted run resumes to the same tries.
"""

import time
from collections.abc import Sequence

from odd.config import ModelConfig, RunConfig, SamplingConfig, TeacherConfig
from odd.errors import OddError
from odd.models.base import LanguageModel, Message, check_window, encode_prompt
from odd.pipeline.events import Change, Commit, Events, Insert, NoteModel, Step, Use, timing
from odd.pipeline.stages import Stage
from odd.pipeline.teachers import Models
from odd.questions.base import Question
from odd.questions.contexts import (
    Attempt,
    ContextUnavailable,
    Demonstration,
    choose_attempts,
    given_by,
    summary_request,
)
from odd.rollouts.sampling import Rollout, sample_chunk
from odd.store.rows import attempt_rows
from odd.store.state import QuestionState, Summary


class Demonstrations:
    """Demonstrations for one question: stored ones, and new ones sampled when needed."""

    def __init__(self, config: RunConfig, models: Models, question: Question, state: QuestionState) -> None:
        self.models, self.question, self.number = models, question, state.number
        self.student, self.templates = models.student, config.templates
        self.config, self.settings = config, config.demonstrations
        self._attempts = {source: list(attempts) for source, attempts in state.attempts.items()}
        self._summaries = dict(state.summaries)

    def of(self, teacher: TeacherConfig, avoid: Sequence[str] = ()) -> Events[tuple[Demonstration, ...]]:
        """Return the demonstrations of a teacher, correct responses first.

        Args:
            teacher: the teacher, which names the context and its models.
            avoid: responses to show only as a last resort.

        Raises:
            ContextUnavailable: there are too few correct or wrong responses, no valid summary, or the question has no
                solution or hint.
        """
        if teacher.context == "none":
            return ()
        if teacher.column is not None:
            return (given_by(getattr(self.question, teacher.column), teacher.column),)
        source = teacher.demonstrations or self.config.student
        attempts = self._attempts.setdefault(source.label, [])
        drawn = False
        while True:
            last = len(attempts) >= self.settings.tries
            chosen = choose_attempts(attempts, teacher.shown, avoid, last, source.label)
            if chosen is not None:
                break
            attempts += yield from self._try(source, len(attempts))
            drawn = True
        if drawn and not last:  # fewer tries than the maximum were needed
            yield Step(self.number, Stage.DEMONSTRATIONS, len(attempts), len(attempts))
        shown = []
        for attempt in chosen:
            if teacher.summarized:
                shown.append((yield from self._summarized(teacher, source, attempt)))
            else:
                shown.append(Demonstration(attempt.text, attempt.correct, source.label))
        return tuple(shown)

    def _try(self, source: ModelConfig, done: int) -> Events[list[Attempt]]:
        """Sample the next batch of tries."""
        yield Use(source.label)
        model = self.models.writer(source)
        chunk = done // self.settings.batch_size
        messages = self.question.messages(templates=self.templates)
        made, seconds = self._sample(model, messages, self.settings.batch_size, source.label, chunk)
        rows = attempt_rows(self.number, source.label, done, self.settings.temperature, made)
        yield self._commit(source, model, Insert("demonstrations", rows), made, seconds)
        tokens = _tokens(made)
        yield Step(self.number, Stage.DEMONSTRATIONS, done + len(made), self.settings.tries, tokens, seconds)
        return [Attempt(rollout.text, rollout.correct, rollout.truncated) for rollout in made]

    def _sample(
        self, model: LanguageModel, messages: Sequence[Message], count: int, source: str, chunk: int
    ) -> tuple[list[Rollout], float]:
        """Sample responses to messages; return them and the seconds it took."""
        config = self.config.sampling
        sampling = SamplingConfig.model_validate(
            config.model_dump() | {"temperature": self.settings.temperature, "batch_size": count}
        )
        prompt = encode_prompt(model, messages)
        try:
            check_window(model.sampler.max_context, model.name, "demonstration", len(prompt), config.max_new_tokens)
        except OddError as error:
            raise ContextUnavailable(str(error)) from error
        started = time.perf_counter()
        made = sample_chunk(model, self.question, prompt, [()] * count, sampling, "demonstration", chunk, source)
        return made, time.perf_counter() - started

    def _commit(
        self, author: ModelConfig, model: LanguageModel, change: Change, made: Sequence[Rollout], seconds: float
    ) -> Commit:
        """Commit the output of a writing model, its digest and the time it took."""
        cost = timing(self.number, Stage.DEMONSTRATIONS, seconds, len(made), _tokens(made), author.label)
        return Commit((NoteModel(author.label, model.name, model.digest), change, cost))

    def _summarized(self, teacher: TeacherConfig, source: ModelConfig, attempt: Attempt) -> Events[Demonstration]:
        """Return the summary of a response; write it when first needed."""
        summarizer = teacher.summarizer or self.config.student
        wording = teacher.templates(self.templates)
        request = summary_request(self.question.block(wording), attempt.text, wording)
        key = summarizer.label, request
        if key not in self._summaries:
            self._summaries[key] = yield from self._summarize(summarizer, request, attempt.correct)
        summary = self._summaries[key]
        if summary.text is None:
            kind = "correct" if attempt.correct else "wrong"
            raise ContextUnavailable(
                f"no summary by {summarizer.label} of a {kind} response is {kind} in {summary.tries} tries"
            )
        return Demonstration(summary.text, attempt.correct, source.label, summarizer.label, attempt.text)

    def _summarize(self, summarizer: ModelConfig, request: str, correct: bool) -> Events[Summary]:
        """Sample summaries; return the first that is complete and has the outcome of its response, else no text."""
        yield Use(summarizer.label)
        model = self.models.writer(summarizer)
        messages = [{"role": "user", "content": request}]
        count = self.settings.summary_tries
        made, seconds = self._sample(model, messages, count, f"summary\n{summarizer.label}\n{request}", 0)
        fitting = [i for i, rollout in enumerate(made) if rollout.correct == correct and not rollout.truncated]
        summary = Summary(made[fitting[0]].text, fitting[0] + 1) if fitting else Summary(None, count)
        row = {"question": self.number, "summarizer": summarizer.label, "request": request, "text": summary.text}
        row |= {"tries": summary.tries, "temperature": self.settings.temperature}
        yield self._commit(summarizer, model, Insert("summaries", [row]), made, seconds)
        return summary


def _tokens(made: Sequence[Rollout]) -> int:
    return sum(len(rollout.token_ids) for rollout in made)
