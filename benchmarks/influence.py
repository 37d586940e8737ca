"""Influence against training: predicted and measured change of success after one small step in the parameters.

A student answers two sets of questions of `tiny-heldout`. Half of its rollouts give the gradient of success v on each
set; the others, only those of the first set, are the tokens that a step is taken on. For each teacher and objective the
step goes along the gradient of the distillation loss in the parameters, has a given length, and starts from the same
student. Success before and after is measured on both sets with the same random numbers.

    python -m benchmarks.influence
    python -m benchmarks.influence --teachers all --objectives reverse_kl forward_kl jsd --students tiny-s tiny-m tiny-l
"""

import argparse
import copy
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.conditions import conditions
from odd.analysis.influence import Answers, Slices, half_influence, half_of, success_gradients
from odd.analysis.path_rows import side_by_side
from odd.config import ModelConfig, QuestionsConfig, TeacherConfig
from odd.method.influence import judges_of
from odd.method.logspace import log_sum_exp
from odd.method.objectives import Objective, objective
from odd.models.registry import load_model
from odd.models.transformers.language_model import TransformersModel, wrap
from odd.questions.base import Question
from odd.questions.contexts import Demonstration, teacher_block
from odd.questions.sources import load_questions
from odd.questions.verifiers import extract_answer, is_correct

LIMIT = 128
"""Tokens of a response at most."""
BATCH = 256
NOISE = 1.0
"""Standard deviation of the fixed noise on the student's logits."""
PLANNED = 0
"""The half of the rollouts whose tokens are trained on; the quarters that judge it give v."""


@dataclass(frozen=True)
class Arm:
    """One step: predicted and measured change of success, on the same questions and on others.

    Attributes:
        student: name of the student.
        teacher: name of the teacher.
        objective: label of the objective.
        step: length of the step in the parameters.
        predicted: predicted change by set of questions.
        halves: the same from each half of the rollouts behind v.
        measured: measured change by set of questions.
        error: standard error of the measured change over rollouts, by set of questions.
    """

    student: str
    teacher: str
    objective: str
    step: float
    predicted: Mapping[str, float]
    halves: Mapping[str, tuple[float, float]]
    measured: Mapping[str, float]
    error: Mapping[str, float]


@dataclass(frozen=True)
class Task:
    """Questions with the student's prompts to them."""

    questions: Sequence[Question]
    prompts: Sequence[Sequence[int]]


def task(model: TransformersModel, questions: Sequence[Question]) -> Task:
    """Encode the prompts of questions."""
    return Task(questions, [model.tokenizer.encode_chat(one.messages()) for one in questions])


def answered(model: TransformersModel, of: Task, count: int, seed: int) -> list[Answers]:
    """Sample and verify `count` responses to each question."""
    found = []
    for number, (question, prompt) in enumerate(zip(of.questions, of.prompts, strict=True)):
        made = model.sampler.sample([prompt] * count, [LIMIT] * count, 1.0, seed + number, BATCH)
        texts = ["" if one.truncated else model.tokenizer.decode(one.token_ids) for one in made]
        correct = [is_correct(question, extract_answer(text)) for text in texts]
        found.append(Answers(prompt, [one.token_ids for one in made], np.array(correct, dtype=bool)))
    return found


def outcomes(model: TransformersModel, of: Task, count: int, seed: int) -> np.ndarray:
    """Outcome of every response, (questions, count); the same seed draws with the same random numbers."""
    return np.stack([one.correct for one in answered(model, of, count, seed)]).astype(float)


Read = Callable[[int, Sequence[Sequence[int]]], Slices]
"""Distributions of a teacher along responses to the question with this number."""


