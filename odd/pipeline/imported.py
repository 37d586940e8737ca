"""Imported rollouts of a run: read once, stored in the run file, and scored for their log-probabilities."""

import time
from collections.abc import Sequence
from dataclasses import replace

from odd.config import RunConfig
from odd.errors import OddError
from odd.models.base import LanguageModel
from odd.pipeline.events import Commit, Delete, Events, Insert, Step, Use
from odd.pipeline.frame import run_id_of
from odd.pipeline.stages import Stage
from odd.pipeline.teachers import Models
from odd.questions.base import Question
from odd.rollouts.importing import Imported, take_rollouts
from odd.rollouts.log_dates import logged_day, prompts_of
from odd.rollouts.log_records import read_records
from odd.rollouts.sampling import Rollout
from odd.store import RunWriter, published_path, work_path
from odd.store.rows import rollout_rows
from odd.store.state import QuestionState


def read_import(
    config: RunConfig, questions: list[Question], models: Models
) -> tuple[RunConfig, list[Question], Imported | None]:
    """Read the imported rollouts of a run, if it has any.

    An existing run already contains its rollouts: if the settings have their digest, the logs need not exist any more.

    Args:
        config: settings of the run.
        questions: questions of the source.
        models: models of the run; the rollouts come from its student.

    Returns:
        The settings with the digest and the day of the logs, the questions with the prompts of the logs, and the
        rollouts; None in place of the rollouts if nothing is imported or the run contains them.

    Raises:
        OddError: the logs cannot be read, contain no rollout that can be imported, or do not match the digest.
    """
    if config.imported is None:
        return config, questions, None
    if (
        config.imported.digest
        and not config.asks_log
        and any(
            place(config.cache, run_id_of(config, questions, models)).exists() for place in (published_path, work_path)
        )
    ):
        return config, questions, None
    imported, day = config.imported, config.date
    if day is None and models.student.date_formats:
        day = logged_day(models.student, prompts_of(read_records(imported), models.student))
    if day is not None:
        config = config.model_copy(update={"date": day})
        models.date_prompts(day)
    found = take_rollouts(config, questions, models.student)
    if imported.digest not in ("", found.digest):
        raise OddError(
            f"import: the rollouts of the logs (digest {found.digest}) are not those of the settings "
            f"({imported.digest}): restore the logs, or remove imported.digest"
        )
    most = max(map(len, found.rollouts))
    changes = {
        "imported": imported.model_copy(update={"digest": found.digest}),
        "sampling": config.sampling.model_copy(update={"initial_rollouts": most}),
    }
    return config.model_copy(update=changes), found.questions, found


def keep_import(writer: RunWriter, found: Imported) -> None:
    """Write imported rollouts and their account into a new run."""
    for number, rollouts in enumerate(found.rollouts):
        writer.insert("rollouts", rollout_rows(number, 0, rollouts))
    writer.set_meta("imported", found.account.to_json())


def score_import(
    state: QuestionState, student: LanguageModel, label: str, prompt: Sequence[int], temperature: float
) -> Events[list[Rollout]]:
    """Return the imported rollouts of a question with log-probabilities; score unscored ones chunk by chunk.

    Args:
        state: stored state of the question.
        student: model that scores the rollouts.
        label: label of its settings.
        prompt: token ids of the prompt.
        temperature: temperature at which the rollouts were sampled.
    """
    rollouts = list(state.initial)
    tokens, started = 0, time.perf_counter()
    for chunk in sorted(state.unscored_chunks):
        yield Use(label)
        rows = [i for i, rollout in enumerate(rollouts) if rollout.chunk == chunk]
        responses = [rollouts[i].token_ids.tolist() for i in rows]
        for i, (log_probs,) in zip(
            rows, student.scorer.token_log_probs(prompt, responses, (temperature,)), strict=True
        ):
            rollouts[i] = replace(rollouts[i], log_probs=log_probs)
        tokens += sum(map(len, responses))
        unscored = Delete("rollouts", {"question": state.number, "stage": "initial", "chunk": chunk})
        scored = rollout_rows(state.number, rows[0], [rollouts[i] for i in rows])
        yield Commit((unscored, Insert("rollouts", scored)), publish="if_due")
        seconds = time.perf_counter() - started
        yield Step(state.number, Stage.INITIAL, rows[-1] + 1, len(rollouts), tokens, seconds)
    return rollouts
