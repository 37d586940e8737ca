"""Influence on a model whose responses can all be listed: it is the derivative of the exact success."""

import copy

import numpy as np
import pytest
import torch

from odd.analysis.influence import Answers, Stream, half_influence, half_of, success_gradients
from odd.method.influence import judges_of, outcome_weights
from odd.method.objectives import objective
from odd.method.tree import distinct_places
from tests.models.enumerable import (
    CORRECT,
    PROMPT,
    RESPONSES,
    derivatives_of,
    enumerable,
    flat,
    log_probs_of,
    success,
    success_gradient,
)

OBJECTIVES = [objective("reverse_kl"), objective("forward_kl"), objective("jsd", beta=0.3)]


def drawn(count=40, seed=0):
    """Rollouts of any distribution: influence is exact for whatever is given."""
    chosen = np.random.default_rng(seed).integers(len(RESPONSES), size=count)
    return Answers(PROMPT, [RESPONSES[i] for i in chosen], np.array(CORRECT)[chosen])


def distributions(model, responses, temperature=1.0):
    """Distributions of a model along responses, one slice per place."""
    for number, position in distinct_places(responses):
        yield log_probs_of(model, responses[number], temperature)[position].detach().numpy()[None]


def judged(model, teachers, directions, half=0, answers=None, temperature=1.0):
    answers = answers or drawn()
    responses = [answers.responses[i] for i in half_of(len(answers.responses), half)]
    others = {name: distributions(teacher, responses, temperature) for name, teacher in teachers.items()}
    own = distributions(model, responses, temperature)
    found = derivatives_of(model)
    return half_influence(found, answers, half, own, others, OBJECTIVES, directions, temperature)


def total_of(found):
    """Sum over the tokens of a rollout, mean over rollouts, (K, P)."""
    return sum(found.values[..., own].sum(-1) for own in found.prefixes) / len(found.prefixes)


def stepped(model, direction, size):
    """Success after a step, in float64."""
    moved = copy.deepcopy(model).double()
    torch.nn.utils.vector_to_parameters(
        torch.nn.utils.parameters_to_vector(moved.parameters()) + size * torch.from_numpy(direction), moved.parameters()
    )
    with torch.no_grad():
        return float(success(moved))


def test_the_sum_over_tokens_is_the_derivative_of_exact_success_along_the_teachers_gradient():
    model, teachers = enumerable(), {"a": enumerable(seed=1), "b": enumerable(seed=2)}
    found = judged(model, teachers, [success_gradient(model)])
    assert len(found.gradients) == len(teachers) * len(OBJECTIVES)
    for pair, gradient in enumerate(found.gradients.astype(np.float64)):
        unit = gradient / np.linalg.norm(gradient)
        change = (stepped(model, unit, 1e-4) - stepped(model, unit, -1e-4)) / 2e-4
        assert total_of(found)[0, pair] / np.linalg.norm(gradient) == pytest.approx(change, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_sum_over_tokens_is_the_product_of_the_two_parameter_gradients(temperature):
    model, direction = enumerable("tied"), np.random.default_rng(3).normal(size=4000).astype(np.float32)
    direction = direction[: derivatives_of(model).size]
    found = judged(model, {"a": enumerable(seed=1)}, [direction], temperature=temperature)
    np.testing.assert_allclose(total_of(found)[0], found.gradients @ direction, rtol=1e-4, atol=1e-4)


def test_the_gradient_is_that_of_the_distillation_loss():
    model, teacher, answers = enumerable(), enumerable(seed=1), drawn()
    found = judged(model, {"a": teacher}, [])
    loss = 0
    rollouts = half_of(len(answers.responses), 0)
    for i in rollouts:
        log_p, log_q = (log_probs_of(one, answers.responses[i]) for one in (model, teacher))
        loss = loss + (log_p.exp() * (log_p - log_q.detach())).sum() / len(rollouts)
    expected = -flat(torch.autograd.grad(loss, list(model.parameters()))).numpy()
    np.testing.assert_allclose(found.gradients[0], expected, atol=1e-4)


def test_the_gradient_of_success_is_the_weighted_gradient_of_log_probabilities():
    model, answers = enumerable(), drawn()
    weights = outcome_weights(answers.correct)
    found = success_gradients(derivatives_of(model), answers, 0.8)
    for quarter in range(4):
        total = sum(
            weight * log_probs_of(model, response, 0.8)[torch.arange(len(response)), list(response)].sum()
            for weight, response in zip(weights[quarter], answers.responses, strict=True)
        )
        expected = flat(torch.autograd.grad(total, list(model.parameters()))).numpy()
        np.testing.assert_allclose(found[quarter], expected, atol=1e-4)


def test_a_teacher_that_equals_the_student_has_no_influence_anywhere():
    model = enumerable()
    found = judged(model, {"itself": copy.deepcopy(model), "other": enumerable(seed=1)}, [success_gradient(model)])
    itself, other = np.split(found.values, 2, axis=1)
    kl, jsd = itself[:, :2], itself[:, 2]
    assert not kl.any() and np.abs(jsd).max() < 1e-14 and np.abs(other).min() > 1e-9
    assert np.abs(found.gradients[: len(OBJECTIVES)]).max() < 1e-14


def test_the_order_of_rollouts_within_a_quarter_changes_nothing():
    model = enumerable()
    direction, answers = success_gradient(model), drawn()
    order = np.arange(40).reshape(-1, 4)[::-1].ravel()
    other = Answers(PROMPT, [answers.responses[i] for i in order], answers.correct[order])
    np.testing.assert_allclose(
        success_gradients(derivatives_of(model), other, 1.0),
        success_gradients(derivatives_of(model), answers, 1.0),
        atol=1e-4,
    )
    both = [judged(model, {"a": enumerable(seed=1)}, [direction], answers=one) for one in (answers, other)]
    np.testing.assert_allclose(both[1].gradients, both[0].gradients, atol=1e-4)
    by_prefix = [
        {
            one.responses[rollout][:position]: found.values[0, 0, place]
            for rollout, own in zip(found.rollouts, found.prefixes, strict=True)
            for position, place in enumerate(own)
        }
        for one, found in zip((answers, other), both, strict=True)
    ]
    assert by_prefix[0] == pytest.approx(by_prefix[1], abs=1e-5)


def test_the_rollouts_of_a_half_are_not_in_the_quarters_that_judge_it():
    for half in (0, 1):
        assert not np.isin(half_of(18, half) % 4, judges_of(half)).any()
    assert sorted([*half_of(18, 0), *half_of(18, 1)]) == list(range(18))


def test_slices_of_any_length_are_taken_in_order():
    rows = np.arange(12).reshape(6, 2)
    stream = Stream([rows[:1], rows[1:5], rows[5:]])
    taken = [stream.take(count) for count in (3, 2, 1)]
    np.testing.assert_array_equal(np.concatenate(taken), rows)
    stream.close()


def test_models_that_read_different_numbers_of_prefixes_are_refused():
    with pytest.raises(ValueError, match="fewer distributions"):
        Stream([np.zeros((1, 2))]).take(2)
    with pytest.raises(ValueError, match="more distributions"):
        Stream([np.zeros((1, 2))]).close()
