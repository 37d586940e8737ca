"""Presets, and the settings of a run from a preset, a file and command-line overrides."""

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

import re2
from pydantic import ValidationError

from odd.config.run import InfluenceConfig, RunConfig, WeightsConfig
from odd.config.teachers import PAPER_TEACHERS, SELF_CHECK, SELF_TEACHERS
from odd.errors import OddError
from odd.settings import Settings
from odd.text import DEEPEST, parse_json
from odd.untrusted import read_text

DEEP_KEY = re2.compile(rf"(?:[^\s.=]+[ \t]*\.[ \t]*){{{DEEPEST}}}")
"""A dotted key of so many parts; prose has no such row of words."""
Parsed = TypeVar("Parsed", bound=Settings)


def _preset(**changes: Any) -> RunConfig:
    return RunConfig.model_validate(changes)


PRESETS: dict[str, RunConfig] = {
    "demo": _preset(
        title="demo",
        sampling={"initial_rollouts": 200, "batch_size": 256},
        targeting={"n_min": 60},
    ),
    "smollm2": _preset(
        title="smollm2",
        student={"name": "smollm2"},
        questions={"source": "smollm2"},
        sampling={"initial_rollouts": 64, "max_new_tokens": 64, "batch_size": 32},
        targeting={"n_gradient": 4, "n_difference": 2, "n_min": 24, "correct_paths": 1, "incorrect_paths": 1},
        analysis={"n_sig": 10},
        teachers=[*SELF_TEACHERS, SELF_CHECK],
    ),
    "paper": _preset(
        title="paper",
        questions={"source": "tiny-heldout", "limit": 10},
        sampling={"initial_rollouts": 200, "batch_size": 256},
        targeting={"n_min": 100, "tau": 0.02, "correct_paths": 2, "incorrect_paths": 2},
        analysis={"n_sig": 20},
        teachers=PAPER_TEACHERS,
    ),
}


def load_config(preset: str = "demo", file: Path | None = None, overrides: tuple[str, ...] = ()) -> RunConfig:
    """Load a preset, then apply the settings of a file, then overrides such as `sampling.seed=3`.

    Raises:
        OddError: unknown preset, unreadable file, unknown key or invalid value; the message names it and what is
            allowed.
    """
    if preset not in PRESETS:
        raise OddError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")
    tree = PRESETS[preset].model_dump(mode="json", exclude={"cache"})  # its default may have changed since
    for changes in (read_settings(file) if file else {}, *map(parse_override, overrides)):
        questions = changes.get("questions")
        if isinstance(questions, dict) and "source" in questions:
            tree["questions"] = {}  # a limit applies only to the questions it was set for
        merge(tree, changes)
    return parse_config(tree)


def stored_config(text: str | None) -> RunConfig | None:
    """Return the settings in a run file (`config` in its table `meta`); None if they cannot be read."""
    try:
        return RunConfig.model_validate(parse_json(text or ""))
    except (ValueError, OddError):
        return None


def parse_config(tree: dict[str, Any]) -> RunConfig:
    """Validate a configuration.

    Raises:
        OddError: an unknown key or invalid value; one line that names it.
    """
    return _parse(RunConfig, tree, "config")


def parse_weights(tree: dict[str, Any]) -> WeightsConfig:
    """Validate the settings of `odd weights`.

    Raises:
        OddError: an unknown key or invalid value; one line that names it.
    """
    return _parse(WeightsConfig, tree, "weights")


def parse_influence(tree: dict[str, Any]) -> InfluenceConfig:
    """Validate the settings of `odd influence`.

    Raises:
        OddError: an unknown key or invalid value; one line that names it.
    """
    return _parse(InfluenceConfig, tree, "influence")


def _parse(kind: type[Parsed], tree: dict[str, Any], name: str) -> Parsed:
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "there is no such setting; odd run --show-config prints all settings"
        # checks that span a section have the entire section as input: too much to print, and the message is enough
        value = "" if isinstance(first["input"], dict) else f" = {_without_password(str(first['input']))[:60]!r}"
        raise OddError(": ".join(part for part in (name, where + value, message) if part)) from error


def _without_password(value: str) -> str:
    """Remove user and password from an address, which must not get into messages."""
    return re.sub(r"(?<=//)[^/\s]*@", "…@", value)


def read_settings(file: Path) -> dict[str, Any]:
    """Read settings from a TOML file, or from a JSON file as printed by `odd run --show-config`.

    Raises:
        OddError: the file cannot be read, or is neither TOML nor JSON.
    """
    form, read = ("JSON", parse_json) if file.suffix == ".json" else ("TOML", _parse_toml)
    try:
        settings = read(read_text(file))
    except OSError as error:
        raise OddError(f"config file {file}: {error.strerror}; give the path of a TOML or JSON file") from error
    except RecursionError as error:
        raise OddError(f"config file {file} is nested too deeply: write it flatter") from error
    except ValueError as error:
        raise OddError(f"config file {file} is not valid {form} ({error}): fix it there") from error
    if not isinstance(settings, dict):
        raise OddError(f"config file {file} contains no settings: write them as one JSON object")
    return settings


def _parse_toml(text: str) -> dict[str, Any]:
    if DEEP_KEY.search(text):  # the time of tomllib is quadratic in the parts of a key
        raise RecursionError("a key has too many parts")
    return tomllib.loads(text)


def parse_override(override: str) -> dict[str, Any]:
    """Parse `a.b=1` into {"a": {"b": 1}}; a value that is not a TOML literal is taken as a string.

    Raises:
        OddError: the override does not have the form key=value.
    """
    key, equals, value = override.partition("=")
    if not equals or not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)*", key):
        raise OddError(f"--set {override[:80]!r}: write it as section.key=value, for instance sampling.seed=3")
    try:
        parsed: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    except RecursionError as error:
        raise OddError(f"--set {key}: the value is nested too deeply") from error
    except ValueError as error:  # Python limits the digits of a number
        raise OddError(f"--set {key}: the number has too many digits") from error
    for part in reversed(key.split(".")):
        parsed = {part: parsed}
    return parsed


def without(tree: Any, names: Collection[str]) -> Any:
    """Return a tree of settings without those of some names, wherever they are."""
    if isinstance(tree, dict):
        return {key: without(value, names) for key, value in tree.items() if key not in names}
    return [without(value, names) for value in tree] if isinstance(tree, list) else tree


def from_file(tree: Any) -> Any:
    """Return settings of a run file that are safe to use.

    A file of a stranger may name any server and any variable of the environment, which would be sent there as a key.
    """
    return without(tree, {"api_key_env"})


def merge(tree: dict[str, Any], changes: dict[str, Any]) -> None:
    """Apply changes to a tree of settings in place; tables are merged, everything else is replaced."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            merge(tree[key], value)
        else:
            tree[key] = value
