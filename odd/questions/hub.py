r"""Questions from data sets on the Hugging Face hub or in local folders, loaded with the package `datasets`.

`hf:google/boolq?split=validation&limit=50&seed=0` takes 50 questions of BoolQ's validation split, shuffled with the
seed. `MAPPINGS` contains the built-in mappings; `as=openai/gsm8k` applies one of them to another data set or a local
folder. Without a mapping, name the columns: `question=COLUMN&answer=COLUMN&kind=KIND`, and optionally `choices=COLUMN`.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from odd.errors import OddError
from odd.questions.base import Question
from odd.questions.files import question_of

HUB_SECONDS = 5.0
COLUMNS = ("question", "answer", "kind", "choices")
OPTIONS = ("subset", "split", "revision", "as", "limit", "seed", *COLUMNS)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class SetMapping:
    """Mapping from the rows of a data set to questions.

    Attributes:
        subsets: default subsets, concatenated; None is the only subset.
        split: default split.
        question: maps a row to the fields of a question.
        id: column with the row's id; None to use the row number.
    """

    subsets: tuple[str | None, ...]
    split: str
    question: Callable[[Row], dict[str, Any]]
    id: str | None = None


def _boolq(row: Row) -> dict[str, Any]:
    asked = row["question"].strip().removesuffix("?")
    text = f"{row['passage'].strip()}\n\n{asked[:1].upper()}{asked[1:]}?"
    return {"question": text, "answer": row["answer"], "kind": "yes_no"}


def _mmlu(row: Row) -> dict[str, Any]:
    return {"question": row["question"], "choices": row["choices"], "answer": row["answer"], "kind": "choice"}


def _gsm8k(row: Row) -> dict[str, Any]:
    return {"question": row["question"], "answer": row["answer"].rpartition("####")[2].strip(), "kind": "number"}


def _math(row: Row) -> dict[str, Any]:
    return {"question": row["problem"], "answer": row["answer"], "kind": "expression"}


def _aime(row: Row) -> dict[str, Any]:
    return {"question": row.get("problem") or row["question"], "answer": row["answer"], "kind": "number"}


MAPPINGS: dict[str, SetMapping] = {
    "google/boolq": SetMapping((None,), "validation", _boolq),
    "cais/mmlu": SetMapping(("all",), "test", _mmlu),
    "openai/gsm8k": SetMapping(("main",), "test", _gsm8k),
    "HuggingFaceH4/MATH-500": SetMapping((None,), "test", _math, id="unique_id"),
    "math-ai/aime25": SetMapping((None,), "test", _aime, id="id"),
    "opencompass/AIME2025": SetMapping(("AIME2025-I", "AIME2025-II"), "test", _aime),
}


def hub_questions(name: str, options: Mapping[str, str]) -> list[Question]:
    """Read the questions of a data set.

    Args:
        name: name of the data set on the hub, or a folder.
        options: values of any of `OPTIONS`.

    Raises:
        OddError: the package `datasets` or the data set is missing, or a row is not a question (the message names it).
    """
    mapping = _mapping(name, options)
    subsets = (options["subset"],) if "subset" in options else mapping.subsets
    split = options.get("split", mapping.split)
    rows = []
    for subset in subsets:
        data = _load(name, subset, split, options.get("revision"))
        prefix = f"{subset}-" if len(subsets) > 1 else ""
        rows += [(f"{prefix}{split}-{number}", data, number) for number in range(len(data))]
    found = []
    for i in chosen(len(rows), options):
        place, data, number = rows[i]
        try:
            row = data[number]
            fields = mapping.question(row)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise OddError(
                f"questions hf:{name}, row {place}: not in the format of {options.get('as', name)} "
                f"({type(error).__name__}: {error}): name its columns with question=, answer=, kind="
            ) from error
        own = row.get(mapping.id) if mapping.id else None
        label = re.sub(r"[^A-Za-z0-9]+", "-", str(place if own is None else own)).strip("-")[:80]
        found.append(question_of(f"questions hf:{name}, row {place}", fields | {"id": label or place}))
    return found


def chosen(n: int, options: Mapping[str, str]) -> list[int]:
    """Return the indices of the chosen rows among n: all or the first `limit`, shuffled if there is a `seed`."""
    order = np.random.default_rng(int(options["seed"])).permutation(n) if "seed" in options else range(n)
    return [int(i) for i in order][: int(options.get("limit", n))]


def _mapping(name: str, options: Mapping[str, str]) -> SetMapping:
    like = options.get("as", name)
    if any(column in options for column in COLUMNS):
        missing = [column for column in ("question", "answer", "kind") if column not in options]
        if missing:
            raise OddError(f"questions hf:{name}: missing {' and '.join(missing)}: give question=, answer=, kind=")
        return SetMapping((None,), "train", lambda row: _by_columns(row, options))
    if like not in MAPPINGS:
        raise OddError(
            f"questions hf:{name}: no mapping for {like!r}: add as= with one of {', '.join(MAPPINGS)}, or "
            "question=COLUMN&answer=COLUMN&kind=KIND"
        )
    return MAPPINGS[like]


def _by_columns(row: Row, options: Mapping[str, str]) -> dict[str, Any]:
    fields = {name: row[options[name]] for name in ("question", "answer", "choices") if name in options}
    return {**fields, "kind": options["kind"]}


def _load(name: str, subset: str | None, split: str, revision: str | None) -> Any:
    """Load one split of one subset; index it by row number."""
    try:
        import datasets
    except ImportError as error:
        raise OddError(f"questions hf:{name}: the package datasets is not installed: pip install datasets") from error
    if not os.path.isdir(name) and "/" not in name:
        raise OddError(f"questions hf:{name}: neither a folder nor a hub name such as google/boolq")
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    try:
        with _briefly(os.path.isdir(name)):
            return datasets.load_dataset(name, subset, split=split, revision=revision)
    except Exception as error:  # data set readers may raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise OddError(
            f"questions hf:{name}: could not be loaded ({reason}): give a data set that is in the hub's cache or that "
            "this machine can reach, a folder in that format, or another subset= or split="
        ) from error


@contextmanager
def _briefly(local: bool) -> Iterator[None]:
    """Probe the hub once and use only its cache if it is unreachable; its client would retry for half a minute."""
    from datasets import config
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    before = config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    try:
        if not local and not any(before):
            get_session().head(constants.ENDPOINT, timeout=HUB_SECONDS)
    except Exception:  # network libraries may raise anything
        config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
