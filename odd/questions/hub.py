r"""Questions from data sets on the Hugging Face hub or in local folders, loaded with the package `datasets`.

`hf:google/boolq?split=validation&limit=50&seed=0` takes 50 questions of BoolQ's validation split, shuffled with the
seed. `SETS` contains known data sets; `as=openai/gsm8k` reads another data set or a local folder like one of them.
Other sets are recognised by their columns (`odd.questions.published`), or you name these:
`question=COLUMN&answer=COLUMN&kind=KIND`, and optionally `choices=COLUMN` and others of `COLUMNS`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from odd.errors import OddError
from odd.questions import published
from odd.questions.base import Question
from odd.questions.files import question_of
from odd.questions.published import NEEDED, Form, form_fields, id_of, published_fields
from odd.text import shortened

HUB_SECONDS = 5.0
COLUMNS = (*NEEDED, "choices", "solution", "hint", "system")
OPTIONS = ("subset", "split", "revision", "as", "limit", "seed", *COLUMNS)
NAMED = "name its columns with question=, answer=, kind="
USUAL_SPLITS = ("test", "validation", "train")
"""Splits of a set that is recognised by its columns; the first that it has is the default."""

SPLIT_FOLDERS = frozenset(("train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval", "data"))
"""Names of folders that tell the split of their files, not the subset."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class KnownSet:
    """A known data set.

    Attributes:
        form: form of its rows.
        split: default split.
        subsets: default subsets, concatenated; None is the only subset.
        has_ids: whether its rows have ids; else their numbers are used.
    """

    form: Form
    split: str
    subsets: tuple[str | None, ...] = (None,)
    has_ids: bool = False


SETS: dict[str, KnownSet] = {
    "google/boolq": KnownSet(published.BOOLQ, "validation"),
    "cais/mmlu": KnownSet(published.MMLU, "test", ("all",)),
    "openai/gsm8k": KnownSet(published.GSM8K, "test", ("main",)),
    "HuggingFaceH4/MATH-500": KnownSet(published.MATH_500, "test", has_ids=True),
    "math-ai/aime25": KnownSet(published.AIME_PROBLEMS, "test", has_ids=True),
    "opencompass/AIME2025": KnownSet(published.AIME, "test", ("AIME2025-I", "AIME2025-II")),
}


def hub_questions(name: str, options: Mapping[str, str]) -> list[Question]:
    """Read the questions of a data set.

    Args:
        name: name of the data set on the hub, or a folder.
        options: values of any of `OPTIONS`.

    Raises:
        OddError: the package `datasets` or the data set is missing, or a row is not a question (the message names it).
    """
    known = _known_set(name, options)
    subsets = (options["subset"],) if "subset" in options else known.subsets if known else (None,)
    usual = known.split if known else "train" if "kind" in options else None
    rows = []
    for subset in subsets:
        data, split = _load(name, subset, options.get("split", usual), options.get("revision"))
        prefix = f"{subset}-" if len(subsets) > 1 else ""
        rows += [(f"{prefix}{split}-{number}", data, number) for number in range(len(data))]
    found = []
    for i in chosen(len(rows), options):
        row_place, data, number = rows[i]
        place = f"questions hf:{name}, row {row_place}"
        fields = _fields(place, data[number], known, options)
        found.append(question_of(place, {"id": id_of(row_place) or row_place, **fields}))
    return found


def chosen(n: int, options: Mapping[str, str]) -> list[int]:
    """Return the indices of the chosen rows among n: all or the first `limit`, shuffled if there is a `seed`."""
    order = np.random.default_rng(int(options["seed"])).permutation(n) if "seed" in options else range(n)
    return [int(i) for i in order][: int(options.get("limit", n))]


def _known_set(name: str, options: Mapping[str, str]) -> KnownSet | None:
    """Return the known set that a data set is read like; None if its rows are recognised, or its columns named.

    Raises:
        OddError: an option is missing, or there is no such set.
    """
    if any(column in options for column in COLUMNS):
        missing = [column for column in NEEDED if column not in options]
        if missing:
            raise OddError(f"questions hf:{name}: missing {' and '.join(missing)}: give question=, answer=, kind=")
        return None
    like = options.get("as", name)
    if "as" in options and like not in SETS:
        raise OddError(f"questions hf:{name}: no known set {like!r}: choose {', '.join(SETS)}, or {NAMED}")
    return SETS.get(like)


def _fields(place: str, row: Row, known: KnownSet | None, options: Mapping[str, str]) -> Row:
    """Return the fields of a question from a row."""
    if known is not None:
        fields = form_fields(place, known.form, row)
        return {name: cell for name, cell in fields.items() if name != "id" or known.has_ids}
    if "kind" not in options:
        fields = published_fields(place, row)
        if not all(name in fields for name in NEEDED):
            listed = shortened(", ".join(row), 200)
            raise OddError(
                f"{place}: no mapping for the columns {listed}: add as= with one of {', '.join(SETS)}, or {NAMED}"
            )
        return fields
    columns = {name: options[name] for name in COLUMNS if name in options and name != "kind"}
    if missing := [column for column in columns.values() if column not in row]:
        raise OddError(f"{place}: not in the format given: there is no column {missing[0]}: {NAMED}")
    return {**{name: row[column] for name, column in columns.items()}, "kind": options["kind"]}


def _load(name: str, subset: str | None, split: str | None, revision: str | None) -> tuple[Any, str]:
    """Load one split of one subset, or a usual split for None; index it by row number.

    Returns:
        Its rows, and the name of the split.
    """
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
            # a folder without a card has one subset, a mixture of all its folders
            subsets = datasets.get_dataset_config_names(name, revision=revision)
            folders = _subset_folders(name) if subsets == ["default"] else []
            if subset is None and (chosen := folders or subsets)[1:]:
                raise OddError(
                    f"questions hf:{name}: it has several subsets: add subset= with one of {_listed(chosen)}"
                )
            named, inside = (None, subset) if subset in folders else (subset, None)
            if split is None:
                builder = datasets.load_dataset_builder(name, named, inside, revision=revision)
                splits = [str(each) for each in builder.config.data_files or ()]
                split = next((usual for usual in USUAL_SPLITS if usual in splits), splits[0])
            return datasets.load_dataset(name, named, inside, split=split, revision=revision), split
    except OddError:
        raise
    except Exception as error:  # data set readers may raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise OddError(
            f"questions hf:{name}: could not be loaded ({reason}): give a data set that is in the hub's cache or that "
            "this machine can reach, a folder in that format, or another subset= or split="
        ) from error


def _subset_folders(name: str) -> list[str]:
    """Names of the folders in a local data set that are subsets, such as `main` and `socratic`, and no splits."""
    if not os.path.isdir(name):
        return []
    inside = sorted(entry.name for entry in os.scandir(name) if entry.is_dir() and not entry.name.startswith("."))
    found = [each for each in inside if each.lower() not in SPLIT_FOLDERS and any(Path(name, each).rglob("*.*"))]
    return found if len(found) > 1 else []


def _listed(names: Sequence[str]) -> str:
    return shortened(", ".join(names), 200)


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
