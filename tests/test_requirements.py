"""pip and `make` install the same: every pin is in its range, and every package is in both lists."""

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.test_boundaries import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LISTS = {
    "requirements.txt": PROJECT["dependencies"],
    "requirements-datasets.txt": EXTRAS["datasets"],
    "requirements-reasoning-gym.txt": EXTRAS["reasoning-gym"],
    "requirements-dev.txt": [one for one in EXTRAS["dev"] if not one.startswith(PROJECT["name"])],
}


def pins(name):
    lines = (ROOT / name).read_text(encoding="utf-8").split("\n")
    return {pin.name: pin for pin in (Requirement(line) for line in lines if line and line[0] not in "-#")}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_pins_and_its_ranges_name_the_same_packages(name):
    assert set(pins(name)) == {Requirement(one).name for one in LISTS[name]}


@pytest.mark.parametrize("name", LISTS)
def test_every_pin_is_in_its_range(name):
    ranges = {one.name: one.specifier for one in map(Requirement, LISTS[name])}
    versions = {pin.name: Version(next(iter(pin.specifier)).version) for pin in pins(name).values()}
    assert not [package for package, version in versions.items() if version not in ranges[package]]


@pytest.mark.parametrize("range_", PROJECT["dependencies"])
def test_every_range_has_both_bounds(range_):
    assert {one.operator for one in Requirement(range_).specifier} == {">=", "<"}


def test_developer_extras_include_user_extras():
    (own,) = [Requirement(one) for one in EXTRAS["dev"] if one.startswith(PROJECT["name"])]
    assert own.extras == {"datasets", "reasoning-gym"}


def test_the_build_backend_is_the_pinned_one():
    system = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    needed = [Requirement(one) for one in system["requires"]]
    assert [one.name for one in needed] == ["hatchling"]
    assert next(iter(pins("requirements-dev.txt")["hatchling"].specifier)).version in needed[0].specifier
