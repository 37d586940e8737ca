"""Imported rollouts on their way into a run: read once, kept in the run file, and given their log-probabilities."""

import time
from collections.abc import Sequence
from dataclasses import replace

from odd.config import RunConfig
from odd.errors import OddError
from odd.models.base import LanguageModel
from odd.pipeline.events import Commit, Delete, Events, Insert, Step
from odd.pipeline.frame import run_id_of
from odd.pipeline.stages import Stage
from odd.pipeline.teachers import Models
from odd.questions.base import Question
from odd.rollouts.importing import Imported, take_rollouts
from odd.rollouts.sampling import Rollout
from odd.store import RunWriter, published_path, work_path
from odd.store.rows import rollout_rows
from odd.store.state import QuestionState


def read_import(
    config: RunConfig, questions: list[Question], models: Models
) -> tuple[RunConfig, list[Question], Imported | None]:
    """What a run with imported rollouts is made from.

    A run that is there already holds its rollouts: where the settings say which (a digest), the logs need not exist
    any more.

    Args:
        config: settings of the run.
        questions: of their source.
        models: of the run; the rollouts are rollouts of its student.

    Returns:
        The settings with the digest, the questions as they were asked in the logs, and the rollouts; None if the run
        has them.

    Raises:
        OddError: the logs cannot be read, hold nothing to take, or are not those that the settings speak of.
    """
    if config.imported is None:
        return config, questions, None
    if config.imported.digest and any(
        place(config.cache, run_id_of(config, questions, models)).exists() for place in (published_path, work_path)
    ):
        return config, questions, None
    found = take_rollouts(config, questions, models.student)
    if config.imported.digest not in ("", found.digest):
        raise OddError(
            f"import: the logs give other rollouts ({found.digest}) than the settings speak of "
            f"({config.imported.digest}): restore them, or take imported.digest out"
        )
    most = max(map(len, found.rollouts))
    changes = {
        "imported": config.imported.model_copy(update={"digest": found.digest}),
        "sampling": config.sampling.model_copy(update={"initial_rollouts": most}),
    }
    return config.model_copy(update=changes), found.questions, found


def keep_import(writer: RunWriter, found: Imported) -> None:
    """Write imported rollouts into a new run, and the account of them."""
    for number, rollouts in enumerate(found.rollouts):
        writer.insert("rollouts", rollout_rows(number, 0, rollouts))
    writer.set_meta("imported", found.account.to_json())


def score_import(
    state: QuestionState, student: LanguageModel, prompt: Sequence[int], temperature: float
) -> Events[list[Rollout]]:
    """The imported rollouts of a question, with log-probabilities; those that lack them are scored chunk by chunk.

    Args:
        state: what is stored of the question.
        student: gives the log-probabilities.
        prompt: token ids.
        temperature: at which the rollouts were sampled.
    """
    rollouts = list(state.initial)
    tokens, started = 0, time.perf_counter()
    for chunk in sorted(state.unscored_chunks):
        rows = [i for i, rollout in enumerate(rollouts) if rollout.chunk == chunk]
        responses = [rollouts[i].token_ids for i in rows]
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