def teachers_of(student: TransformersModel, of: Task, others: Mapping[str, TransformersModel]) -> dict[str, Read]:
    """All teachers: larger models, the student in a context, and null teachers made of the student's distributions."""

    def model(one: TransformersModel, temperature: float = 1.0) -> Read:
        return lambda number, responses: one.scorer.read(of.prompts[number], responses, temperature)

    def made(change: Callable[[np.ndarray], np.ndarray], source: Read) -> Read:
        def read(number: int, responses: Sequence[Sequence[int]]) -> Iterator[np.ndarray]:
            for part in source(number, responses):
                logits = change(part.astype(np.float64))
                yield logits - log_sum_exp(logits)[:, None]

        return read

    def shown(correct: bool) -> Read:
        prompts = [_with_demonstration(student, question, correct) for question in of.questions]
        return lambda number, responses: student.scorer.read(prompts[number], responses, 1.0)

    noise = np.random.default_rng(0).normal(0, NOISE, student.scorer.vocabulary_size)
    own = model(student)
    largest = list(others)[-1]

    def opposite(number: int, responses: Sequence[Sequence[int]]) -> Iterator[np.ndarray]:
        both = own(number, responses), model(others[largest])(number, responses)
        for log_p, log_q in side_by_side(both):
            logits = 2 * log_p.astype(np.float64) - log_q
            yield logits - log_sum_exp(logits)[:, None]

    return {
        **{name: model(one) for name, one in others.items()},
        f"opposite of {largest}": opposite,
        "T = 0.7": model(student, 0.7),
        "T = 0.9": model(student, 0.9),
        "T = 1.4": model(student, 1.4),
        "noise": made(lambda log_p: log_p + noise, own),
        "less noise": made(lambda log_p: log_p + noise / 4, own),
        "shown a correct response": shown(True),
        "shown a wrong response": shown(False),
        "mixed with uniform": made(lambda log_p: np.logaddexp(log_p, np.log(0.1 / log_p.shape[-1])), own),
    }


def _with_demonstration(student: TransformersModel, question: Question, correct: bool) -> list[int]:
    """Prompt with one of the student's own responses; without one if none of 64 has the outcome."""
    prompt = student.tokenizer.encode_chat(question.messages())
    for one in student.sampler.sample([prompt] * 64, [LIMIT] * 64, 0.7, 99):
        text = student.tokenizer.decode(one.token_ids)
        if not one.truncated and is_correct(question, extract_answer(text)) == correct:
            teacher = TeacherConfig(name="shown", context="1c")
            block = teacher_block(question.block(), teacher, [Demonstration(text, True)])
            return student.tokenizer.encode_chat(question.messages(block))
    return prompt


def judged(
    student: TransformersModel, drawn: Sequence[Answers], teachers: Mapping[str, Read], objectives: Sequence[Objective]
) -> np.ndarray:
    """Gradient of each pair in the parameters, the mean over questions, (P, W)."""
    derivatives, total = student.derivatives(), 0
    for number, answers in enumerate(drawn):
        responses = [answers.responses[i] for i in half_of(len(answers.responses), PLANNED)]
        read = {name: teacher(number, responses) for name, teacher in teachers.items()}
        own = student.scorer.read(answers.prompt, responses, 1.0)
        found = half_influence(derivatives, answers, PLANNED, own, read, objectives, [], 1.0)
        total = total + found.gradients.astype(np.float64) / len(drawn)
    return np.asarray(total)


def cost(student: TransformersModel, teachers: Mapping[str, Read], objectives: Sequence[Objective], of: Task) -> str:
    """Processor time of influence, and of reading the same tokens with student and teachers, as a line."""
    answers = answered(student, of, 96, 1)
    derivatives, times = student.derivatives(), {"read": 0.0, "success": 0.0, "judge": 0.0}

    def timed(what: str, work: Callable[[], object]) -> None:
        started = time.process_time()
        work()
        times[what] += time.process_time() - started

    def read(number: int, responses: Sequence[Sequence[int]]) -> None:
        for one in (student.scorer.read(of.prompts[number], responses, 1.0), *_all(teachers, number, responses)):
            for _ in one:
                pass

    def judge(number: int, one: Answers, half: int, directions: list[np.ndarray]) -> None:
        responses = [one.responses[i] for i in half_of(len(one.responses), half)]
        both = dict(zip(teachers, _all(teachers, number, responses), strict=True))
        own = student.scorer.read(one.prompt, responses, 1.0)
        half_influence(derivatives, one, half, own, both, objectives, directions, 1.0)

    directions = [np.ones(derivatives.size, np.float32)] * 4
    for number, one in enumerate(answers):
        timed("read", lambda number=number, one=one: read(number, one.responses))
        timed("success", lambda one=one: success_gradients(derivatives, one, 1.0))
        for half in (0, 1):
            timed("judge", lambda number=number, one=one, half=half: judge(number, one, half, directions))
    tokens = sum(len(response) for one in answers for response in one.responses)
    ratio = (times["success"] + times["judge"]) / times["read"]
    return (
        f"{student.name}, {len(teachers)} teachers, {len(objectives)} objectives, {tokens:,} tokens: reading "
        f"{times['read']:.1f} s, gradient of success {times['success']:.1f} s, influence with all it reads "
        f"{times['judge']:.1f} s of processor time: {ratio:.1f} times reading"
    )


