"""Question sets that a person brings along, kept in the cache so that the runs made from them can go on later."""

import hashlib
import re
from pathlib import Path

from odd.config import QuestionsConfig
from odd.errors import OddError
from odd.questions.files import SUFFIXES
from odd.questions.sources import load_questions


def keep_questions(cache: Path, name: str, content: bytes) -> Path:
    """Where a set is kept from now on; the same content has the same place.

    Args:
        cache: where run files are.
        name: what the file is called; it need not be a name that could be trusted.
        content: JSON Lines, CSV or Parquet, as its name says.

    Raises:
        OddError: it cannot be read, and nothing is kept: the message names its first mistake. Or no room.
    """
    stem = re.sub(r"[^a-z0-9]+", "-", Path(name).stem.lower())[:40].strip("-") or "questions"
    suffix = Path(name).suffix.lower() if Path(name).suffix.lower() in SUFFIXES else SUFFIXES[0]
    kept = cache / "questions" / f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}{suffix}"
    if kept.exists():
        return kept
    scratch = kept.with_name(f"part-{kept.name}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(content)
        load_questions(QuestionsConfig(source=str(scratch)))
        scratch.replace(kept)
    except OSError as error:
        raise OddError(f"{kept} cannot be written ({error.strerror}): make room there") from error
    except OddError as error:
        raise OddError(str(error).replace(str(scratch), name)) from error
    finally:
        scratch.unlink(missing_ok=True)
    return kept
