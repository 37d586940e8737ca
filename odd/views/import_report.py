"""What the import of a run's rollouts took and refused, one line per item."""

from pydantic import BaseModel, ValidationError

from odd.settings import Count

TRUSTED = 0.95
"""Share of rewards that must agree with the verifier; below it a warning is printed."""


class _Refused(BaseModel):
    reason: str
    rows: Count
    example: str


class _LogProbs(BaseModel):
    rollouts: Count
    checked: Count
    mean: float
    difference: float
    used: bool


class _Account(BaseModel):
    """The account of `odd.rollouts.importing`; files of earlier versions lack the fields with defaults."""

    taken: Count
    without: Count
    agreeing: Count
    judged: Count
    refused: list[_Refused]
    from_text: Count | None = None
    reencoded: Count = 0
    log_probs: _LogProbs | None = None


def import_lines(account: str) -> list[str]:
    """Describe the import of a run's rollouts; an account that is not valid gives no lines.

    Args:
        account: JSON value of `imported` in the run's `meta`.
    """
    try:
        found = _Account.model_validate_json(account)
    except ValidationError:
        return []
    lines = [f"imported: {found.taken:,} rollouts"]
    lines += [
        f"not imported: {part.rows:,} rows, {part.reason}; e.g. {part.example.removeprefix('import ')}"
        for part in found.refused
    ]
    if found.from_text:
        lines.append(
            f"token ids: those of {found.from_text:,} rollouts were encoded from text, and need not be those that were "
            "sampled"
        )
    if found.from_text is not None and (ids := found.taken - found.from_text):
        lines.append(f"token ids: {found.reencoded:,} of {ids:,} responses with ids encode to the same ids again")
    if found.log_probs is not None:
        lines.append(_log_probs(found.log_probs))
    if found.without:
        lines.append(f"left out: {found.without:,} questions without a rollout")
    if found.judged:
        share = found.agreeing / found.judged
        line = f"rewards and ODD's verifier agree on {found.agreeing:,} of {found.judged:,} rollouts ({share:.1%})"
        remedy = "the verifier judges targeted rollouts: check kinds and answers of the questions, or --threshold"
        lines.append(line if share >= TRUSTED else f"{line}; {remedy}")
    return lines


def _log_probs(found: _LogProbs) -> str:
    use = "used" if found.used else "not used, the student scores the rollouts: check sampling.temperature"
    return (
        f"log-probabilities of {found.rollouts:,} rollouts: {found.checked:,} compared with the student's, mean "
        f"difference {found.mean:.3f}, largest {found.difference:.3f} nats per token: {use}"
    )
