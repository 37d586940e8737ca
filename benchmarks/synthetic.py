"""Synthetic runs of the largest sizes that the dashboard is designed for, generated within minutes.

Rollouts come from `benchmarks.language`; paths, forced pairs, tree, scores and gradients are computed from them by the
pipeline's own functions. So the tables are consistent, and only the models are synthetic.

    python -m benchmarks.synthetic FOLDER          # many questions, and one with many rollouts
    python -m benchmarks.synthetic FOLDER --long   # one question with long responses that think before they answer
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice, repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.distributions import rows_of
from benchmarks.language import DECISIONS, Drawn, Language, spellings
from odd.analysis.path_rows import PathRows
from odd.analysis.planning import Plan, choose_paths, plan_targets
from odd.analysis.question_tree import QuestionTree
from odd.analysis.teacher_scores import score_teachers
from odd.config import AnalysisConfig, RunConfig, TargetingConfig, TeacherConfig, objective
from odd.method.success import difficulty
from odd.pipeline.contexts import TeacherContext
from odd.questions.base import Question
from odd.rollouts.sampling import Rollout, Stage
from odd.store import RunWriter
from odd.store.rows import rollout_rows

TEACHERS = {
    "large": (0.9, 0.6),
    "medium": (0.5, 0.8),
    "Self-1C": (0.3, 0.6),
    "contrary": (-0.5, 0.8),
    "Self-1C1W": (0.4, 0.5),
    "guided": (0.6, 0.9),
    "noise": (0.0, 1.2),
    "small": (0.2, 0.4),
}
"""How much each teacher favours tokens that help, and how much it favours random ones."""


@dataclass(frozen=True)
class Size:
    """Dimensions of a synthetic run.

    Attributes:
        questions: number of questions; the last one is large.
        initial: initial rollouts per question.
        targeted: targeted rollouts per question, except the large one.
        length: typical tokens per response, except for the large question.
        large_targeted: targeted rollouts of the large question.
        large_length: typical tokens per response of the large question.
        teachers: number of teachers.
        decisions: share of prefixes of the large question that are decisions.
        tail: tokens after which targeted responses of the large question end, as they share most of their tokens
            with a path; None: they are as long as others. Responses with such a tail think before they answer.
    """

    questions: int = 201
    initial: int = 200
    targeted: int = 2000
    length: int = 100
    large_targeted: int = 20_000
    large_length: int = 200
    teachers: int = 4
    decisions: float = DECISIONS
    tail: int | None = None

    @property
    def names(self) -> list[str]:
        """Names of the teachers."""
        return list(TEACHERS)[: self.teachers]

    def large(self, number: int) -> bool:
        """Whether a question is the large one."""
        return number == self.questions - 1

    def language(self, number: int, rng: np.random.Generator) -> Language:
        """The language of a question."""
        if self.large(number):
            return Language(number, self.large_length, 0.5, self.decisions, thinking=self.tail is not None)
        return Language(number, self.length, rng.normal(0.3, 1.2))


LARGE = Size()
"""200 questions for the tables and a large one for the tree."""
LONG = Size(3, 200, 400, 100, large_targeted=49_800, large_length=4096, teachers=8, decisions=0.02, tail=160)
"""One question with 50,000 rollouts, paths of about 4,096 tokens with a thinking part, and eight teachers."""


def settings(size: Size) -> RunConfig:
    """The configuration of the synthetic run."""
    return RunConfig(
        title="synthetic",
        analysis=AnalysisConfig(
            objectives=(objective("reverse_kl"), objective("forward_kl")),
            poolings=("on_policy", "pooled"),
            baselines=("full",),
            rests=("off",),
            posterior_draws=50,
        ),
        teachers=tuple(TeacherConfig(name=name, context="1c" if "1C" in name else "none") for name in size.names),
    )


def make_run(cache: Path, size: Size = LARGE, tell: Callable[[str], None] = lambda line: None) -> Path:
    """Write the run question by question, on all cores; return the path of its published file."""
    # a process that has the file open must not be forked
    pool = ProcessPoolExecutor(mp_context=get_context("spawn"))
    with RunWriter(cache, "synthetic-00000000") as writer, pool:
        _write_frame(writer, settings(size), size)
        made = pool.map(question_tables, range(size.questions), repeat(size))
        for number, (passed, tables) in enumerate(made):
            with writer.transaction():
                for table, frame in tables.items():
                    writer.insert(table, frame.assign(question=number))
                writer.update("questions", {"stage": "scored", "difficulty": passed}, question=number)
            if number % 20 == 0 or number == size.questions - 1:
                tell(f"question {number}: {len(tables['rollouts'])} rollouts, {len(tables['nodes'])} nodes kept")
        writer.set_meta("status", "finished")
        writer.finish()
        return writer.published


def question(number: int) -> Question:
    """Return question `number` of the run."""
    text = f"Item {number}: a crate holds {number % 17 + 3} rows of {number % 11 + 2} jars. How many jars are there?"
    return Question(
        id=f"s{number:03d}", question=text, answer=str((number % 17 + 3) * (number % 11 + 2)), kind="number"
    )


def _write_frame(writer: RunWriter, config: RunConfig, size: Size) -> None:
    """Write the data that a run has before its first question."""
    asked = [question(number) for number in range(size.questions)]
    labels = {
        "objectives": [objective.label for objective in config.analysis.objectives],
        "conventions": [convention.label for convention in config.analysis.conventions],
    }
    for key, values in labels.items():
        writer.set_meta(key, ",".join(values))
    writer.set_meta("config", config.model_dump_json())
    writer.set_meta("questions", json.dumps([one.model_dump_json() for one in asked]))
    writer.set_meta("digests", json.dumps({name: "0" for name in ("", *size.names)}))
    writer.insert(
        "questions",
        [
            {"question": i, "id": one.id, "text": one.question, "choices": [], "answer": one.answer, "kind": one.kind}
            | {"prompt_text": one.block(), "prompt_ids": [1, 2, 3], "stage": "new"}
            for i, one in enumerate(asked)
        ],
    )
    writer.insert(
        "teachers",
        [
            {"teacher": teacher.name, "ordinal": i, "model": "synthetic", "context": teacher.context}
            | {"config": teacher.model_dump_json(), "guided_targeting": True}
            for i, teacher in enumerate(config.teachers)
        ],
    )
    spelled = [{"token": i, "text": word, "bytes": word.encode()} for i, word in enumerate(spellings())]
    writer.insert("vocabulary", spelled)


def question_tables(number: int, size: Size) -> tuple[str, dict[str, pd.DataFrame]]:
    """Sample and score one question; return its difficulty and its tables, without the question column."""
    asked, rng = question(number), np.random.default_rng([7, number])
    language, large = size.language(number, rng), size.large(number)
    initial = _rollouts(language.draw([()] * size.initial, rng), "initial", [()] * size.initial, asked)
    chosen = choose_paths(asked.id, initial, TargetingConfig(), 0)
    responses = [tuple(initial[i].token_ids.tolist()) for i in chosen]
    targeting, analysis = TargetingConfig(), settings(size).analysis

    def read(drawn: Sequence[Rollout]) -> PathRows:
        teachers = {
            name: partial(_log_probs, language, responses, leaning, salt)
            for salt, (name, leaning) in enumerate(islice(TEACHERS.items(), size.teachers))
        }
        tokens = [rollout.token_ids for rollout in drawn]
        student = partial(_log_probs, language, responses, (), None)
        return rows_of(tokens, chosen, student, teachers, analysis.objectives, targeting.tau)

    plan = plan_targets(initial, chosen, read(initial), size.names, targeting)
    plan = _spread(plan, size.large_targeted if large else size.targeted)
    drawn = language.draw(plan.forced, rng, size.tail if large else None)
    rollouts = [*initial, *_rollouts(drawn, "targeted", plan.forced, asked)]
    tree = QuestionTree(asked.id, rollouts, chosen, read(rollouts), analysis)
    tokens = sum(rollout.length for rollout in rollouts)
    timing = {"stage": "targeted", "seconds": tokens / 50_000, "items": len(rollouts), "tokens": tokens}
    tables = (
        score_teachers(tree)
        | tree.tables()
        | {
            "rollouts": pd.DataFrame(rollout_rows(number, 0, rollouts), dtype=object),
            "paths": pd.DataFrame([_path_row(path, i, initial[i]) for path, i in enumerate(chosen)]),
            "pairs": pd.DataFrame(plan.rows),
            "contexts": pd.DataFrame([TeacherContext(name, (1, 2, 3), asked.block(), ()).row() for name in size.names]),
            "timings": pd.DataFrame([timing]),
        }
    )
    return difficulty(float(np.mean([rollout.correct for rollout in initial]))), tables


def _log_probs(
    language: Language, responses: Sequence[tuple[int, ...]], leaning: tuple, salt: int | None, path: int
) -> np.ndarray:
    """The student's distributions along a path, or those of a teacher with a given leaning."""
    return language.log_probs(responses[path], *leaning, *([] if salt is None else [salt]))


