"""Copies of an empty and a filled run that are created once: creating a file takes longer than a test."""

import shutil
from pathlib import Path

import pytest

from odd.store import RunWriter
from tests.store.example_run import ROWS, RUN


def copied(template, cache):
    shutil.copytree(template, cache, dirs_exist_ok=True)
    return RunWriter(cache, RUN)


@pytest.fixture(scope="session")
def empty_cache(tmp_path_factory):
    cache = tmp_path_factory.mktemp("empty")
    with RunWriter(cache, RUN):
        return cache


@pytest.fixture(scope="session")
def filled_cache(empty_cache, tmp_path_factory):
    cache = tmp_path_factory.mktemp("filled")
    with copied(empty_cache, cache) as writer:
        for table, rows in ROWS.items():
            writer.insert(table, rows)
        writer.set_meta("config", "{}")
        writer.publish()
        return cache


@pytest.fixture
def writer(empty_cache, tmp_path):
    with copied(empty_cache, tmp_path) as writer:
        yield writer


@pytest.fixture
def filled(filled_cache, tmp_path):
    with copied(filled_cache, tmp_path) as writer:
        yield writer


@pytest.fixture
def published(filled_cache, tmp_path):
    return Path(shutil.copy(filled_cache / f"{RUN}.duckdb", tmp_path))
