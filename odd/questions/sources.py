"""Where questions come from; a source is one text, the same in TOML, on the command line and in the dashboard.

| source | what it is |
|---|---|
| `general-number` | a bundled set |
| `my.jsonl`, `my.csv`, `my.parquet` | a file, see `odd.questions.files` |
| `hf:google/boolq?split=validation` | a data set of the Hugging Face hub or a folder, see `odd.questions.hub` |
| `gym:leg_counting?size=20&seed=0` | made by reasoning-gym, see `odd.questions.gym` |

Options follow a question mark, joined by `&`, percent-encoded where they hold such signs themselves. All but `gym:`
take `seed`, which shuffles, and `limit`, which takes the first so many after that.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl

from odd.config import QuestionsConfig
from odd.errors import OddError
from odd.questions import hub
from odd.questions.base import Question
from odd.questions.files import SUFFIXES, read_questions
from odd.questions.gym import gym_questions
from odd.questions.hub import chosen, hub_questions

DATA = Path(__file__).parent / "data"
WHOLE_NUMBERS = ("limit", "seed")


@dataclass(frozen=True)
class Source:
    """Where questions come from.

    Attributes:
        scheme: a bundled set, a file, a data set of the hub, or a generator.
        name: of the set, path of the file, or name of the generator.
        options: what is asked for besides.
    """

    scheme: Literal["set", "file", "hf", "gym"]
    name: str
    options: dict[str, str]


def bundled_sets() -> list[str]:
    """Names of the question sets that come with the installation."""
    return sorted(path.stem for path in DATA.glob("*.jsonl"))


def parse_source(text: str) -> Source:
    """Read a source.

    Raises:
        OddError: its options are malformed, or there are no such.
    """
    if Path(text).is_file():  # its name may hold a question mark
        return Source("file", text, {})
    place, _, query = text.partition("?")
    scheme, colon, name = place.partition(":")
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) < len(pairs) or len(pairs) < len([part for part in query.split("&") if part]):
        raise OddError(f"questions {text!r}: write its options as ?name=value&name=value, each once")
    if colon and scheme == "gym":
        return Source("gym", name, options)
    known = hub.OPTIONS if colon and scheme == "hf" else WHOLE_NUMBERS
    for option, value in options.items():
        if option not in known:
            raise OddError(f"questions {text!r}: there is no option {option!r}: choose of {', '.join(known)}")
        if option in WHOLE_NUMBERS and not (value.isascii() and value.isdigit()):
            raise OddError(f"questions {text!r}: {option} is a whole number, not {value!r}")
    if colon and scheme == "hf":
        return Source("hf", name, options)
    return Source("set" if place in bundled_sets() else "file", place, options)


def load_questions(config: QuestionsConfig) -> list[Question]:
    """The questions of a source, at most `config.limit`.

    Raises:
        OddError: no such set, file or generator; nothing in it; a malformed line or row, with its number; an id given
            twice; a package that is missing.
    """
    source = parse_source(config.source)
    if source.scheme == "gym":
        questions = gym_questions(source.name, source.options)
    elif source.scheme == "hf":
        questions = hub_questions(source.name, source.options)
    else:
        whole = _from_file(source)
        questions = [whole[i] for i in chosen(len(whole), source.options)]
    if not questions:
        raise OddError(
            f"questions {config.source} is empty: put one JSON object per line, with id, question, answer, kind"
        )
    ids = [question.id for question in questions]
    if len(set(ids)) < len(ids):
        twice = next(id for id in ids if ids.count(id) > 1)
        raise OddError(f"questions {config.source}: the id {twice!r} stands twice; give each question an id of its own")
    return questions[: config.limit]


def _from_file(source: Source) -> list[Question]:
    path = DATA / f"{source.name}.jsonl" if source.scheme == "set" else Path(source.name)
    if not path.is_file():
        raise OddError(
            f"questions {source.name!r}: there is no such file; give a bundled set ({', '.join(bundled_sets())}), a "
            f"file of {', '.join(SUFFIXES)}, hf:NAME or gym:GENERATOR"
        )
    return read_questions(path)
