"""Every setting of a run, with its default, and the fingerprint of what determines the rollouts.

All defaults of the program are written down here and nowhere else. Configurations are frozen: what a run was made
with is stored beside its results and never changes.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from odd.errors import OddError

Pooling = Literal["on_policy", "stratified", "pooled"]
Baseline = Literal["full", "children"]
Rest = Literal["off", "bucket"]
ObjectiveName = Literal[
    "reverse_kl",
    "forward_kl",
    "jsd",
    "sampled_reverse_kl",
    "dr_grpo",
    "topk_reverse_kl",
    "topk_forward_kl",
]
ContextKind = Literal["none", "1c", "1c1w"]


def _repeated(names: Sequence[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)


class Settings(BaseModel):
    """Base of all settings: frozen; unknown keys are refused, and numbers that JSON cannot hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelConfig(Settings):
    """Which model, and how it is run.

    `name` is an embedded model (`python -m odd models` lists them), a local path, or a hub name.
    """

    name: str = Field(default="tiny-s", min_length=1)
    device: str = Field(default="cpu", pattern=r"^(cpu|cuda(:\d+)?)$")
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


class QuestionsConfig(Settings):
    """Which questions: a bundled set or a JSON Lines file."""

    source: str = "tiny-demo"
    limit: int | None = Field(default=None, ge=1)


class SamplingConfig(Settings):
    """How the student is sampled. The probabilities in gradients are those of this distribution."""

    initial_rollouts: int = Field(default=200, ge=1, description="G, rollouts from the root")
    max_new_tokens: int = Field(default=128, ge=1)
    temperature: float = Field(default=1.0, ge=0.01, le=100)
    batch_size: int = Field(default=128, ge=1, description="rollouts sampled together; part of the seed's meaning")
    seed: int = Field(default=0, ge=0)


class TargetingConfig(Settings):
    """Where targeted rollouts go (method §5)."""

    correct_paths: int = Field(default=2, ge=0)
    incorrect_paths: int = Field(default=2, ge=0)
    first_window: int = Field(default=50, ge=1, description="tokens; each next window is twice as long")
    tau: float = Field(default=0.02, ge=0, lt=1, description="candidates need P_theta > tau or P_te > tau")
    n_gradient: int = Field(default=8, ge=0, description="pairs a window by |P_theta (l - mean l)|")
    n_difference: int = Field(default=4, ge=0, description="pairs a window by |P_te - P_theta|")
    n_min: int = Field(default=100, ge=1, description="visits each chosen pair is brought to")


class Convention(Settings):
    """How a node is cut down to its children before the cosine is taken (method §4)."""

    pooling: Pooling = "on_policy"
    baseline: Baseline = "full"
    rest: Rest = "off"

    @property
    def label(self) -> str:
        """Short unique name, as used in run files and links."""
        return f"{self.pooling}-{self.baseline}-{self.rest}"


class Objective(Settings):
    """A distillation objective and its parameters; parameters that the objective does not use are ignored."""

    name: ObjectiveName
    beta: float = Field(default=0.5, gt=0, lt=1, description="jsd only; TRL's beta")
    k: int = Field(default=16, ge=1, description="top-k objectives only")
    support: Literal["student", "teacher", "union"] = "student"
    tail: Literal["bucket", "renormalize"] = "bucket"
    temperature: float = Field(default=1.0, ge=0.01, le=100, description="softens both distributions inside the loss")

    @property
    def label(self) -> str:
        """Short unique name, as used in run files and links; truncated objectives say so."""
        label = self.name.replace("topk", f"top{self.k}")
        if self.name == "jsd":
            label += f"_{self.beta:g}"
        if self.name.startswith("topk"):
            label += f"_{self.support}_{self.tail}"
        return label if self.temperature == 1 else f"{label}_T{self.temperature:g}"


class AnalysisConfig(Settings):
    """What is computed from the tree; changing it never needs a new rollout."""

    n_sig: int = Field(default=20, ge=1, description="visits a child needs to be in S_u")
    objectives: tuple[Objective, ...] = Field(
        default=tuple(Objective(name=name) for name in get_args(ObjectiveName)), min_length=1
    )
    poolings: tuple[Pooling, ...] = Field(default=("on_policy", "stratified", "pooled"), min_length=1)
    baselines: tuple[Baseline, ...] = Field(default=("full", "children"), min_length=1)
    rests: tuple[Rest, ...] = Field(default=("off", "bucket"), min_length=1)
    posterior_draws: int = Field(default=400, ge=50, description="draws behind the interval of each score")
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _scores_have_labels_of_their_own(self) -> "AnalysisConfig":
        # labels are keys in run files and links; parameters that an objective ignores do not make it another one
        repeated = _repeated([*(o.label for o in self.objectives), *(c.label for c in self.conventions)])
        if repeated:
            raise ValueError(f"{repeated!r} is asked for twice: name each objective and convention once")
        return self

    @property
    def conventions(self) -> tuple[Convention, ...]:
        """Every combination of pooling, baseline and rest."""
        parts = product(self.poolings, self.baselines, self.rests)
        return tuple(Convention(pooling=pooling, baseline=baseline, rest=rest) for pooling, baseline, rest in parts)