def _all(teachers: Mapping[str, Read], number: int, responses: Sequence[Sequence[int]]) -> list[Slices]:
    return [teacher(number, responses) for teacher in teachers.values()]


def stepped(student: TransformersModel, direction: np.ndarray, step: float) -> TransformersModel:
    """A copy of the student after a step of this length along a direction."""
    model = copy.deepcopy(student.scorer.model)
    flat = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    moved = flat + step * torch.from_numpy(direction / np.linalg.norm(direction)).to(flat)
    torch.nn.utils.vector_to_parameters(moved, model.parameters())
    return wrap(student.name, model, student.tokenizer.tokenizer)


def measure(name: str, arguments: argparse.Namespace) -> Iterator[Arm]:
    """Take a step for every teacher and objective of one student."""
    cache, started = Path(arguments.cache), time.perf_counter()
    student = _model(name, cache)
    others = {other: _model(other, cache) for other in ("tiny-m", "tiny-l", "tiny-xl") if other != name}
    every = load_questions(QuestionsConfig(source="tiny-heldout"))
    # two random sets of the same kind of questions
    order = np.random.default_rng(0).permutation(len(every))[: 2 * arguments.questions]
    sets = {
        "same": task(student, [every[i] for i in order[: arguments.questions]]),
        "other": task(student, [every[i] for i in order[arguments.questions :]]),
    }
    drawn = {
        key: answered(student, of, 2 * arguments.rollouts, 10_000 * (1 + i)) for i, (key, of) in enumerate(sets.items())
    }
    derivatives = student.derivatives()
    gradients = {
        key: np.mean([success_gradients(derivatives, one, 1.0)[list(judges_of(PLANNED))] for one in own], axis=0)
        for key, own in drawn.items()
    }
    for key, (first, second) in gradients.items():
        agree = float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
        print(
            f"{name}, {key}: success {np.mean([one.correct.mean() for one in drawn[key]]):.3f}, "
            f"cosine of the two halves of v {agree:.3f}"
        )
    teachers = teachers_of(student, sets["same"], others)
    if arguments.teachers != ["all"]:
        teachers = {key: teachers[key] for key in arguments.teachers}
    objectives = [objective(label) for label in arguments.objectives]
    if arguments.cost:
        print(cost(student, teachers, objectives, sets["same"]))
        return
    steps = judged(student, drawn["same"], teachers, objectives)
    print(f"{name}: {len(steps)} gradients of {steps.shape[1]:,} parameters in {time.perf_counter() - started:.0f} s")
    before = {key: outcomes(student, of, arguments.samples, 70_000) for key, of in sets.items()}
    pairs = [(teacher, one.label) for teacher in teachers for one in objectives]
    for (teacher, label), direction in zip(pairs, steps, strict=True):
        unit = direction / np.linalg.norm(direction)
        for step in (arguments.step * 2**k for k in range(1 + arguments.doublings)):
            moved = stepped(student, direction, step)
            changes = {key: outcomes(moved, of, arguments.samples, 70_000) - before[key] for key, of in sets.items()}
            products = {key: [float(step * (half @ unit)) for half in both] for key, both in gradients.items()}
            halves = {key: (first, second) for key, (first, second) in products.items()}
            yield Arm(
                name,
                teacher,
                label,
                step,
                {key: sum(both) / 2 for key, both in halves.items()},
                halves,
                {key: float(change.mean()) for key, change in changes.items()},
                {
                    key: float(np.sqrt(change.var(axis=1, ddof=1).sum() / change.shape[1]) / len(change))
                    for key, change in changes.items()
                },
            )


