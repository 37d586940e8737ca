"""Distillation objectives and scoring conventions, with the defaults of their parameters (method §3, §4)."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from odd.method.pooling import RULES
from odd.settings import Settings


def _known_rule(name: str) -> str:
    if name not in RULES:
        raise ValueError(f"there is no such pooling rule: choose one of {', '.join(RULES)}")
    return name


Pooling = Annotated[str, AfterValidator(_known_rule)]
"""Name of a rule of `odd.method.pooling`."""
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
    "minillm",
]
Support = Literal["student", "teacher", "union"]
Tail = Literal["bucket", "renormalize", "drop"]
"""What a truncated loss does with the tokens outside its support: `bucket` joins them into one, `renormalize`
conditions both distributions on the support, `drop` leaves their terms out of the sum over the vocabulary. That sum can
be negative; as in verl, it then counts as 0 and has no gradient."""


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
    support: Support = "student"
    tail: Tail = "bucket"
    gamma: float = Field(default=1.0, ge=0, le=1, description="minillm only; discount of later tokens, TRL's is 0")
    length_normalization: bool = Field(default=False, description="minillm only; TRL's is true")
    temperature: float = Field(default=1.0, ge=0.01, le=100, description="softens both distributions inside the loss")

    @property
    def has_teacher(self) -> bool:
        """Whether the teacher plays a part in it; without, its gradient is the same under every teacher."""
        return self.name != "dr_grpo"

    @property
    def label(self) -> str:
        """Short unique name, as used in run files and links; truncated objectives say so."""
        label = self.name.replace("topk", f"top{self.k}")
        if self.name == "jsd":
            label += f"_{self.beta:g}"
        if self.name.startswith("topk"):
            label += f"_{self.support}_{self.tail}"
        if self.name == "minillm":
            label += f"_{self.gamma:g}" + ("_normalized" if self.length_normalization else "")
        return label if self.temperature == 1 else f"{label}_T{self.temperature:g}"
