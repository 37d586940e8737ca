"""The responses that teachers are shown: sampled from their source model, verified, summarised, kept in the run (§6).

Tries are drawn in batches with seeds of their own, and only until there is enough to show, so teachers that share a
source share its tries, and a run that was interrupted goes on to the same ones.
"""

import time
from collections.abc import Sequence

from odd.config import ModelConfig, SamplingConfig, TeacherConfig
from odd.errors import OddError
from odd.models.base import LanguageModel, Message, check_window
from odd.pipeline.frame import Frame
from odd.questions.contexts import Attempt, ContextUnavailable, Demonstration, choose_attempts, summary_request
from odd.rollouts.sampling import Rollout, sample_chunk
from odd.store import state


class Demonstrations:
    """What can be shown of one question."""

    def __init__(self, frame: Frame, number: int) -> None:
        """Nothing is drawn before it is asked for."""
        self.frame, self.number, self.question = frame, number, frame.questions[number]
        self.student, self.wording = frame.models.student, frame.config.templates
        self.settings = frame.config.demonstrations

    def of(self, teacher: TeacherConfig, avoid: Sequence[str] = ()) -> tuple[Demonstration, ...]:
        """What a teacher is shown, correct responses first.

        Args:
            teacher: which context, from which models.
            avoid: responses not to show where there are others.

        Raises:
            ContextUnavailable: there are too few correct or wrong responses, or a summary could not be had.
        """
        if teacher.context == "none":
            return ()
        source = teacher.demonstrations or self.frame.config.student
        attempts = state.stored_attempts(self.frame.writer, self.number, source.label)
        while True:
            last = len(attempts) >= self.settings.tries
            chosen = choose_attempts(attempts, teacher.shown, avoid, last, source.label)
            if chosen is not None:
                break
            attempts += self._try(source, len(attempts))
        if not teacher.summarized:
            return tuple(Demonstration(attempt.text, attempt.correct, source.label) for attempt in chosen)
        return tuple(self._summarized(teacher, source, attempt) for attempt in chosen)

    def _try(self, source: ModelConfig, done: int) -> list[Attempt]:
        """Draw and keep the next batch of tries."""
        model = self.frame.models.writer(source)
        chunk = done // self.settings.batch_size
        messages = self.question.messages(templates=self.wording)
        made, seconds = self._sample(model, messages, self.settings.batch_size, source.label, chunk)
        tokens = sum(len(rollout.token_ids) for rollout in made)
        with self.frame.writer.transaction():
            self.frame.writing_model(source.label, model)
            temperature = self.settings.temperature
            state.insert_attempts(self.frame.writer, self.number, source.label, done, temperature, made)
            state.insert_timing(
                self.frame.writer, self.number, "demonstrations", source.label, seconds, len(made), tokens
            )
        self.frame.report("demonstrations", self.number, done + len(made), self.settings.tries, tokens, seconds)
        return [Attempt(rollout.text, rollout.correct, rollout.truncated) for rollout in made]

    def _sample(
        self, model: LanguageModel, messages: Sequence[Message], count: int, source: str, chunk: int
    ) -> tuple[list[Rollout], float]:
        """Responses to messages, and the seconds they took."""
        config = self.frame.config.sampling
        sampling = SamplingConfig.model_validate(
            config.model_dump() | {"temperature": self.settings.temperature, "batch_size": count}
        )
        prompt = model.encode_chat(messages)
        try:
            check_window(model, "demonstration", len(prompt), config.max_new_tokens)
        except OddError as error:
            raise ContextUnavailable(str(error)) from error
        started = time.perf_counter()
        made = sample_chunk(model, self.question, prompt, [()] * count, sampling, "demonstration", chunk, source)
        return made, time.perf_counter() - started

    def _summarized(self, teacher: TeacherConfig, source: ModelConfig, attempt: Attempt) -> Demonstration:
        """A response as its summary, written when it is first asked for."""
        summarizer = teacher.summarizer or self.frame.config.student
        wording = teacher.templates(self.wording)
        request = summary_request(self.question.block(wording), attempt.text, wording)
        text, tries = state.stored_summary(self.frame.writer, self.number, summarizer.label, request)
        if tries == 0:
            text, tries = self._summarize(summarizer, request, attempt.correct)
        if text is None:
            kind = "correct" if attempt.correct else "wrong"
            raise ContextUnavailable(
                f"no summary by {summarizer.label} of a {kind} response is {kind} in {tries} tries"
            )
        return Demonstration(text, attempt.correct, source.label, summarizer.label, attempt.text)

    def _summarize(self, summarizer: ModelConfig, request: str, correct: bool) -> tuple[str | None, int]:
        """The first of some summaries that ends by itself with the outcome of its response; None if there is none."""
        model = self.frame.models.writer(summarizer)
        messages = [{"role": "user", "content": request}]
        count = self.settings.summary_tries
        made, seconds = self._sample(model, messages, count, f"summary\n{summarizer.label}\n{request}", 0)
        fitting = [i for i, rollout in enumerate(made) if rollout.correct == correct and not rollout.truncated]
        text, tries = (made[fitting[0]].text, fitting[0] + 1) if fitting else (None, count)
        tokens = sum(len(rollout.token_ids) for rollout in made)
        row = {"summarizer": summarizer.label, "request": request, "text": text, "tries": tries}
        with self.frame.writer.transaction():
            self.frame.writing_model(summarizer.label, model)
            self.frame.writer.insert(
                "summaries", [row | {"question": self.number, "temperature": self.settings.temperature}]
            )
            state.insert_timing(
                self.frame.writer, self.number, "demonstrations", summarizer.label, seconds, len(made), tokens
            )
        return text, tries