def _model(name: str, cache: Path) -> TransformersModel:
    model = load_model(ModelConfig(name=name), cache)
    assert isinstance(model, TransformersModel)
    return model


def fit(predicted: np.ndarray, measured: np.ndarray) -> tuple[float, float, float]:
    """Slope of measured against predicted through the origin, R² of the identity, and squared correlation."""
    slope = float(predicted @ measured / (predicted @ predicted))
    spread = float(((measured - measured.mean()) ** 2).sum())
    identity = 1 - float(((measured - predicted) ** 2).sum()) / spread
    return slope, identity, float(np.corrcoef(predicted, measured)[0, 1] ** 2)


def report(arms: Sequence[Arm], console: Console) -> None:
    """Print predicted and measured changes, and how well they agree."""
    table = Table(
        "student", "teacher", "objective", "step", "same: predicted", "measured", "other: predicted", "measured"
    )
    for arm in arms:
        cells = [
            cell
            for key in ("same", "other")
            for cell in (f"{arm.predicted[key]:+.4f}", f"{arm.measured[key]:+.4f} ± {arm.error[key]:.4f}")
        ]
        table.add_row(arm.student, arm.teacher, arm.objective, f"{arm.step:g}", *cells)
    console.print(table)
    for student in dict.fromkeys(arm.student for arm in arms):
        for step in dict.fromkeys(arm.step for arm in arms):
            own = [arm for arm in arms if arm.student == student and arm.step == step]
            for key in ("same", "other") if len(own) > 1 else ():
                predicted, measured = (
                    np.array([getattr(a, what)[key] for a in own]) for what in ("predicted", "measured")
                )
                slope, identity, squared = fit(predicted, measured)
                signs = int((np.sign(predicted) == np.sign(measured)).sum())
                noise = float(np.mean([arm.error[key] ** 2 for arm in own]) / measured.var())
                console.print(
                    f"{student}, step {step:g}, {key} questions: slope {slope:.2f}, R² {identity:.3f} (squared "
                    f"correlation {squared:.3f}), {signs} of {len(own)} signs; share of the measured variance that is "
                    f"noise {noise:.3f}"
                )


def main() -> None:
    """Take all steps, and print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--students", nargs="+", default=["tiny-s"])
    parser.add_argument(
        "--teachers", nargs="+", default=["tiny-l", "T = 0.7", "noise", "shown a correct response"], help="or all"
    )
    parser.add_argument("--objectives", nargs="+", default=["reverse_kl"])
    parser.add_argument("--questions", type=int, default=12, help="questions of each set")
    parser.add_argument("--rollouts", type=int, default=48, help="rollouts a question for v, and as many for the step")
    parser.add_argument("--samples", type=int, default=192, help="rollouts a question before and after")
    parser.add_argument("--step", type=float, default=0.016, help="length of the step in the parameters")
    parser.add_argument("--doublings", type=int, default=0, help="further steps, each twice as long")
    parser.add_argument("--cost", action="store_true", help="measure the time of influence instead of taking steps")
    parser.add_argument("--out", type=Path, default=None, help="file to append each result to, as JSON")
    parser.add_argument("--cache", default="cache")
    arguments = parser.parse_args()
    started, arms = time.perf_counter(), []
    for student in arguments.students:
        for arm in measure(student, arguments):
            arms.append(arm)
            if arguments.out is not None:
                with arguments.out.open("a") as file:
                    file.write(json.dumps(asdict(arm)) + "\n")
    if arms:
        report(arms, Console(width=150))
    sizes = f"{arguments.questions} questions of each set, {arguments.rollouts} rollouts a question for v and for steps"
    print(f"{sizes}, {arguments.samples} before and after; {time.perf_counter() - started:.0f} s")
    print(conditions(", ".join(arguments.students), 1))


if __name__ == "__main__":
    main()
