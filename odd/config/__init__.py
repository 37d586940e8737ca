"""Settings of a run: definitions, defaults, presets, loading and validation."""

from odd.config.loading import (
    PRESETS,
    load_config,
    merge,
    parse_config,
    parse_override,
    parse_weights,
    read_settings,
    stored_config,
)
from odd.config.models import SCORING_MEMORY, ImportConfig, ModelConfig, ModelsConfig
from odd.config.run import (
    BASELINE,
    RULE_THRESHOLDS,
    USUAL,
    AnalysisConfig,
    QuestionsConfig,
    RunConfig,
    SamplingConfig,
    ScreeningConfig,
    StorageConfig,
    TargetingConfig,
    WeightRule,
    WeightsConfig,
    default_cache,
    fingerprint,
)
from odd.config.teachers import CONTEXTS, ContextKind, DemonstrationsConfig, TeacherConfig, Templates
from odd.method.conventions import Convention
from odd.method.objectives import Objective, objective

__all__ = [
    "BASELINE",
    "CONTEXTS",
    "PRESETS",
    "RULE_THRESHOLDS",
    "SCORING_MEMORY",
    "USUAL",
    "AnalysisConfig",
    "ContextKind",
    "Convention",
    "DemonstrationsConfig",
    "ImportConfig",
    "ModelConfig",
    "ModelsConfig",
    "Objective",
    "QuestionsConfig",
    "RunConfig",
    "SamplingConfig",
    "ScreeningConfig",
    "StorageConfig",
    "TargetingConfig",
    "TeacherConfig",
    "Templates",
    "WeightRule",
    "WeightsConfig",
    "default_cache",
    "fingerprint",
    "load_config",
    "merge",
    "objective",
    "parse_config",
    "parse_override",
    "parse_weights",
    "read_settings",
    "stored_config",
]
