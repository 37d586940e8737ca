"""Uploaded question sets, stored in the cache so that their runs can be continued later."""

import hashlib
import re
from contextlib import suppress
from pathlib import Path

from odd.access import changes
from odd.config import QuestionsConfig
from odd.errors import OddError, os_problem
from odd.questions.files import SUFFIXES
from odd.questions.sources import load_questions


@changes(lambda cache, name, content: name)
def keep_questions(cache: Path, name: str, content: bytes) -> Path:
    """Store a question set and return its path; the same name and content give the same path.

    Args:
        cache: folder of the run files.
        name: name of the uploaded file; not trusted.
        content: JSON Lines, CSV or Parquet, by the suffix of `name`.

    Raises:
        OddError: the set is invalid (the message names its first error), or the disk is full. Nothing is stored.
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
        raise os_problem(f"{kept} cannot be written", error) from error
    except OddError as error:
        raise OddError(str(error).replace(str(scratch), name)) from error
    finally:
        with suppress(OSError):  # the original error has been reported
            scratch.unlink(missing_ok=True)
    return kept
