"""Choose the bundled questions of the `smollm2` set by measured pass rate.

Every candidate is sampled `SAMPLES` times at temperature 1 with two worked examples of its kind as earlier turns.
Candidates with a pass rate of SmolLM2-135M-Instruct between `LOWEST` and `HIGHEST` are kept. This is well within 0.1 to
0.9, so that the rollouts of a run stay in that range, too. The measurements are printed.

    python -m scripts.smollm2_questions
"""

from pathlib import Path

from odd.config import ModelConfig, SamplingConfig
from odd.models.registry import load_model
from odd.questions.base import Kind, Question, Shot
from odd.rollouts.sampling import sample_chunk

SAMPLES = 64
LOWEST, HIGHEST, KEPT = 0.2, 0.8, 4  # KEPT per kind
SHOTS: dict[Kind, tuple[Shot, ...]] = {
    "yes_no": (
        Shot(
            question="Is a whale larger than a mouse?",
            response="A whale is many metres long. A mouse fits into a hand. So a whale is larger.\nAnswer: yes",
        ),
        Shot(question="Can a dog fly?", response="Birds fly with wings. A dog has no wings.\nAnswer: no"),
    ),
    "number": (
        Shot(question="What is 3 + 4?", response="We have 3 and add 4, so 3 + 4 = 7.\nAnswer: 7"),
        Shot(question="What is 8 - 2?", response="We have 8 and take away 2, so 8 - 2 = 6.\nAnswer: 6"),
    ),
}
CANDIDATES: tuple[tuple[str, str, Kind], ...] = (
    ("Is ice warmer than boiling water?", "no", "yes_no"),
    ("What is 6 + 7?", "13", "number"),
    ("Do fish live in water?", "yes", "yes_no"),
    ("What is 5 + 4?", "9", "number"),
    ("Can a stone swim?", "no", "yes_no"),
    ("What is 9 - 4?", "5", "number"),
    ("Is a train heavier than a bicycle?", "yes", "yes_no"),
    ("What is 10 - 3?", "7", "number"),
    ("Are there 8 days in a week?", "no", "yes_no"),
    ("What is 12 + 5?", "17", "number"),
    ("Is the sun hotter than the moon?", "yes", "yes_no"),
    ("What is 7 - 5?", "2", "number"),
    ("Is milk black?", "no", "yes_no"),
    ("Tom has 3 apples and buys 2 more. How many apples does he have?", "5", "number"),
    ("Does a car have wheels?", "yes", "yes_no"),
    ("What is 8 + 6?", "14", "number"),
)


def main() -> None:
    """Measure the candidates and write the set."""
    model = load_model(ModelConfig(name="smollm2"), Path("cache"))
    sampling = SamplingConfig(max_new_tokens=64)
    kept: dict[Kind, list[Question]] = {kind: [] for kind in SHOTS}
    for number, (text, answer, kind) in enumerate(CANDIDATES, start=1):
        question = Question(id=f"s{number:02d}", question=text, answer=answer, kind=kind, shots=SHOTS[kind])
        prompt = model.tokenizer.encode_chat(question.messages())
        rollouts = sample_chunk(model, question, prompt, [()] * SAMPLES, sampling, "initial", 0)
        rate = sum(rollout.correct for rollout in rollouts) / SAMPLES
        answered = sum(rollout.answer is not None for rollout in rollouts) / SAMPLES
        print(f"{question.id} passed {rate:.2f} answered {answered:.2f} {text}", flush=True)
        if LOWEST <= rate <= HIGHEST:
            kept[kind].append(question)
    chosen = [question for questions in kept.values() for question in questions[:KEPT]]
    lines = [question.model_dump_json(exclude_defaults=True) for question in sorted(chosen, key=lambda q: q.id)]
    Path("odd/questions/data/smollm2.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
