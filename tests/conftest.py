"""Shape annotations of the mathematical core are checked at run time in all tests."""

from jaxtyping import install_import_hook

_CORE = ("gradients", "logspace", "reward_to_go", "success", "alignment", "statistics", "tree", "targeting")

install_import_hook([f"odd.{module}" for module in _CORE], "beartype.beartype")

from pathlib import Path  # noqa: E402 - the hook comes before anything of odd is imported

import pytest  # noqa: E402
from filelock import FileLock  # noqa: E402

from odd.config import RunConfig  # noqa: E402
from odd.models.embedded import embedded_path  # noqa: E402
from odd.pipeline import run, screen  # noqa: E402
from tests.runs import screening_config, small_config  # noqa: E402


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> tuple[RunConfig, Path]:
    """A finished small run: its config and its file. Shared: tests that change it copy it first."""
    config = small_config(tmp_path_factory.mktemp("finished"))
    return config, run(config, lambda step: None)


@pytest.fixture(scope="session")
def screened(tmp_path_factory) -> tuple[RunConfig, Path]:
    """The same run, screened only, with demonstrations and summaries by a larger model: its config and its file."""
    config = screening_config(tmp_path_factory.mktemp("screened"))
    return config, screen(config, lambda step: None)


@pytest.fixture(scope="session")
def smollm2_cache(request, tmp_path_factory) -> Path:
    """A cache in which SmolLM2 is ready: converted once, also where several processes share the tests."""
    base = tmp_path_factory.getbasetemp()
    cache = (base.parent if hasattr(request.config, "workerinput") else base) / "smollm2"
    cache.mkdir(exist_ok=True)
    with FileLock(cache / "lock"):
        embedded_path("smollm2", cache)
    return cache
