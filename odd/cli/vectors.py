"""Test vectors: compute all quantities of the method for the inputs of a document.

A document contains `cases` (single nodes), `questions` (tabular language models with rollouts), or both. Unknown keys,
including expected results, are never read. Undefined values are None (JSON null).
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, Field, StrictBool, ValidationError, model_validator

from odd.errors import OddError
from odd.method.alignment import cosine, gain, success_range, teacher_advantage
from odd.method.conventions import Baseline
from odd.method.divergences import divergences, top_k_overlap
from odd.method.gradients import ideal_gradient
from odd.method.logspace import log_sum_exp, restrict
from odd.method.node_signal import NodeSignal
from odd.method.objectives import Objective, Rollouts, objective
from odd.method.objectives.base import Taken
from odd.method.pooling import RULES, Sample
from odd.method.success import jeffreys, wilson
from odd.method.tree import Tree, build_tree
from odd.models.tabular import TabularModel

DETERMINISTIC = (
    objective("reverse_kl"),
    objective("forward_kl"),
    *(objective("jsd", beta=beta) for beta in (0.1, 0.5, 0.9)),
)
SAMPLED = (objective("sampled_reverse_kl"), objective("dr_grpo"))


LARGEST = 1e15  # maximum of logits and weights, whose sums and squares are then far from overflow
DEEPEST = 256  # maximum length of a prefix: exact success recurses over the model
TABLE_SIZE = 10_000_000  # maximum number of probabilities of one model: 80 MB


def _bounded_or_impossible(value: float) -> float:
    if not (abs(value) <= LARGEST or value == -math.inf):
        raise ValueError(f"a logit must be a number from {-LARGEST:g} to {LARGEST:g}, or -Infinity")
    return value


Logit = Annotated[float, AfterValidator(_bounded_or_impossible)]
Weight = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**31)]
Token = Annotated[int, Field(ge=0, lt=TABLE_SIZE)]
Prefix = Annotated[list[Token], Field(max_length=DEEPEST)]


class _Case(BaseModel):
    student_logits: list[Logit] = Field(min_length=1)
    teacher_logits: list[Logit]
    visits: list[Count]
    successes: list[Count]
    support: list[Token]

    @model_validator(mode="after")
    def _consistent(self) -> "_Case":
        size = len(self.student_logits)
        if not size == len(self.teacher_logits) == len(self.visits) == len(self.successes):
            raise ValueError("student_logits, teacher_logits, visits and successes must have the same length")
        if any(won > visited for won, visited in zip(self.successes, self.visits, strict=True)):
            raise ValueError("successes must not exceed visits")
        if len(set(self.support)) < len(self.support) or any(token >= size for token in self.support):
            raise ValueError(f"support must contain distinct token ids below {size}")
        if math.inf == -max(self.student_logits) or math.inf == -max(self.teacher_logits):
            raise ValueError("a distribution needs at least one finite logit")
        return self


class _Row(BaseModel):
    prefix: Prefix
    weights: dict[Token, Weight] = Field(min_length=1)


class _Rollout(BaseModel):
    tokens: Annotated[list[Token], Field(min_length=1, max_length=DEEPEST + 1)]
    forced: Count
    correct: StrictBool

    @model_validator(mode="after")
    def _consistent(self) -> "_Rollout":
        if self.forced > len(self.tokens):
            raise ValueError("forced must not exceed the number of tokens")
        return self


class _Question(BaseModel):
    weights: list[_Row] = Field(min_length=1)
    correct_leaves: list[list[Token]]
    rollouts: list[_Rollout]

    @model_validator(mode="after")
    def _small(self) -> "_Question":
        size = len(self.weights) * (1 + max(token for row in self.weights for token in row.weights))
        if size > TABLE_SIZE:
            raise ValueError(f"rows times vocabulary must not exceed {TABLE_SIZE}, not {size}: number tokens from 0")
        return self


class _Document(BaseModel):
    cases: list[_Case] | None = None
    questions: list[_Question] | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> "_Document":
        if self.cases is None and self.questions is None:
            raise ValueError("'cases' and 'questions' are both missing")
        return self


def compute_vectors(document: Any) -> dict[str, Any]:
    """Compute the results of a document of test vectors.

    Args:
        document: parsed JSON.

    Returns:
        `cases` with all quantities of each node and `questions` with all edges of each model, in input order.

    Raises:
        OddError: the document is malformed.
    """
    if not isinstance(document, dict):
        raise OddError("test vectors: the document is not a JSON object; give it a key 'cases' or 'questions'")
    try:
        parsed = _Document.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        problem = first["msg"].removeprefix("Value error, ")
        raise OddError(f"test vectors: {place}: {problem}; correct it in the file") from None
    result: dict[str, Any] = {}
    if parsed.cases is not None:
        result["cases"] = [_plain(_case(case)) for case in parsed.cases]
    if parsed.questions is not None:
        result["questions"] = [_plain(_question(i, question)) for i, question in enumerate(parsed.questions)]
    return result


def _case(case: _Case) -> dict[str, Any]:
    log_p, log_q = (_log_softmax(logits) for logits in (case.student_logits, case.teacher_logits))
    visits, successes = np.array(case.visits), np.array(case.successes)
    support = np.array(case.support, dtype=np.int64)
    with np.errstate(invalid="ignore"):
        success = successes[support] / visits[support]
    asked = (*DETERMINISTIC, *SAMPLED)
    node = NodeSignal.of(log_p, log_q[None], Rollouts(np.arange(len(log_p)), visits, successes), asked)
    taken = Taken(visits, successes)
    full = ideal_gradient(node.student(support, "full", "off"), success)
    ideal = np.zeros(len(log_p))
    ideal[support] = full
    scores = {one.label: _scores(node, one, support, success, ("full", "children")) for one in DETERMINISTIC}
    scores |= {one.label: _scores(node, one, support, success, ("full",)) for one in SAMPLED}
    return {
        "ideal": ideal,
        "gradients": {one.label: one.gradient(log_p, log_q, taken) for one in asked},
        "alignment": {label: alignment for label, (alignment, _) in scores.items()},
        "gain": {label: gains for label, (_, gains) in scores.items()},
        "advantage": teacher_advantage(*_on_children(log_p, log_q, support), success, np.zeros(())),
        "success_range": success_range(success),
        **vars(divergences(log_p, log_q)),
        "overlap_top3": top_k_overlap(log_p, log_q, 3),
        "wilson": np.column_stack(wilson(successes[support], visits[support])),
        "jeffreys": np.column_stack(jeffreys(successes[support], visits[support])),
    }


def _on_children(log_p: np.ndarray, log_q: np.ndarray, support: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both distributions renormalised on the children; the teacher's is NaN if one of them is unknown."""
    p, q = (np.exp(restrict(part, support)) for part in (log_p, log_q))
    return p, np.where((log_q[support] > -np.inf).all(), q, np.nan)


