"""An `eval` that computes with numbers, lists and SymPy's functions, and refuses everything else.

Some scorers of reasoning-gym evaluate answers: countdown and integration by SymPy's parser, which calls `eval`, others
directly. In the process that judges, they get this function instead (`replace_eval`): honest answers are scored as
before, and a name, an attribute or a call that mathematics does not need is an error.
"""

import ast
import builtins
import sys
from collections.abc import Mapping
from typing import Any

NODES = (
    ast.Expression,
    ast.Constant,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Dict,
    ast.Name,
    ast.Call,
    ast.Load,
    ast.keyword,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
)
"""Kinds of syntax of which an expression may consist."""
NAMES = frozenset([
    "Symbol", "Integer", "Float", "Rational", "I", "E", "pi", "oo", "nan", "zoo", "GoldenRatio", "EulerGamma",
    "Abs", "sign", "sqrt", "cbrt", "root", "exp", "log", "ln", "sin", "cos", "tan", "cot", "sec", "csc", "asin",
    "acos", "atan", "atan2", "acot", "asec", "acsc", "sinh", "cosh", "tanh", "coth", "sech", "csch", "asinh",
    "acosh", "atanh", "abs", "pow", "expand", "factor", "simplify", "Poly", "max", "min", "floor", "ceiling",
    "factorial", "binomial", "gamma", "erf", "Add", "Mul", "Pow", "Min", "Max", "Mod", "gcd", "lcm", "re", "im",
    "conjugate",
])  # fmt: skip
"""SymPy's names that may be used, besides symbols that a scorer defines."""
MODULES = ("reasoning_gym", "sympy.parsing.sympy_parser")
"""Modules, with those below them, whose `eval` and `exec` are replaced."""
LONGEST = 10_000
"""Characters of an expression."""
STAR_IMPORT = "from sympy import *"
"""The only code that SymPy's parser executes: it fills the parser's namespace."""


def guarded_eval(code: Any, names: Mapping[str, Any] | None = None, local: Mapping[str, Any] | None = None) -> Any:
    """Evaluate an expression.

    Args:
        code: the expression as text, or as the tree that `guarded_compile` returns.
        names: global names, of which only those of `NAMES` count.
        local: further names, such as symbols.

    Raises:
        ValueError: it contains anything that is not allowed.
    """
    if isinstance(code, ast.Expression):
        tree = code
    elif isinstance(code, str) and len(code) <= LONGEST:
        tree = ast.parse(code.strip(), mode="eval")
    else:
        raise ValueError("not an expression")
    own = {name: value for name, value in (local or {}).items() if _is_symbol(value)}
    known = {name: value for name, value in (names or {}).items() if name in NAMES} | own
    for node in ast.walk(tree):
        if not isinstance(node, NODES):
            raise ValueError(f"{type(node).__name__} is not allowed in an answer")
        if isinstance(node, ast.Name) and node.id not in known:
            raise ValueError(f"the name {node.id!r} is not allowed in an answer")
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            raise ValueError("only functions can be called in an answer")
    return builtins.eval(compile(tree, "<answer>", "eval"), {"__builtins__": {}}, known)


def guarded_compile(tree: Any, *_: Any) -> ast.Expression:
    """Return the tree for `guarded_eval`, where SymPy's parser compiles an expression that it does not simplify.

    Raises:
        ValueError: it is not the tree of an expression.
    """
    if not isinstance(tree, ast.Expression):
        raise ValueError("code is not compiled here")
    return tree


def guarded_exec(code: Any, names: dict[str, Any] | None = None, *others: Any) -> None:
    """Fill the namespace of SymPy's parser; any other code is refused.

    Raises:
        ValueError: it is other code.
    """
    if code != STAR_IMPORT or names is None:
        raise ValueError("code is not executed here")
    import sympy

    names.update({name: getattr(sympy, name) for name in NAMES if hasattr(sympy, name)})


def replace_eval() -> None:
    """Let all loaded modules of `MODULES` use the functions above."""
    for name, module in list(sys.modules.items()):
        if module is not None and any(name == own or name.startswith(f"{own}.") for own in MODULES):
            vars(module).update({"eval": guarded_eval, "exec": guarded_exec, "compile": guarded_compile})


def _is_symbol(value: Any) -> bool:
    """Whether a value is an expression of SymPy, or one of its functions of `NAMES`."""
    import sympy

    return isinstance(value, sympy.Basic) or getattr(value, "__name__", "") in NAMES
