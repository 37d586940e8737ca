"""Print the import structure: rooms, files, imports between rooms, and cycles of rooms and of files.

python -m scripts.rooms [ROOT]
"""

import ast
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).parents[1]


def modules(root: Path, *folders: str) -> dict[str, Path]:
    """Map the dotted name of each module in some folders to its file; a package is named after its folder."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for folder in folders
        for path in sorted((root / folder).rglob("*.py"))
    }


def trees(files: Mapping[str, Path]) -> dict[str, ast.Module]:
    """Map each module to the syntax tree of its file."""
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in files.items()}


def imported(tree: ast.AST) -> set[str]:
    """Dotted names imported at runtime, at the top level or inside functions."""
    found: set[str] = set()
    nodes: list[ast.AST] = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            nodes += node.orelse
        else:
            # no expression contains an import
            nodes += (child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr))
    return found


def imports(names: Mapping[str, set[str]]) -> nx.DiGraph:
    """Graph of the imports among the given modules, from the names that each of them imports."""
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_nodes_from(names)
    for name, targets in names.items():
        graph.add_edges_from((name, target) for target in targets & names.keys() if target != name)
    return graph


def room_of(module: str) -> str:
    """The entry of odd/ that contains a module."""
    return ".".join(module.split(".")[:2])


def between_rooms(graph: nx.DiGraph) -> nx.DiGraph:
    """Graph of the imports between rooms, without `odd` itself, which only defines the version."""
    pairs = {(room_of(one), room_of(other)) for one, other in graph.edges}
    rooms: nx.DiGraph = nx.DiGraph()
    rooms.add_nodes_from({room_of(name) for name in graph if name != "odd"})
    rooms.add_edges_from((one, other) for one, other in pairs if one != other and "odd" not in (one, other))
    return rooms


def circles(graph: nx.DiGraph) -> list[list[str]]:
    """Strongly connected components with more than one node."""
    return sorted(sorted(group) for group in nx.strongly_connected_components(graph) if len(group) > 1)


def _lines(title: str, groups: Iterable[Iterable[str]]) -> list[str]:
    named = [", ".join(group) for group in groups]
    return [f"{title}: {len(named)}", *(f"  {names}" for names in named)]


def main(root: Path = ROOT) -> None:
    """Print the structure."""
    files = modules(root, "odd")
    graph = imports({name: imported(tree) for name, tree in trees(files).items()})
    rooms = between_rooms(graph)
    folders = [room for room in rooms if (root / room.replace(".", "/")).is_dir()]
    print(f"entries of odd/: {len(rooms)}, {len(folders)} of them folders")
    print(f"files: {len(files)}")
    print(f"imports between entries: {rooms.number_of_edges()}")
    print("\n".join(_lines("cycles of entries", circles(rooms)) + _lines("cycles of files", circles(graph))))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
