"""Private interfaces of libraries: which are used, with which version each was checked, and that they still work.

A newer version fails here first. Check what CONTRIBUTING.md lists for its library, then update the version.
"""

import ast
import importlib.metadata

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from odd.models.transformers.packing import OPERATORS
from tests.test_boundaries import OURS, ROOT, parsed

CHECKED = {"torch": "2.13.0", "transformers": "5.23.0", "streamlit": "1.67.0"}
USED = {
    "odd.models.transformers.attention": {"_attn_implementation"},
    "odd.models.transformers.packing": {"_reorder_linear_weight", "_linear_pointwise", "_version"},
}
"""Module to the private attributes of third-party objects that it uses."""


def private(tree):
    """Return attributes with one leading underscore that a module accesses on anything but self or cls."""
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    names = {node.attr for node in found if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def own_names():
    """Return names with a leading underscore that our own code defines."""
    named = {node.name for tree in parsed().values() for node in ast.walk(tree) if hasattr(node, "name")}
    kept = {
        node.attr
        for tree in parsed().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    fields = {
        node.target.id
        for tree in parsed().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return named | kept | fields


@pytest.mark.parametrize("library", CHECKED)
def test_the_version_is_the_one_that_was_checked(library):
    assert importlib.metadata.version(library).partition("+")[0] == CHECKED[library]


def test_no_other_private_attribute_is_used():
    own = own_names() | {"_exit"}  # os._exit is public in spite of its name
    found = {module: private(parsed()[module]) - own for module in OURS}
    assert {module: names for module, names in found.items() if names} == USED


def test_private_attributes_are_listed_for_contributors():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert not [name for names in USED.values() for name in names if name not in text]
    assert not [library for library, version in CHECKED.items() if f"{library} {version}" not in text]


def test_torch_multiplies_by_a_weight_in_onednn_layout():
    states, weight = torch.randn(4, 16), torch.randn(8, 16)
    layout, product = (getattr(torch.ops.mkldnn, name) for name in OPERATORS)
    torch.testing.assert_close(product(states, layout(weight), None, "none", [], ""), states @ weight.T)


def test_torch_counts_changes_of_a_weight():
    weight = torch.zeros(2)
    before = weight._version
    weight.add_(1)
    assert weight._version > before


def test_transformers_reports_the_attention_implementation():
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    )
    model.set_attn_implementation("eager")
    assert model.config._attn_implementation == "eager"
