"""Formats of log rows: whose columns they are, and what they say about a rollout (docs/import.md has their sources)."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odd.rollouts import log_cells as cells
from odd.rollouts.log_cells import Prompt, Turns, Unclear

Cells = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """One logged rollout.

    Attributes:
        place: file and row, for messages.
        question: id of the question; None to find it by the prompt.
        prompt: text or messages; None for the prompt of the question, or if there are token ids of it.
        prompt_ids: token ids of the prompt, or None.
        response: text of the response; None if there are token ids, or neither.
        token_ids: token ids of the response; None if there is only text.
        log_probs: log-probabilities of `token_ids` where they were sampled, in nats; or None.
        reward: reward, or None.
        gold: gold answer, or None.
        step: training step; None if unknown.
        truncated: whether the response was truncated at the length limit; None if unknown.
        refusal: why the rollout cannot be imported; None if it may be.
    """

    place: str
    question: str | None = None
    prompt: Prompt | None = None
    prompt_ids: tuple[int, ...] | None = None
    response: str | None = None
    token_ids: tuple[int, ...] | None = None
    log_probs: tuple[float, ...] | None = None
    reward: float | None = None
    gold: str | None = None
    step: int | None = None
    truncated: bool | None = None
    refusal: str | None = None


@dataclass(frozen=True)
class Format:
    """A format of rows.

    Attributes:
        needs: columns that a row of this format has, for messages.
        fits: whether a row has this format.
        fields: returns the fields of the record of a row, without its place; the arguments are the row, the chosen
            reward column, and the file.
    """

    needs: str
    fits: Callable[[Cells], bool]
    fields: Callable[[Cells, str | None, Path], dict[str, Any]]


def record_of(place: str, row: Cells, reward: str | None, path: Path) -> Record | None:
    """Return the record of a row; None if no format fits.

    Args:
        place: where the row is.
        row: its cells by column.
        reward: the reward column, if one is chosen.
        path: file of the row.

    Raises:
        TypeError, ValueError, LookupError: a cell is invalid.
    """
    for form in FORMATS:
        if form.fits(row):
            try:
                return Record(place, **form.fields(row, reward, path))
            except Turns as reason:
                return Record(place, refusal=str(reason))
    return None


def rows_of(row: Cells) -> Iterator[Cells]:
    """Yield the rows of a line; SWIFT writes a whole table into one, as a list for each column.

    Raises:
        ValueError: its lists have different lengths.
    """
    if not any(isinstance(row.get(column), list) for column in ("step", "gen_step")) or "completion" not in row:
        yield row
        return
    columns = {name: cell for name, cell in row.items() if isinstance(cell, list)}
    if len(lengths := {len(cell) for cell in columns.values()}) > 1:
        raise ValueError(f"its columns have different lengths, {cells.listed(sorted(lengths))}")
    if "messages" in columns:
        columns.setdefault("prompt", columns["messages"])
    for number in range(lengths.pop()):
        yield {name: cell[number] for name, cell in columns.items()}


def is_table(row: Cells) -> bool:
    """Return whether a row is one of TRL's or SWIFT's, which name the reward column after the reward function."""
    return row.keys() >= {"prompt", "completion"}


def _verl(row: Cells, reward: str | None, path: Path) -> dict[str, Any]:
    return {
        "prompt": cells.text(row, "input"),
        "response": cells.text(row, "output"),
        "reward": cells.number(row, reward or "score"),
        "gold": cells.gold(row.get("gts")),
        "step": cells.step_of(row, "step"),
    }


GOLDS = "answer", "solution", "ground_truth"
"""Columns of tables by TRL and SWIFT with the gold answer."""


def _table(row: Cells, reward: str | None, path: Path) -> dict[str, Any]:
    return {
        "prompt": cells.prompt(row, "prompt"),
        "response": cells.completion(row, "completion"),
        "reward": None if reward is None else cells.number(row, reward),
        "gold": next((gold for name in GOLDS if (gold := cells.gold(row.get(name))) is not None), None),
        "step": cells.step_of(row, "step", "gen_step"),
    }


def _own(row: Cells, reward: str | None, path: Path) -> dict[str, Any]:
    by_ids = row.get("token_ids") is not None
    question = row.get("question")
    return {
        "question": None if question is None else str(question),
        "prompt": cells.prompt(row, "prompt"),
        "response": None if by_ids else cells.text(row, "response"),
        "token_ids": cells.integers(row, "token_ids") if by_ids else None,
        "log_probs": cells.numbers(row, "log_probs") if by_ids and row.get("log_probs") is not None else None,
        "reward": cells.number(row, reward or "reward") if reward or "reward" in row else None,
        "gold": cells.gold(row.get("answer")),
        "step": cells.step_of(row, "step"),
        "truncated": cells.truth(row, "truncated"),
    }


def _slime(row: Cells, reward: str | None, path: Path) -> dict[str, Any]:
    tokens = cells.integers(row, "tokens")
    length = cells.integer(row, "response_length")
    if not 0 <= length <= len(tokens):
        raise ValueError(f"response_length is {length}, but there are {len(tokens)} tokens")
    status = str(row.get("status") or "completed")
    if status not in ("completed", "truncated"):
        raise Turns(f"its status is {status}")
    if not all(row.get("loss_mask") or (1,)):
        raise Turns("its response contains further turns")
    known = row.get("rollout_log_probs") is not None
    value = row.get("reward")
    if isinstance(value, Mapping):
        value = value if reward or len(value) != 1 else next(iter(value.values()))
        if isinstance(value, Mapping) and reward is None:
            raise Unclear(f"it has the rewards {cells.listed(list(value))}")
    return {
        "prompt": cells.prompt(row, "prompt"),
        "prompt_ids": tokens[: len(tokens) - length],
        "token_ids": tokens[len(tokens) - length :],
        "log_probs": cells.numbers(row, "rollout_log_probs") if known else None,
        "reward": cells.number(value, str(reward))
        if isinstance(value, Mapping)
        else cells.number({"reward": value}, "reward"),
        "gold": cells.gold(row.get("label")),
        "step": cells.step_of(row, "rollout_id"),
        "truncated": status == "truncated",
    }


def _masked(tokens: tuple[int, ...], mask: tuple[float, ...], log_probs: tuple[float, ...] | None) -> dict[str, Any]:
    """Return prompt and response of a sequence whose mask marks the tokens that the student wrote.

    Raises:
        Turns: the mask marks none, or tokens with others between them.
        ValueError: the lists have different lengths.
    """
    cells.same_length(token_ids=tokens, mask=mask)
    own = [i for i, marked in enumerate(mask) if marked]
    if not own:
        raise Turns("no token of it is marked as the student's")
    start, end = own[0], own[-1] + 1
    if len(own) != end - start:
        raise Turns("its response contains further turns")
    return {
        "prompt_ids": tokens[:start],
        "token_ids": tokens[start:end],
        "log_probs": None if log_probs is None else log_probs[start:end],
    }


def _prime(row: Cells, reward: str | None, path: Path) -> dict[str, Any]:
    if not (path.parent / "STABLE").exists():
        raise Turns("its step is not complete (no file STABLE beside it)")
    tokens = cells.integers(row, "token_ids")
    column = reward or "rewards"
    values = [one for one in cells.numbers(row, column) if one == one] if row.get(column) is not None else []
    if len(set(values)) > 1:
        raise ValueError(f"column {column!r} has several values for one response")
    return {
        **_masked(tokens, cells.numbers(row, "loss_mask"), cells.numbers(row, "inference_logprobs")),
        "reward": values[0] if values else None,
        "step": cells.step_of(row, "export_step", "step"),
    }


def _nemo(row: Cells, reward: str | None, path: Path) -> dict[str, Any]:
    # a batch of one
    row = {name: cell[0] if isinstance(cell, list) and len(cell) == 1 else cell for name, cell in row.items()}
    length = cells.integer(row, "input_lengths")
    tokens = cells.integers(row, "token_ids")[:length]
    mask = cells.numbers(row, "token_loss_mask")[:length]
    known = row.get("generation_logprobs") is not None
    found = re.search(r"train_data_step(\d+)", path.name)
    return {
        **_masked(tokens, mask, cells.numbers(row, "generation_logprobs")[:length] if known else None),
        "reward": cells.number(row, reward or "rewards"),
        "step": int(found[1]) if found else None,
    }


def _chat(asked: Any) -> Any:
    """Return messages; a text is the user's."""
    return [{"role": "user", "content": asked}] if isinstance(asked, str) else asked