def _scores(
    node: NodeSignal, one: Objective, support: np.ndarray, success: np.ndarray, baselines: tuple[Baseline, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compute alignment and gain by baseline."""
    alignment, gains = {}, {}
    for baseline in baselines:
        ideal = ideal_gradient(node.student(support, baseline, "off"), success)
        teacher = node.components(one, support, baseline, "off")[0]
        alignment[baseline], gains[baseline] = cosine(ideal, teacher), gain(ideal, teacher)
    return alignment, gains


def _question(index: int, question: _Question) -> dict[str, Any]:
    try:
        model = TabularModel.from_weights({(): [row.model_dump() for row in question.weights]})
    except OddError as error:
        raise OddError(f"test vectors: questions.{index}: {error}") from None
    for i, rollout in enumerate(question.rollouts):
        _check_rollout(model, rollout.tokens, f"questions.{index}.rollouts.{i}")
    correct_leaves = {tuple(leaf) for leaf in question.correct_leaves}
    tree = build_tree([rollout.tokens for rollout in question.rollouts])
    forced = np.array([rollout.forced for rollout in question.rollouts], dtype=np.int64)
    correct = np.array([rollout.correct for rollout in question.rollouts], dtype=bool)
    sample = Sample(tree, forced, correct, _edge_probabilities(model, tree))
    counts = {name: RULES[name].success(sample).counts for name in ("on_policy", "pooled")}
    value = RULES["stratified"].success(sample).value
    edges = []
    for row in question.weights:
        for token in row.weights:
            prefix = (*row.prefix, token)
            node = tree.find(prefix)
            edge = {
                "node": row.prefix,
                "token": token,
                "probability": model.probabilities(row.prefix)[token],
                "p_succ_exact": model.p_succ(prefix, correct_leaves.__contains__),
            }
            for name, one in counts.items():
                edge[name] = [int(one.visits[node]), int(one.successes[node])] if node >= 0 else [0, 0]
            edges.append({**edge, "stratified": value[node] if node >= 0 else math.nan})
    return {"root_value_exact": model.p_succ((), correct_leaves.__contains__), "edges": edges}


def _edge_probabilities(model: TabularModel, tree: Tree) -> np.ndarray:
    probability = np.full(tree.size, np.nan)
    for node in range(1, tree.size):
        *prefix, token = tree.token[tree.path(node)[1:]].tolist()
        probability[node] = model.probabilities(prefix)[token]
    return probability


def _check_rollout(model: TabularModel, tokens: Sequence[int], place: str) -> None:
    for t, token in enumerate(tokens):
        possible = not model.is_terminal(tokens[:t]) and token < model.vocabulary_size
        if not (possible and model.probabilities(tokens[:t])[token] > 0):
            raise OddError(f"test vectors: {place}: token {token} cannot follow {list(tokens[:t])}; add its weight")


def _log_softmax(logits: Sequence[float]) -> np.ndarray:
    x = np.array(logits, dtype=np.float64)
    return x - log_sum_exp(x)


def _plain(value: Any) -> Any:
    """Convert to JSON types; undefined numbers become None."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
