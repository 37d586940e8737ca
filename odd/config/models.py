"""Settings of models and of imported rollouts."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from odd.settings import Count, Positive, Settings

Mark = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^\S(.*\S)?$")]
SCORING_MEMORY = 64
"""MiB of logits in memory at a time when distributions are read; more is rarely faster."""

THINKING_VARIABLE = "enable_thinking"
"""Variable of chat templates that enables their thinking mode, in most models since Qwen3."""


ENGINE, SERVER_ENGINE = "transformers", "server"
"""Engine of models on this machine, and of models that servers run."""
ServerKind = Literal["auto", "vllm", "sglang"]
ADDRESS = re.compile(r"https?://[A-Za-z0-9.\-_:\[\]]+(/[\w./-]*)?")


def _is_address(value: str) -> str:
    """Accept the address of a server; a user or password in it would end up in files and error messages."""
    if len(value) > 200 or not ADDRESS.fullmatch(value):
        raise ValueError("write it as http://HOST:PORT, without user, password or query")
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(_is_address)]
KeyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w{0,79}$")]


SERVER_ACCESS = frozenset(
    {"server", "server_kind", "api_key_env", "server_rollouts", "server_timeout", "server_patience"}
)
"""Settings that say how servers are reached: the same model on other servers is the same model."""
ON_SERVERS = SERVER_ACCESS | {"engine", "server_model", "scorer", "server_top"}
"""Settings of models on servers, which other models do not share."""


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class ModelConfig(Settings):
    """A model and how to run it.

    `name` is an embedded model (`odd models` lists them), a local path, or a hub name.
    """

    name: str = Field(default="tiny-s", min_length=1)
    device: str = Field(
        default="cpu",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="auto: spread over all devices, for a model larger than one of them (package accelerate)",
    )
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    engine: str = Field(default=ENGINE, description="engine that samples and scores it")
    thinking: bool = Field(default=False, description="thinking mode of chat templates that have one")
    thinking_marks: tuple[Mark, Mark] | None = Field(
        default=None, description="what opens and closes a thinking part, if the usual marks do not"
    )
    thinking_variable: str = Field(
        default=THINKING_VARIABLE, pattern=r"^[A-Za-z_]\w{0,79}$", description="variable that enables the thinking mode"
    )
    pickle: bool = Field(default=False, description="read weights that are a pickle (.bin); only from whom you trust")
    scoring_memory: Positive = Field(default=SCORING_MEMORY, description="MiB of logits in memory at a time")
    server: Annotated[tuple[Address, ...], BeforeValidator(_as_list)] = Field(
        default=(), description="addresses of inference servers with this model, for instance http://gpu1:8000"
    )
    server_kind: ServerKind = Field(default="auto", description="what the servers run; auto: found out")
    server_model: str | None = Field(default=None, min_length=1, max_length=200, description="its name on the servers")
    api_key_env: KeyName | None = Field(default=None, description="environment variable with the servers' API key")
    scorer: Literal["transformers", "server"] = Field(
        default="server", description="with servers: what computes distributions, this machine or the servers"
    )
    server_top: Count = Field(
        default=100, description="tokens per distribution that servers are asked for; 0: all, if they allow it"
    )
    server_rollouts: Positive = Field(default=256, description="rollouts that each server samples at a time")
    server_timeout: Positive = Field(default=600, description="seconds after which an answer counts as missing")
    server_patience: Count = Field(default=300, description="seconds without any answer after which the run stops")

    @model_validator(mode="before")
    @classmethod
    def _servers_are_an_engine(cls, tree: Any) -> Any:
        if isinstance(tree, dict) and tree.get("server") and tree.get("engine", ENGINE) == ENGINE:
            return {**tree, "engine": SERVER_ENGINE}
        return tree

    @model_validator(mode="after")
    def _servers_have_addresses(self) -> "ModelConfig":
        if bool(self.server) != (self.engine == SERVER_ENGINE):
            raise ValueError("engine and server do not fit together: give addresses as server, and leave engine out")
        if len(set(self.server)) < len(self.server):
            raise ValueError("server lists an address twice: list each server once")
        return self

    @model_validator(mode="after")
    def _marks_differ(self) -> "ModelConfig":
        if self.thinking_marks and self.thinking_marks[0] == self.thinking_marks[1]:
            raise ValueError('thinking_marks must be two different texts, such as ["<reason>", "</reason>"]')
        return self

    @property
    def drawn_by(self) -> dict[str, Any]:
        """The settings that determine its samples and scores."""
        ignored = {"scoring_memory", "pickle", *SERVER_ACCESS}
        # settings that came later, which earlier runs do not have
        later = "engine", "thinking_marks", "thinking_variable", "server_model", "scorer", "server_top"
        usual = type(self).model_fields
        ignored |= {name for name in later if getattr(self, name) == usual[name].default}
        return self.model_dump(mode="json", exclude=ignored)

    @property
    def label(self) -> str:
        """Its name, followed in brackets by the settings that differ from the defaults."""
        usual = type(self).model_fields
        chosen = {name: getattr(self, name) for name in ("engine", "device", "dtype")}
        own = [value for name, value in chosen.items() if value != usual[name].default]
        own += [self.server_model] if self.server_model else []
        own += ["local scores"] if self.server and self.scorer != usual["scorer"].default else []
        own += ["thinking"] if self.thinking else []
        own += self.thinking_marks or ()
        own += [self.thinking_variable] if self.thinking_variable != THINKING_VARIABLE else []
        return f"{self.name} [{', '.join(own)}]" if own else self.name


class ModelsConfig(Settings):
    """How the models of a run share memory. Results do not depend on it."""

    resident: Positive | None = Field(
        default=None, description="models loaded at a time on each device; none: as many as fit"
    )


LoggedKind = Literal["number", "expression", "exact", "yes_no"]
"""How responses to the prompts of a log are verified; `odd.questions.base.Kind` has all kinds."""


class ImportConfig(Settings):
    """Rollouts that were sampled elsewhere and replace the initial ones (docs/import.md)."""

    files: tuple[str, ...] = Field(min_length=1)
    steps: tuple[int, ...] = Field(default=(), description="training steps to take rollouts from; none: the only one")
    reward: str | None = Field(default=None, description="reward column, if a log has several")
    threshold: float = Field(default=0.5, description="a reward above it means correct")
    verify: bool = Field(default=False, description="verify the answers again instead of trusting the rewards")
    kind: LoggedKind | None = Field(
        default=None, description="kind of the questions of a log that comes without a question file"
    )
    digest: str = Field(default="", description="digest of the imported rollouts; set by the run")
