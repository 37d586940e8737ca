"""Display names of runs: student and question set."""

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath

from odd.config import stored_config


def run_names(metas: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """A unique name for each run.

    Args:
        metas: the table `meta` of each run, by run id.
    """
    plain = {run_id: _name(run_id, meta) for run_id, meta in metas.items()}
    counts = Counter(plain.values())
    return {run_id: name if counts[name] == 1 else f"{name} ({run_id})" for run_id, name in plain.items()}


def _name(run_id: str, meta: Mapping[str, str]) -> str:
    config = stored_config(meta.get("config"))
    if config is None:
        return run_id
    return f"{PurePath(config.student.name).name} on {PurePath(config.questions.source).name}"