class TeacherConfig(Settings):
    """A teacher: a model plus a context. `model = None` is the student itself (self-distillation)."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._()+-]{0,59}$")
    model: ModelConfig | None = None
    context: ContextKind = "none"


SELF_CHECK = TeacherConfig(name="Self-check")
SELF_TEACHERS = TeacherConfig(name="Self-1C", context="1c"), TeacherConfig(name="Self-1C1W", context="1c1w")
TINY_L = TeacherConfig(name="tiny-l", model=ModelConfig(name="tiny-l"))


class RunConfig(Settings):
    """Everything a run is made from."""

    title: str = Field(default="tiny", pattern=r"^[a-z0-9][a-z0-9-]{0,40}$", description="first part of the run id")
    student: ModelConfig = ModelConfig()
    questions: QuestionsConfig = QuestionsConfig()
    sampling: SamplingConfig = SamplingConfig()
    targeting: TargetingConfig = TargetingConfig()
    analysis: AnalysisConfig = AnalysisConfig()
    teachers: tuple[TeacherConfig, ...] = (TINY_L, *SELF_TEACHERS, SELF_CHECK)
    cache: Path = Path("cache")

    @model_validator(mode="after")
    def _teachers_have_names_of_their_own(self) -> "RunConfig":
        repeated = _repeated([teacher.name for teacher in self.teachers])
        if repeated:
            raise ValueError(f"two teachers are called {repeated!r}: give each a name of its own")
        return self


def _preset(**changes: Any) -> RunConfig:
    return RunConfig.model_validate(changes)


PRESETS: dict[str, RunConfig] = {
    "demo": _preset(
        title="demo",
        sampling={"initial_rollouts": 200, "batch_size": 256},
        targeting={"n_min": 60},
    ),
    "smollm2": _preset(
        title="smollm2",
        student={"name": "smollm2"},
        questions={"source": "smollm2"},
        sampling={"initial_rollouts": 64, "max_new_tokens": 64, "batch_size": 64},
        targeting={"n_gradient": 4, "n_difference": 2, "n_min": 24, "correct_paths": 1, "incorrect_paths": 1},
        analysis={"n_sig": 10},
        teachers=[*SELF_TEACHERS, SELF_CHECK],
    ),
    "paper": _preset(
        title="paper",
        questions={"source": "tiny-heldout", "limit": 10},
        sampling={"initial_rollouts": 200, "batch_size": 256},
        targeting={"n_min": 100, "tau": 0.02, "correct_paths": 2, "incorrect_paths": 2},
        analysis={"n_sig": 20},
        teachers=[TINY_L, *SELF_TEACHERS],
    ),
}


def load_config(preset: str = "demo", file: Path | None = None, overrides: tuple[str, ...] = ()) -> RunConfig:
    """A preset, changed by a TOML file, changed by overrides such as `sampling.seed=3`.

    Raises:
        OddError: unknown preset, unreadable file, unknown key or impossible value; names it and what is allowed.
    """
    if preset not in PRESETS:
        raise OddError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")
    tree = PRESETS[preset].model_dump(mode="json")
    for changes in (_read_toml(file) if file else {}, *map(_parse_override, overrides)):
        questions = changes.get("questions")
        if isinstance(questions, dict) and "source" in questions:
            tree["questions"] = {}  # a limit belongs to the questions that it was set for
        _merge(tree, changes)
    return parse_config(tree)


def parse_config(tree: dict[str, Any]) -> RunConfig:
    """Validate a configuration.

    Raises:
        OddError: an unknown key or impossible value; one line that names it.
    """
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "there is no such setting; python -m odd run --show-config prints those there are"
        # checks that span a section have all of it as input: too much to print, and the message says what matters
        value = "" if isinstance(first["input"], dict) else f" = {str(first['input'])[:60]!r}"
        raise OddError(": ".join(part for part in ("config", where + value, message) if part)) from error


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OddError(f"config file {file}: {error.strerror}; give the path of a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OddError(f"config file {file} is not TOML ({error}): mend that place") from error


def _parse_override(override: str) -> dict[str, Any]:
    """`a.b=1` as {"a": {"b": 1}}; a value that is no TOML literal is taken as a string."""
    key, equals, value = override.partition("=")
    if not equals or not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)*", key):
        raise OddError(f"--set {override!r}: write it as section.key=value, for instance sampling.seed=3")
    try:
        parsed: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    for part in reversed(key.split(".")):
        parsed = {part: parsed}
    return parsed


def _merge(tree: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree[key] = value


def fingerprint(config: RunConfig, questions: list[dict[str, Any]], student_digest: str) -> str:
    """Eight hex digits of what determines the rollouts: student, questions, sampling, targeting, seeds.

    Teachers and the analysis are not in it: they can be added to a run without sampling again.

    Args:
        config: the run's settings.
        questions: the questions, as JSON objects.
        student_digest: of the student's weights and tokenizer: a name can come to mean another model.
    """
    parts = {
        "student": config.student.model_dump(mode="json"),
        "digest": student_digest,
        "questions": questions,
        "sampling": config.sampling.model_dump(mode="json"),
        "targeting": config.targeting.model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
