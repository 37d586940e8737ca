"""Choose the bundled questions of the `smollm2` set by measured pass rate.

Every candidate is asked `SAMPLES` times at temperature 1 with two worked examples as earlier turns; those that
SmolLM2-135M-Instruct passes between 0.1 and 0.9 are kept. The measurement is printed.

    python -m scripts.smollm2_questions
"""

from pathlib import Path

from odd.config import ModelConfig, SamplingConfig
from odd.models.registry import load_model
from odd.questions.base import Kind, Question, Shot
from odd.rollouts import sample_chunk

SAMPLES = 40
LOWEST, HIGHEST, KEPT = 0.1, 0.9, 8
SHOTS = (
    Shot(
        question="Is a whale larger than a mouse?",
        response="A whale is many metres long. A mouse fits into a hand. So a whale is larger.\nAnswer: yes",
    ),
    Shot(question="What is 3 + 4?", response="We start with 3 and add 4. That makes 7.\nAnswer: 7"),
)
CANDIDATES: tuple[tuple[str, str, Kind], ...] = (
    ("Is the sun a planet?", "no", "yes_no"),
    ("What is 9 - 4?", "5", "number"),
    ("Do fish live in water?", "yes", "yes_no"),
    ("What is 6 + 7?", "13", "number"),
    ("Is ice warmer than boiling water?", "no", "yes_no"),
    ("What is 3 * 4?", "12", "number"),
    ("Can a stone swim?", "no", "yes_no"),
    ("Tom has 3 apples and buys 2 more. How many apples does he have?", "5", "number"),
    ("Is a bicycle heavier than a train?", "no", "yes_no"),
    ("A box holds 6 eggs. How many eggs are in 2 boxes?", "12", "number"),
    ("Are there 8 days in a week?", "no", "yes_no"),
    ("What is 10 - 3?", "7", "number"),
)


def main() -> None:
    """Measure and write."""
    model = load_model(ModelConfig(name="smollm2"), Path("cache"))
    sampling = SamplingConfig(max_new_tokens=64)
    kept: list[Question] = []
    for number, (text, answer, kind) in enumerate(CANDIDATES, start=1):
        question = Question(id=f"s{number:02d}", question=text, answer=answer, kind=kind, shots=SHOTS)
        prompt = model.encode_chat(question.messages())
        rollouts = sample_chunk(model, question, prompt, [()] * SAMPLES, sampling, "initial", 0)
        rate = sum(rollout.correct for rollout in rollouts) / SAMPLES
        print(f"{question.id} {rate:.2f} {text}", flush=True)
        if LOWEST <= rate <= HIGHEST:
            kept.append(question)
    lines = [question.model_dump_json(exclude_defaults=True) for question in kept[:KEPT]]
    Path("odd/questions/data/smollm2.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
