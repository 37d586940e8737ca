"""Every setting of a run, with its default, and the fingerprint of what determines the rollouts.

Every default is written down once: here, in `odd.config.models` and `odd.config.teachers`, and those of objectives in
`odd.method.objectives`. Configurations are frozen: what a run was made with is stored beside its results and never
changes.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from odd.config.models import ImportConfig, ModelConfig
from odd.config.teachers import (
    SELF_3C,
    SELF_CHECK,
    SELF_TEACHERS,
    TINY_L,
    DemonstrationsConfig,
    TeacherConfig,
    Templates,
)
from odd.method.conventions import Baseline, Convention, Pooling, Rest
from odd.method.objectives import AnyObjective, default_objectives
from odd.settings import Settings

USUAL = {"objective": "reverse_kl", "convention": "on_policy-full-off"}
"""Labels of the scores that are shown where nothing else is asked for."""
WeightRule = Literal["all", "alignment", "p_positive"]
RULE_THRESHOLDS: dict[WeightRule, float] = {"all": 0.0, "alignment": 0.0, "p_positive": 0.975}


def _repeated(names: Sequence[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)


class QuestionsConfig(Settings):
    """Which questions: a bundled set, a file, a data set or a generator, as `odd.questions.sources` says."""

    source: str = "tiny-demo"
    limit: int | None = Field(default=None, ge=1)


CHUNK_BATCHES = 4
"""Batches that a chunk of rollouts fills: the more, the fuller they are, and the more is lost when a run is killed."""


class SamplingConfig(Settings):
    """How the student is sampled. The probabilities in gradients are those of this distribution."""

    initial_rollouts: int = Field(default=200, ge=1, description="G, rollouts from the root")
    max_new_tokens: int = Field(default=128, ge=1)
    temperature: float = Field(default=1.0, ge=0.01, le=100)
    batch_size: int = Field(default=128, ge=1, description="rollouts sampled at a time; part of the seed's meaning")
    seed: int = Field(default=0, ge=0)

    @property
    def chunk_size(self) -> int:
        """Rollouts that are drawn and kept together: some wait, so that the batch stays full while others end."""
        return CHUNK_BATCHES * self.batch_size


class TargetingConfig(Settings):
    """Where targeted rollouts go (method §5)."""

    correct_paths: int = Field(default=2, ge=0)
    incorrect_paths: int = Field(default=2, ge=0)
    first_window: int = Field(default=50, ge=1, description="tokens; each next window is twice as long")
    tau: float = Field(default=0.02, ge=0, lt=1, description="candidates need P_theta > tau or P_te > tau")
    n_gradient: int = Field(default=8, ge=0, description="pairs a window by |P_theta (l - mean l)|")
    n_difference: int = Field(default=4, ge=0, description="pairs a window by |P_te - P_theta|")
    n_min: int = Field(default=100, ge=1, description="visits each chosen pair is brought to; adaptive: on average")
    allocation: Literal["uniform", "adaptive"] = Field(default="uniform", description="adaptive: see method.md")
    floor: int = Field(default=8, ge=1, description="visits each pair is brought to first, under adaptive")

    @property
    def drawn_by(self) -> dict[str, Any]:
        """What determines the rollouts; what an allocation in use does not look at does not."""
        return self.model_dump(mode="json", exclude={"allocation", "floor"} if self.allocation == "uniform" else None)


class AnalysisConfig(Settings):
    """What is computed from the tree; changing it never needs a new rollout."""

    n_sig: int = Field(default=20, ge=1, description="visits a child needs to be in S_u")
    objectives: tuple[AnyObjective, ...] = Field(default_factory=default_objectives, min_length=1)
    poolings: tuple[Pooling, ...] = Field(default=("on_policy", "stratified", "pooled"), min_length=1)
    baselines: tuple[Baseline, ...] = Field(default=("full", "children"), min_length=1)
    rests: tuple[Rest, ...] = Field(default=("off", "bucket"), min_length=1)
    prior: Literal["jeffreys", "siblings"] = Field(default="jeffreys", description="of success, behind intervals")
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

    @property
    def reading_temperatures(self) -> tuple[float, ...]:
        """Loss temperatures at which student and teachers must score all rollouts; none where no objective asks."""
        return tuple(sorted({one.temperature for one in self.objectives if "rewards" in one.needs}))


BASELINE = "Baseline"
"""What a screening calls the student without a context."""


class ScreeningConfig(Settings):
    """What is found out about the questions before they are studied (method §6)."""

    rollouts: int = Field(
        default=32, ge=1, description="G; the first of the run's initial rollouts, which are drawn in this cut"
    )
    context_rollouts: int = Field(default=32, ge=1, description="under each context")
    teachers: tuple[TeacherConfig, ...] = Field(
        default=(SELF_3C,), description="compared in the screening only, beside the run's own that are the student"
    )

    @model_validator(mode="after")
    def _compares_the_student_with_itself(self) -> "ScreeningConfig":
        for teacher in self.teachers:
            if not teacher.is_student_in_context:
                raise ValueError(f"{teacher.name!r} is not the student with a context: name it in teachers instead")
        return self


class WeightsConfig(Settings):
    """Which tokens of a run's rollouts a trainer is to learn from (`odd weights`)."""

    teacher: str | None = Field(default=None, description="whose scores and prompt; may be left out if there is one")
    objective: str = Field(default=USUAL["objective"], description="label of the objective of the scores")
    convention: str = Field(default=USUAL["convention"], description="label of the convention of the scores")
    rule: WeightRule = Field(default="alignment", description="keep all tokens, or those whose score is above")
    threshold: float | None = Field(default=None, description="of the score; None: 0, for p_positive 0.975 (settled)")
    outcome: Literal["all", "correct", "incorrect"] = Field(default="all", description="of the rollouts that are taken")
    rollouts: Literal["paths", "initial"] = Field(default="paths", description="only paths, or all initial rollouts")
    unscored: float = Field(default=0.0, ge=0, description="weight of a token without a score")

    @property
    def above(self) -> float:
        """The threshold, the rule's own where none is given."""
        return RULE_THRESHOLDS[self.rule] if self.threshold is None else self.threshold


