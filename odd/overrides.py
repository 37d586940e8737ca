"""Changes to settings: from a TOML file, and from a command line."""

import re
import tomllib
from pathlib import Path
from typing import Any

from odd.errors import OddError


def read_toml(file: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        OddError: it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OddError(f"config file {file}: {error.strerror}; give the path of a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OddError(f"config file {file} is not TOML ({error}): mend that place") from error


def parse_override(override: str) -> dict[str, Any]:
    """`a.b=1` as {"a": {"b": 1}}; a value that is no TOML literal is taken as a string.

    Raises:
        OddError: it has another form.
    """
    key, equals, value = override.partition("=")
    if not equals or not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)*", key):
        raise OddError(f"--set {override!r}: write it as section.key=value, for instance sampling.seed=3")
    try:
        parsed: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    for part in reversed(key.split(".")):
        parsed = {part: parsed}
    return parsed


def merge(tree: dict[str, Any], changes: dict[str, Any]) -> None:
    """Put changes into a tree of settings, in place; tables are merged, all else is replaced."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            merge(tree[key], value)
        else:
            tree[key] = value
