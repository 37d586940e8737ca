"""What a check found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: name of the check, as in docs/check.md.
        verdict: `error` means that the run would fail or be worthless.
        text: what was found, in one line.
        remedy: what to do about it; empty if nothing needs to be done.
        shown: texts to show, such as prompts, by heading.
    """

    check: str
    verdict: Verdict
    text: str
    remedy: str = ""
    shown: tuple[tuple[str, str], ...] = ()

    @property
    def is_comparison(self) -> bool:
        """Whether its two texts are to be read side by side."""
        return len(self.shown) == 2 and self.check.startswith(("prompt of", "template of"))

    def to_json(self) -> dict[str, Any]:
        """Return it as an object for JSON."""
        return asdict(self) | {"shown": [list(pair) for pair in self.shown]}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Finding":
        """Return the finding that `to_json` gave as `found`."""
        return cls(**{**found, "shown": tuple((heading, text) for heading, text in found["shown"])})


def judged(
    check: str, is_good: bool, text: str, remedy: str, bad: Verdict = "warning", shown: tuple[tuple[str, str], ...] = ()
) -> Finding:
    """Return a finding whose remedy is given only if it is not good."""
    return Finding(check, "ok", text, "", shown) if is_good else Finding(check, bad, text, remedy, shown)