def default_cache() -> Path:
    """The folder of run files unless something names another: `ODD_CACHE`, or `cache` in the working directory."""
    return Path(os.environ.get("ODD_CACHE") or "cache").expanduser()


class RunConfig(Settings):
    """Everything a run is made from."""

    title: str = Field(default="tiny", pattern=r"^[a-z0-9][a-z0-9-]{0,40}$", description="first part of the run id")
    student: ModelConfig = ModelConfig()
    questions: QuestionsConfig = QuestionsConfig()
    sampling: SamplingConfig = SamplingConfig()
    targeting: TargetingConfig = TargetingConfig()
    analysis: AnalysisConfig = AnalysisConfig()
    teachers: tuple[TeacherConfig, ...] = (TINY_L, *SELF_TEACHERS, SELF_CHECK)
    demonstrations: DemonstrationsConfig = DemonstrationsConfig()
    templates: Templates = Templates()
    screening: ScreeningConfig = ScreeningConfig()
    imported: ImportConfig | None = None
    cache: Path = Field(default_factory=default_cache, description="folder of run files")

    @model_validator(mode="after")
    def _teachers_have_names_of_their_own(self) -> "RunConfig":
        # a teacher of the run may be compared in the screening too, but it must be the same one
        also = [teacher for teacher in self.screening.teachers if teacher not in self.teachers]
        repeated = _repeated([teacher.name for teacher in (*self.teachers, *also)])
        if repeated:
            raise ValueError(f"two teachers are called {repeated!r}: give each a name of its own")
        return self

    @property
    def screened(self) -> tuple[TeacherConfig, ...]:
        """The teachers that a screening compares: the student behind each of its contexts."""
        own = [teacher for teacher in self.teachers if teacher.is_student_in_context]
        return (*own, *(teacher for teacher in self.screening.teachers if teacher not in own))


def fingerprint(config: RunConfig, questions: list[dict[str, Any]], student_digest: str) -> str:
    """Eight hex digits of what determines what is drawn: student, questions, sampling, targeting, seeds, imports.

    Teachers and the analysis are not in it: they can be added to a run without sampling again.

    Args:
        config: the run's settings.
        questions: the questions, as JSON objects.
        student_digest: of the student's weights and tokenizer: a name can come to mean another model.
    """
    usual = {"scoring_memory"} | ({"engine"} if config.student.engine == ModelConfig().engine else set())
    parts = {
        "student": config.student.model_dump(mode="json", exclude=usual),
        "digest": student_digest,
        "questions": questions,
        "sampling": config.sampling.model_dump(mode="json"),
        "targeting": config.targeting.drawn_by,
        "instruction": config.templates.instruction,
        # the first chunks of initial rollouts are those of a screening
        "baseline": config.screening.rollouts,
        "demonstrations": config.demonstrations.model_dump(mode="json", include={"temperature", "batch_size"}),
    }
    if config.imported is not None:
        parts["imported"] = config.imported.digest
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
