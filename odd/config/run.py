"""All settings of a run with their defaults, and the fingerprint of what determines the rollouts.

Every default is defined once: here, in `odd.config.models` and `odd.config.teachers`, and those of objectives in
`odd.method.objectives`. Configurations are frozen: the settings of a run are stored with its results and never change.
"""

import datetime
import hashlib
import json
import os
from collections.abc import Sequence
from itertools import product
from pathlib import Path, PurePath
from typing import Any, Literal

import re2
from pydantic import Field, field_validator, model_validator

from odd.config.models import ImportConfig, ModelConfig, ModelsConfig
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
from odd.settings import Count, Positive, Seed, Settings

USUAL = {"objective": "reverse_kl", "convention": "on_policy-full-off"}
"""Labels of the scores that are shown by default."""
WeightRule = Literal["all", "alignment", "p_positive", "influence"]
RULE_THRESHOLDS: dict[WeightRule, float] = {"all": 0.0, "alignment": 0.0, "p_positive": 0.975, "influence": 0.0}


def _repeated(names: Sequence[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)


LOG_SOURCE = "log"
"""Question source that stands for the imported logs themselves."""


class QuestionsConfig(Settings):
    """Which questions: a bundled set, a file, a data set or a generator, see `odd.questions.sources`."""

    source: str = "tiny-demo"
    limit: Positive | None = None


CHUNK_BATCHES = 4
"""Batches per chunk of rollouts: more keep the batch fuller, but more work is lost if a run is killed."""


class SamplingConfig(Settings):
    """How the student is sampled. Gradients use the probabilities of this distribution."""

    initial_rollouts: Positive = Field(default=200, description="G, rollouts from the root")
    max_new_tokens: Positive = 128
    temperature: float = Field(default=1.0, ge=0.01, le=100)
    batch_size: Positive = Field(default=128, description="rollouts sampled at a time; changes what a seed draws")
    seed: Seed = 0

    @property
    def chunk_size(self) -> int:
        """Rollouts that are sampled and stored together; waiting ones keep the batch full as others end."""
        return CHUNK_BATCHES * self.batch_size


class TargetingConfig(Settings):
    """Where targeted rollouts go (method §5)."""

    correct_paths: Count = 2
    incorrect_paths: Count = 2
    first_window: Positive = Field(default=50, description="tokens; each following window is twice as long")
    tau: float = Field(default=0.02, ge=0, lt=1, description="candidates need P_theta > tau or P_te > tau")
    n_gradient: Count = Field(default=8, description="pairs per window by |P_theta (l - mean l)|")
    n_difference: Count = Field(default=4, description="pairs per window by |P_te - P_theta|")
    n_min: Positive = Field(default=100, description="visits each chosen pair gets; adaptive: on average")
    allocation: Literal["uniform", "adaptive"] = Field(default="uniform", description="adaptive: see method.md")
    floor: Positive = Field(default=8, description="visits each pair gets first, if adaptive")
    guides: tuple[str, ...] | None = Field(
        default=None, description="names of the teachers that take part in the choice of pairs; none: all"
    )

    @property
    def drawn_by(self) -> dict[str, Any]:
        """The settings that determine the rollouts, without those that the allocation in use ignores.

        The names of the guides are left out: it is their settings that count.
        """
        ignored = {"allocation", "floor"} if self.allocation == "uniform" else set[str]()
        return self.model_dump(mode="json", exclude={"guides", *ignored})


class AnalysisConfig(Settings):
    """What is computed from the tree; changing it never needs new rollouts."""

    n_sig: Positive = Field(default=20, description="visits a child needs to be in S_u")
    objectives: tuple[AnyObjective, ...] = Field(default_factory=default_objectives, min_length=1)
    poolings: tuple[Pooling, ...] = Field(default=("on_policy", "stratified", "pooled"), min_length=1)
    baselines: tuple[Baseline, ...] = Field(default=("full", "children"), min_length=1)
    rests: tuple[Rest, ...] = Field(default=("off", "bucket"), min_length=1)
    prior: Literal["jeffreys", "siblings"] = Field(default="jeffreys", description="prior of success for the intervals")
    posterior_draws: int = Field(default=400, ge=50, le=100_000, description="draws for the interval of each score")
    seed: Seed = 0

    @model_validator(mode="after")
    def _labels_are_unique(self) -> "AnalysisConfig":
        # labels are keys in run files and links; parameters that an objective ignores do not change its label
        repeated = _repeated([*(o.label for o in self.objectives), *(c.label for c in self.conventions)])
        if repeated:
            raise ValueError(f"{repeated!r} is listed twice: list each objective and convention once")
        return self

    @property
    def conventions(self) -> tuple[Convention, ...]:
        """Every combination of pooling, baseline and rest."""
        parts = product(self.poolings, self.baselines, self.rests)
        return tuple(Convention(pooling=pooling, baseline=baseline, rest=rest) for pooling, baseline, rest in parts)

    @property
    def reading_temperatures(self) -> tuple[float, ...]:
        """Loss temperatures at which student and teachers must score all rollouts; empty if no objective needs it."""
        return tuple(sorted({one.temperature for one in self.objectives if "rewards" in one.needs}))


BASELINE = "Baseline"
"""Name of the student without a context in a screening."""


class ScreeningConfig(Settings):
    """How questions are screened before they are studied (method §6)."""

    rollouts: Positive = Field(
        default=32, description="G; the first of the run's initial rollouts, in chunks of their own"
    )
    context_rollouts: Positive = Field(default=32, description="rollouts with each context")
    teachers: tuple[TeacherConfig, ...] = Field(
        default=(SELF_3C,), description="compared in the screening only, in addition to the run's own contexts"
    )

    @model_validator(mode="after")
    def _compares_the_student_with_itself(self) -> "ScreeningConfig":
        for teacher in self.teachers:
            if not teacher.is_student_in_context:
                raise ValueError(f"{teacher.name!r} is not the student with a context: name it in teachers instead")
        return self


IN_FLIGHT = 8
"""Questions at a time if a model is on servers: enough to keep a batch full while single questions are analysed."""


class PipelineConfig(Settings):
    """How a run is executed. No result of models on this machine depends on it, nor does the run id."""

    questions_in_flight: Positive | None = Field(
        default=None, description=f"questions worked on at a time; none: {IN_FLIGHT} if a model is on servers, else 1"
    )


class StorageConfig(Settings):
    """How much of the targeted rollouts a run file keeps. No result depends on it, nor does the run id."""

    targeted: Literal["auto", "all", "shared"] = Field(
        default="auto", description="all tokens, those that other rollouts share, or, if there are many, the latter"
    )
    many: Positive = Field(default=5_000_000, description="sampled tokens of one question that are many")
    whole: Count = Field(default=2, description="rollouts per forced prefix and outcome that are kept whole to be read")

    def cuts(self, tokens: int, objectives: Sequence[AnyObjective]) -> bool:
        """Return whether targeted rollouts of a question are cut, given how many tokens were sampled for them."""
        read_whole = any("rewards" in one.needs for one in objectives)
        return self.targeted == "shared" or (self.targeted == "auto" and tokens > self.many and not read_whole)


class WeightsConfig(Settings):
    """Which tokens of a run's rollouts a trainer learns from (`odd weights`)."""

    teacher: str | None = Field(default=None, description="whose scores and prompt to use; optional if only one")
    objective: str = Field(default=USUAL["objective"], description="label of the objective of the scores")
    convention: str = Field(default=USUAL["convention"], description="label of the convention of the scores")
    rule: WeightRule = Field(default="alignment", description="keep all tokens, or those above the threshold")
    threshold: float | None = Field(default=None, description="None: 0, or 0.975 for p_positive (settled)")
    target: Literal["same", "other"] = Field(
        default="same", description="for influence: success on all questions of the run, or on all but the token's own"
    )
    outcome: Literal["all", "correct", "incorrect"] = Field(default="all", description="outcome of the rollouts to use")
    rollouts: Literal["paths", "initial"] = Field(default="paths", description="only paths, or all initial rollouts")
    unscored: float = Field(default=0.0, ge=0, description="weight of a token without a score")

    @property
    def above(self) -> float:
        """The threshold, or the rule's default if none is given."""
        return RULE_THRESHOLDS[self.rule] if self.threshold is None else self.threshold


class InfluenceConfig(Settings):
    """What `odd influence` computes."""

    parameters: str | None = Field(
        default=None, description="regular expression for the names of the weights that train; none: all"
    )
    objectives: tuple[str, ...] = Field(
        default=(), description="labels of the objectives; none: all of the run that are functions of two distributions"
    )

    @field_validator("parameters")
    @classmethod
    def _is_a_pattern(cls, value: str | None) -> str | None:
        try:
            re2.compile(value or "")
        except re2.error as error:
            raise ValueError(f"{value!r} is not a regular expression ({error})") from error
        return value


def default_cache() -> Path:
    """Return the default folder of run files: `ODD_CACHE`, or `cache` in the working directory."""
    return Path(os.environ.get("ODD_CACHE") or "cache").expanduser()


class RunConfig(Settings):
    """All settings of a run."""

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
    storage: StorageConfig = StorageConfig()
    pipeline: PipelineConfig = PipelineConfig()
    imported: ImportConfig | None = None
    models: ModelsConfig = ModelsConfig()
    date: datetime.date | None = Field(
        default=None, description="today's date in chat templates that show it; none: when the run starts (UTC)"
    )
    cache: Path = Field(default_factory=default_cache, description="folder of run files")

    @model_validator(mode="after")
    def _teacher_names_are_unique(self) -> "RunConfig":
        # a teacher of the run may also be listed for the screening, but it must be the same one
        also = [teacher for teacher in self.screening.teachers if teacher not in self.teachers]
        repeated = _repeated([teacher.name for teacher in (*self.teachers, *also)])
        if repeated:
            raise ValueError(f"two teachers are called {repeated!r}: give each a unique name")
        return self

    @model_validator(mode="after")
    def _servers_of_a_model_are_listed_once(self) -> "RunConfig":
        servers: dict[str, tuple[str, ...]] = {}
        for model in self.every_model:
            if servers.setdefault(model.label, model.server) != model.server:
                raise ValueError(
                    f"model {model.label!r} has other servers in another place: list the same ones, or tell the models "
                    "apart by server_model"
                )
        return self

    @property
    def every_model(self) -> tuple[ModelConfig, ...]:
        """The settings of the student, the teachers, and the models that write for them."""
        also = [one for one in self.screening.teachers if one not in self.teachers]
        given = [model for one in (*self.teachers, *also) for model in (one.model, one.demonstrations, one.summarizer)]
        return (self.student, *(model for model in given if model is not None))

    @model_validator(mode="after")
    def _guides_are_teachers(self) -> "RunConfig":
        names = [teacher.name for teacher in self.teachers]
        if unknown := set(self.targeting.guides or ()) - set(names):
            raise ValueError(
                f"targeting.guides names {min(unknown)!r}, which is no teacher of the run: add it to teachers"
            )
        return self

    @model_validator(mode="after")
    def _keeps_what_is_read(self) -> "RunConfig":
        if self.storage.targeted == "shared" and self.analysis.reading_temperatures:
            raise ValueError("minillm reads all tokens of all rollouts: set storage.targeted to all, or leave it out")
        return self

    @property
    def questions_in_flight(self) -> int:
        """How many questions are worked on at a time."""
        usual = IN_FLIGHT if any(model.server for model in self.every_model) else 1
        return self.pipeline.questions_in_flight or usual

    @property
    def asks_log(self) -> bool:
        """Whether the questions are the prompts of the imported logs."""
        return self.imported is not None and self.questions.source == LOG_SOURCE

    @property
    def guides(self) -> tuple[TeacherConfig, ...]:
        """The teachers that take part in the choice of pairs."""
        chosen = self.targeting.guides
        return tuple(teacher for teacher in self.teachers if chosen is None or teacher.name in chosen)

    @property
    def screened(self) -> tuple[TeacherConfig, ...]:
        """The teachers that a screening compares: the student with each of its contexts."""
        own = [teacher for teacher in self.teachers if teacher.is_student_in_context]
        return (*own, *(teacher for teacher in self.screening.teachers if teacher not in own))


def shareable(config: RunConfig) -> RunConfig:
    """The settings for a file that is sent to others: questions and logs by their file names, without folders.

    Both are in the run file. Models keep their paths: teachers are added with the student that is named there.
    """
    changes: dict[str, Any] = {
        "questions": config.questions.model_copy(update={"source": _without_folder(config.questions.source)})
    }
    if config.imported is not None:
        files = tuple(map(_without_folder, config.imported.files))
        changes["imported"] = config.imported.model_copy(update={"files": files})
    return config.model_copy(update=changes)


def _without_folder(path: str) -> str:
    return PurePath(path).name if PurePath(path).is_absolute() else path


def fingerprint(
    config: RunConfig, questions: list[dict[str, Any]], student_digest: str, with_guides: bool = True
) -> str:
    """Hash everything that determines the rollouts to eight hex digits.

    These are student, questions, sampling, targeting, seeds, imports, and the teachers that guide the choice of forced
    tokens. Other teachers and the analysis are left out: they can be added to a run without sampling again.

    Args:
        config: the run's settings.
        questions: the questions, as JSON objects.
        student_digest: digest of the student's weights and tokenizer: the same name can later mean another model.
        with_guides: False: as in ids from before guides were part of them.
    """
    parts = {
        "student": config.student.drawn_by,
        "digest": student_digest,
        "questions": questions,
        "sampling": config.sampling.model_dump(mode="json"),
        "targeting": config.targeting.drawn_by,
        "instruction": config.templates.instruction,
        # the first chunks of initial rollouts are those of the screening
        "baseline": config.screening.rollouts,
        "demonstrations": config.demonstrations.model_dump(mode="json", include={"temperature", "batch_size"}),
    }
    if with_guides:
        # neither names nor their order matter to the choice
        parts["guides"] = sorted(json.dumps(guide.drawn_by, sort_keys=True) for guide in config.guides)
    if config.date is not None:
        parts["date"] = config.date.isoformat()
    if config.imported is not None:
        parts["imported"] = config.imported.digest
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
