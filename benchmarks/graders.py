"""Agreement of ODD's verifiers with two public graders, on responses of the embedded models to the bundled questions.

    python -m benchmarks.graders            # needs lm-eval for its column: pip install lm-eval

math-verify is asked as its README shows: `verify(parse(gold), parse(response))`, for letters and words with its
extraction of strings. Of lm-evaluation-harness, the flexible filters of its zero-shot tasks are used: of gsm8k_cot for
numbers, of mmlu_flan_cot_zeroshot for letters, and of bbh_cot_zeroshot_navigate for yes and no.
"""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from math_verify import ExprExtractionConfig, LatexExtractionConfig, StringExtractionConfig, parse, verify
from rich.console import Console
from rich.table import Table

from odd.config import ModelConfig, QuestionsConfig, SamplingConfig
from odd.method.success import wilson
from odd.models.registry import load_model
from odd.questions.base import Question
from odd.questions.sources import load_questions
from odd.rollouts.sampling import Rollout, sample_chunk
from odd.text import shortened, visible_text

ASKED = (("tiny-s", "tiny-heldout", 8), ("tiny-l", "tiny-heldout", 8))
ASKED += tuple(("smollm2", f"general-{kind}", 2) for kind in ("number", "choice", "yes-no"))
"""Model, question set, and responses to each question."""
SAMPLING = SamplingConfig(max_new_tokens=128, batch_size=64)
EXAMPLES = 12
"""Disagreements that are printed for each grader."""

Grade = Callable[[Question, str], bool]


def by_math_verify(question: Question, response: str) -> bool:
    """Judge a response by math-verify's own parsing of all of it."""
    if question.kind == "choice":
        configs = [StringExtractionConfig(strings=tuple("ABCDEFGHIJ"[: len(question.choices)]))]
    elif question.kind == "yes_no":
        configs = [StringExtractionConfig(strings=("yes", "no"))]
    else:
        configs = [LatexExtractionConfig(), ExprExtractionConfig()]
    gold = parse(question.answer, extraction_config=configs)
    return bool(verify(gold, parse(response, extraction_config=configs)))


def by_lm_eval() -> Grade:
    """Return a grader that applies the flexible filters of lm-evaluation-harness, and compares as its metric does."""
    from lm_eval.filters.extraction import MultiChoiceRegexFilter, RegexFilter  # pyright: ignore[reportMissingImports]

    number = RegexFilter(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", group_select=-1)
    word = RegexFilter(r"\b(Yes|No|yes|no)\b", group_select=-1)
    letter = MultiChoiceRegexFilter(r"(\([A-Z]\))", group_select=-1, ignore_case=True, ignore_punctuation=True)
    filters = {"number": number, "yes_no": word, "choice": letter}

    def grade(question: Question, response: str) -> bool:
        found = filters[question.kind].apply([[response]], [{"choices": list(question.choices)}])
        (said,) = next(iter(found))
        if question.kind == "number":
            said = said.replace(",", "").replace("$", "").removesuffix(".")
        return said.strip("()").lower() == question.answer.lower()

    return grade


def responses() -> Iterator[tuple[str, Question, Rollout]]:
    """Yield model, question and response."""
    with tempfile.TemporaryDirectory() as cache:
        for name, questions, count in ASKED:
            model = load_model(ModelConfig(name=name), Path(cache))
            for question in load_questions(QuestionsConfig(source=questions)):
                prompt = model.tokenizer.encode_chat(question.messages())
                for rollout in sample_chunk(model, question, prompt, [()] * count, SAMPLING, "initial", 0, "graders"):
                    yield name, question, rollout


def main() -> None:
    """Print the table of agreement, and disagreements."""
    graders: dict[str, Grade] = {"math-verify": by_math_verify}
    if find_spec("lm_eval") is not None:
        graders["lm-eval"] = by_lm_eval()
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    differing: defaultdict[str, list[str]] = defaultdict(list)
    for model, question, rollout in responses():
        if rollout.truncated:  # wrong for ODD whatever it says
            continue
        count = counts[model, question.kind]
        count["responses"] += 1
        count["correct"] += rollout.correct
        for name, grade in graders.items():
            theirs = grade(question, rollout.text)
            count[name] += theirs == rollout.correct
            if theirs != rollout.correct:
                said = "right" if rollout.correct else "wrong"
                differing[name].append(
                    f"{model}, {question.id}: ODD {said} ({rollout.answer!r}, gold {question.answer!r}): "
                    f"{shortened(rollout.text, 200)!r}"
                )
    console = Console(width=140)
    table = Table("model", "kind", "responses", "correct by ODD", *(f"agree with {name}" for name in graders))
    for (model, kind), count in counts.items():
        shares = [_share(count[name], count["responses"]) for name in graders]
        table.add_row(model, kind, f"{count['responses']:,}", f"{count['correct']:,}", *shares)
    console.print(table)
    for name, lines in differing.items():
        chosen = np.random.default_rng(0).permutation(len(lines))[:EXAMPLES]
        console.print(f"{name}: {len(lines):,} disagreements, such as", markup=False)
        for i in chosen:
            console.print(visible_text(f"  {lines[i]}"), markup=False, highlight=False)


def _share(agreeing: int, count: int) -> str:
    low, high = wilson(np.array(agreeing), np.array(count))
    return f"{agreeing / count:.1%} [{100 * float(low):.1f}, {100 * float(high):.1f}]"


if __name__ == "__main__":
    main()