def _inspect(row: Cells, reward: str | None, path: Path) -> dict[str, Any]:
    if row.get("error"):
        raise Turns("it ended with an error")
    choices = row["output"].get("choices") or []
    if len(choices) != 1:
        raise Turns(f"it has {len(choices)} responses")
    if choices[0].get("stop_reason") == "content_filter":
        raise Turns("its response was stopped by a content filter")
    messages = row.get("messages") or []
    if [one["role"] for one in messages].count("assistant") > 1:
        raise Turns("its response contains further turns")
    asked = [one for one in messages if one["role"] != "assistant"] or row["input"]
    scores = row.get("scores") or {}
    column = reward or (next(iter(scores)) if len(scores) == 1 else None)
    if scores and column is None:
        raise Unclear(f"it has the scores {cells.listed(list(scores))}")
    if column is not None and column not in scores:
        raise LookupError(f"there is no score {column!r}; there are {cells.listed(list(scores))}")
    value = None if column is None else scores[column]["value"]
    return {
        "prompt": cells.prompt({"input": _chat(asked)}, "input"),
        "response": cells.said(choices[0]["message"], "output"),
        "reward": cells.number(
            {"value": INSPECT_SCORES.get(value, value) if isinstance(value, str) else value}, "value"
        ),
        "gold": cells.gold(row.get("target")),
        "truncated": choices[0].get("stop_reason") in ("max_tokens", "model_length"),
    }


INSPECT_SCORES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": None, "yes": 1.0, "no": 0.0}
"""Inspect's letters for correct, partially correct, incorrect and no answer, and its words for numbers."""

FORMATS = (
    Format("verl's input, output and score", lambda row: row.keys() >= {"input", "output", "score"}, _verl),
    Format("TRL's or SWIFT's prompt, completion and rewards", is_table, _table),
    Format(
        "prime-rl's token_ids, loss_mask and inference_logprobs",
        lambda row: row.keys() >= {"token_ids", "loss_mask", "inference_logprobs"},
        _prime,
    ),
    Format(
        "NeMo-RL's token_ids, token_loss_mask and rewards",
        lambda row: row.keys() >= {"token_ids", "token_loss_mask", "input_lengths", "rewards"},
        _nemo,
    ),
    Format("slime's tokens and response_length", lambda row: row.keys() >= {"tokens", "response_length"}, _slime),
    Format(
        "Inspect's input and output",
        lambda row: row.keys() >= {"input", "output"} and isinstance(row["output"], Mapping),
        _inspect,
    ),
    Format(
        "response or token_ids, reward, and question or prompt",
        lambda row: bool(row.keys() & {"response", "token_ids"} and row.keys() & {"question", "prompt"}),
        _own,
    ),
)
NEEDED = f"{'; '.join(form.needs for form in FORMATS[:-1])}; or {FORMATS[-1].needs}"
