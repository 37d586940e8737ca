r"""Questions from data sets of the Hugging Face hub, or folders of that form, by the package `datasets`.

`hf:google/boolq?split=validation&limit=50&seed=0` takes 50 questions of BoolQ's validation split, in an order that the
seed decides. Ready mappings are in `MAPPINGS`; `as=openai/gsm8k` reads another name, or a local folder, by the mapping
of that set. What has no mapping is read by columns: `question=COLUMN&answer=COLUMN&kind=KIND`, and `choices=COLUMN`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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
    """How a data set becomes questions.

    Attributes:
        subsets: taken one after the other unless the user names one; None: the only one.
        split: taken unless the user names another.
        question: fields of the question from a row.
        id: column that names a row; None: its number does.
    """

    subsets: tuple[str | None, ...]
    split: str
    question: Callable[[Row], dict[str, Any]]
    id: str | None = None


def _boolq(row: Row) -> dict[str, Any]:
    asked = row["question"].strip().removesuffix("?")
    text = f"{row['passage'].strip()}\n\n{asked[:1].upper()}{asked[1:]}?"
    return {"question": text, "answer": "yes" if row["answer"] else "no", "kind": "yes_no"}


def _mmlu(row: Row) -> dict[str, Any]:
    return {"question": row["question"], "choices": row["choices"], "answer": "ABCD"[row["answer"]], "kind": "choice"}


def _gsm8k(row: Row) -> dict[str, Any]:
    return {"question": row["question"], "answer": row["answer"].rpartition("####")[2].strip(), "kind": "number"}


def _math(row: Row) -> dict[str, Any]:
    return {"question": row["problem"], "answer": row["answer"], "kind": "expression"}


def _aime(row: Row) -> dict[str, Any]:
    return {"question": row.get("problem") or row["question"], "answer": str(row["answer"]), "kind": "number"}


MAPPINGS: dict[str, SetMapping] = {
    "google/boolq": SetMapping((None,), "validation", _boolq),
    "cais/mmlu": SetMapping(("all",), "test", _mmlu),
    "openai/gsm8k": SetMapping(("main",), "test", _gsm8k),
    "HuggingFaceH4/MATH-500": SetMapping((None,), "test", _math, id="unique_id"),
    "math-ai/aime25": SetMapping((None,), "test", _aime, id="id"),
    "opencompass/AIME2025": SetMapping(("AIME2025-I", "AIME2025-II"), "test", _aime),
}


def hub_questions(name: str, options: Mapping[str, str]) -> list[Question]:
    """The questions of a data set.

    Args:
        name: of the set on the hub, or a folder.
        options: some of `OPTIONS`.

    Raises:
        OddError: the package is missing, there is no such set, or a row is no question; names it.
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
                f"questions hf:{name}, row {place}: not of the form of {options.get('as', name)} "
                f"({type(error).__name__}: {error}): say which columns to take with question=, answer=, kind="
            ) from error
        label = re.sub(r"[^A-Za-z0-9]+", "-", str(row[mapping.id]) if mapping.id else place).strip("-")[:80]
        found.append(question_of(f"questions hf:{name}, row {place}", fields | {"id": label or place}))
    return found


def chosen(n: int, options: Mapping[str, str]) -> list[int]:
    """Which of n rows: all, or the first `limit`, in their own order or in the one that `seed` gives."""
    order = np.random.default_rng(int(options["seed"])).permutation(n) if "seed" in options else range(n)
    return [int(i) for i in order][: int(options.get("limit", n))]


def _mapping(name: str, options: Mapping[str, str]) -> SetMapping:
    like = options.get("as", name)
    if any(column in options for column in COLUMNS):
        missing = [column for column in ("question", "answer", "kind") if column not in options]
        if missing:
            raise OddError(f"questions hf:{name}: {' and '.join(missing)} is missing: give question=, answer=, kind=")
        return SetMapping((None,), "train", lambda row: _by_columns(row, options))
    if like not in MAPPINGS:
        raise OddError(
            f"questions hf:{name}: no mapping for {like!r}: add as= with one of {', '.join(MAPPINGS)}, or "
            "question=COLUMN&answer=COLUMN&kind=KIND"
        )
    return MAPPINGS[like]


def _by_columns(row: Row, options: Mapping[str, str]) -> dict[str, Any]:
    answer = row[options["answer"]]
    choices: Sequence[str] = row[options["choices"]] if "choices" in options else ()
    if isinstance(answer, bool):
        answer = "yes" if answer else "no"
    elif options["kind"] == "choice" and isinstance(answer, int):
        answer = "ABCDEFGHIJ"[answer]
    return {
        "question": row[options["question"]],
        "answer": str(answer),
        "kind": options["kind"],
        "choices": choices,
    }


def _load(name: str, subset: str | None, split: str, revision: str | None) -> Any:
    """One split of one subset, with rows by number."""
    try:
        import datasets
    except ImportError as error:
        raise OddError(f"questions hf:{name}: the package datasets is not installed: pip install datasets") from error
    if not Path(name).is_dir() and "/" not in name:
        raise OddError(f"questions hf:{name}: neither a folder nor a name of the hub, such as google/boolq")
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    try:
        with _briefly(Path(name).is_dir()):
            return datasets.load_dataset(name, subset, split=split, revision=revision)
    except Exception as error:  # readers of data sets raise all kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise OddError(
            f"questions hf:{name}: it could not be loaded ({reason}): give a set that is in the hub's cache or that "
            "this machine can reach, a folder of that form, or another subset= or split="
        ) from error


@contextmanager
def _briefly(local: bool) -> Iterator[None]:
    """Ask the hub once whether it is there: its client would retry for half a minute. If not, its cache has to do."""
    from datasets import config
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    before = config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    try:
        if not local and not any(before):
            get_session().head(constants.ENDPOINT, timeout=HUB_SECONDS)
    except Exception:  # whatever the network's libraries raise
        config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