def _rollouts(drawn: Drawn, stage: Stage, forced: Sequence[tuple[int, ...]], asked: Question) -> list[Rollout]:
    words, rollouts = spellings(), []
    numbers = np.array(range(len(words)), dtype=object)  # one Python number per token, instead of one per place
    for row, prefix in enumerate(forced):
        length, right, cut = int(drawn.lengths[row]), bool(drawn.correct[row]), bool(drawn.truncated[row])
        tokens = numbers[drawn.tokens[row, :length]].tolist()
        answer = asked.answer if right else str(int(asked.answer) + 1 + row % 5)
        rollouts.append(
            Rollout(
                stage=stage,
                chunk=row // 256,
                launch=len(prefix),
                token_ids=drawn.tokens[row, :length].astype(np.int32),
                log_probs=drawn.log_probs[row, :length],
                text="".join([words[token] for token in tokens]),
                answer=None if cut else answer,
                correct=right,
                truncated=cut,
            )
        )
    return rollouts


def _path_row(path: int, number: int, rollout: Rollout) -> dict:
    outcome = {"correct": rollout.correct, "truncated": rollout.truncated}
    return {"path": path, "rollout": number, "length": len(rollout.token_ids)} | outcome


def _spread(plan: Plan, rollouts: int) -> Plan:
    """Return the plan with a given number of rollouts, spread evenly over its pairs."""
    prefixes = list(dict.fromkeys(plan.forced))
    counts = dict.fromkeys(prefixes, 0)
    for prefix in islice(cycle(prefixes), rollouts):
        counts[prefix] += 1
    launches = iter(counts.values())
    rows = [row | {"launched": next(launches) if row["launched"] else 0} for row in plan.rows]
    return Plan([prefix for prefix, count in counts.items() for _ in range(count)], rows)


def main() -> None:
    """Generate the run in a folder's cache and print its size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthetic")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--long", action="store_true", help="long responses instead of many questions")
    chosen, started = parser.parse_args(), time.perf_counter()
    path = make_run(chosen.folder / "cache", LONG if chosen.long else LARGE, tell=print)
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
