"""The weights in training: the loops shown in docs/ run, and learn on the right tokens."""

import copy
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from odd.config import ModelConfig, WeightsConfig
from odd.export.weights import training_rows, write_weights
from odd.method.success import wilson
from odd.models.registry import load_model
from odd.models.transformers.language_model import wrap
from odd.questions.answers import extract_answer
from odd.questions.base import Question
from odd.questions.verifiers import is_correct
from odd.store import RunReader
from tests.runs import QUESTIONS

ROOT = Path(__file__).parents[2]
SAMPLES = 100


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LOOP = example("train_with_weights")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    cache = tmp_path_factory.mktemp("models")
    return tuple(load_model(ModelConfig(name=name), cache) for name in ("tiny-s", "tiny-m"))


def rows_of(finished, **asked):
    with RunReader(finished[1]) as reader:
        return training_rows(reader, WeightsConfig(**{"teacher": "tiny-m"} | asked))[0]


@pytest.fixture(scope="module")
def kept(finished):
    rows = rows_of(finished)
    assert 0 < sum(weights.sum() for weights in rows["loss_weights"]) < sum(map(len, rows["loss_weights"]))
    return rows


def weighted_loss(student, teacher, rows):
    """Mean loss on tokens with weight."""
    with torch.no_grad():
        pairs = [
            (row["loss_weights"], LOOP.token_losses(student, teacher, row).numpy()) for row in rows.to_dict("records")
        ]
    weights, losses = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return float((weights * losses).sum() / weights.sum())


def passed(student, model):
    """Number of correct answers among `SAMPLES` for each question that has any."""
    asked = wrap("trained", model, student.tokenizer.tokenizer)
    right = 0
    for number, line in enumerate(QUESTIONS[:2]):
        question = Question.model_validate(line)
        prompt = asked.tokenizer.encode_chat(question.messages())
        drawn = asked.sampler.sample([prompt] * SAMPLES, [64] * SAMPLES, 1.0, number)
        texts = ["" if one.truncated else asked.tokenizer.decode(one.token_ids) for one in drawn]
        right += sum(is_correct(question, extract_answer(text)) for text in texts)
    return right, 2 * SAMPLES


def test_the_readme_shows_the_loop_as_it_is():
    blocks = (ROOT / "docs" / "training.md").read_text().split("```python\n")[1:]
    shown = [block.split("```")[0].strip() for block in blocks]
    source = (ROOT / "docs/examples/train_with_weights.py").read_text()
    assert any("def token_losses" in block for block in shown)
    assert all(block in source for block in shown)


def test_the_loss_of_a_token_is_the_reverse_kl_that_the_run_stored(finished, kept, models):
    student, teacher = (model.scorer.model for model in models)
    row = kept.to_dict("records")[0]
    with torch.no_grad():
        losses = LOOP.token_losses(student, teacher, row).numpy()
    with RunReader(finished[1]) as reader:
        stored = reader.query("scores", objective="reverse_kl", convention="on_policy-full-off")
    own = stored[(stored.question == row["question"]) & (stored.path == row["path"]) & (stored.teacher == "tiny-m")]
    assert len(own)
    np.testing.assert_allclose(losses[own["position"]], own["kl_student_teacher"], atol=1e-5)


def test_a_token_without_weight_gets_exactly_no_gradient(kept, models):
    student, teacher = copy.deepcopy(models[0].scorer.model), models[1].scorer.model
    seen = []

    def watch(module, inputs, output):
        output.logits.retain_grad()
        seen.append(output.logits)

    student.register_forward_hook(watch)
    mixed = (row for row in kept.to_dict("records") if 0 < row["loss_weights"].sum() < len(row["loss_weights"]))
    row = next(mixed)
    weights = torch.tensor(row["loss_weights"])
    (weights * LOOP.token_losses(student, teacher, row)).sum().backward()
    gradient = seen[0].grad[0]
    assert (gradient[weights == 0] == 0).all()
    assert (gradient[weights > 0].abs().sum(-1) > 0).all()


@pytest.mark.slow
def test_training_with_and_without_the_mask(finished, kept, models, record_property):
    """Print the pass rates; each student lowers its own loss, and the two differ."""
    (student, teacher), every = models, rows_of(finished, rule="all")
    trained = {}
    for name, rows in {"all tokens": every, "Align > 0": kept}.items():
        learner = copy.deepcopy(student.scorer.model)
        LOOP.train(learner, teacher.scorer.model, rows, steps=30, learning_rate=3e-4)
        before, after = (weighted_loss(model, teacher.scorer.model, rows) for model in (student.scorer.model, learner))
        assert after < 0.9 * before, name
        trained[name] = learner
    parameters = [torch.cat([p.detach().flatten() for p in model.parameters()]) for model in trained.values()]
    assert (parameters[0] - parameters[1]).abs().max() > 1e-4
    for name, model in {"before": student.scorer.model, **trained}.items():
        right, asked = passed(student, model)
        low, high = wilson(np.array(right), np.array(asked))
        line = f"{right / asked:.3f} [{float(low):.3f}, {float(high):.3f}] of {asked}"
        record_property(f"pass rate, {name}", line)
        print(f"{name}: {line}")


@pytest.mark.slow
def test_trls_trainer_learns_from_the_files(kept, models, tmp_path):
    trl_gkd = example("trl_gkd")
    file = write_weights(kept, {}, tmp_path)[0]
    learner = copy.deepcopy(models[0].scorer.model)
    settings = {
        "max_steps": 12,
        "per_device_train_batch_size": 4,
        "learning_rate": 3e-4,
        "use_cpu": True,
        "bf16": False,
    }
    before = weighted_loss(learner, models[1].scorer.model, kept)
    settings |= {"output_dir": str(tmp_path / "out"), "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True}
    trainer = trl_gkd.train(learner, models[1].scorer.model, models[0].tokenizer.tokenizer, file, **settings)
    first = next(step["loss"] for step in trainer.state.log_history if "loss" in step)
    assert first == pytest.approx(before, rel=1e-3)  # TRL's loss covers the kept tokens only
    assert weighted_loss(learner, models[1].scorer.model, kept) < 0.95 * before
