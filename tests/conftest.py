"""Fixtures of all tests. Shape annotations of the mathematical core are checked at run time, see `checked_shapes`."""

import jaxtyping
from jaxtyping import install_import_hook

install_import_hook(["odd.method", "odd.findings.statistics"], "beartype.beartype")

from pathlib import Path  # noqa: E402 - the hook comes before anything of odd is imported

import pytest  # noqa: E402
from filelock import FileLock  # noqa: E402

from benchmarks import serving  # noqa: E402
from odd.config import InfluenceConfig, RunConfig  # noqa: E402
from odd.models.embedded import embedded_path  # noqa: E402
from odd.pipeline.influence import compute_influence  # noqa: E402
from odd.pipeline.screening import screen  # noqa: E402
from odd.pipeline.worker import run  # noqa: E402
from tests.runs import influence_config, quick_config, quick_screening_config, screening_config, small_config  # noqa: E402

SHAPED = ("analysis", "findings", "method")
"""Folders of the tests in which shapes are checked, besides those marked so."""


@pytest.fixture(scope="module", autouse=True)
def checked_shapes(request):
    """Check shape annotations at run time in tests of the mathematics; elsewhere, this would take a third of a run.

    The runs that all tests share are made outside modules, with checks.
    """
    folder = request.path.relative_to(Path(__file__).parent).parts[0]
    marked = request.node.get_closest_marker("checked_shapes") is not None
    jaxtyping.config.update("jaxtyping_disable", folder not in SHAPED and not marked)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def common(request, tmp_path_factory) -> Path:
    """A folder shared by all test processes; each file in it is created once, under a lock."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "common"
    folder.mkdir(exist_ok=True)
    return folder


def made_once(folder: Path, configure, make) -> tuple[RunConfig, Path]:
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        config = configure(folder)
        paths = list((folder / "cache").glob("*.duckdb"))
        return config, paths[0] if paths else make(config, lambda step: None)


@pytest.fixture(scope="session")
def finished(common) -> tuple[RunConfig, Path]:
    """A finished small run: its config and its file. Shared: tests must copy it before changing it."""
    return made_once(common / "finished", small_config, run)


@pytest.fixture(scope="session")
def quick(common) -> tuple[RunConfig, Path]:
    """A finished run of a fake engine, the same as `finished` otherwise."""
    return made_once(common / "quick", quick_config, run)


@pytest.fixture(scope="session")
def influenced(common) -> tuple[RunConfig, Path]:
    """A finished run of a fake engine, with influence."""

    def make(config, listen):
        path = run(config, listen)
        return compute_influence(path.parent, path.stem, InfluenceConfig(), listen, lambda line: None)

    return made_once(common / "influenced", influence_config, make)


@pytest.fixture(scope="session")
def screened(common) -> tuple[RunConfig, Path]:
    """The same run, only screened, with demonstrations and summaries by a larger model: its config and its file."""
    return made_once(common / "screened", screening_config, screen)


@pytest.fixture(scope="session")
def quick_screened(common) -> tuple[RunConfig, Path]:
    """A quick run, only screened, with demonstrations and summaries by another model: its config and its file."""
    return made_once(common / "quick-screened", quick_screening_config, screen)


@pytest.fixture(scope="session")
def smollm2_cache(common) -> Path:
    """A cache in which SmolLM2 is ready."""
    (cache := common / "smollm2").mkdir(exist_ok=True)
    with FileLock(cache / "lock"):
        embedded_path("smollm2", cache)
    return cache


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium. Playwright allows one per process. A missing browser is a failure, not a skip."""
    try:
        serving.chromium_path()
    except RuntimeError as error:
        pytest.fail(str(error))
    with serving.chromium() as browser:
        yield browser


BROWSERS = 2
"""Processes for the tests of the dashboard in a browser, which each start a browser and servers."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Distribute tests by file, but give those that need a browser to a few processes: browser and servers are dear."""
    from xdist.scheduler import LoadFileScheduling

    files = sorted(file.name for file in (Path(__file__).parent / "browser").glob("test_*.py"))

    class FewBrowsers(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            folder, _, name = file.rpartition("/")
            return f"{folder} {files.index(name) % BROWSERS}" if folder == "tests/browser" else file

    return FewBrowsers(config, log) if config.getvalue("dist") == "loadfile" else None
