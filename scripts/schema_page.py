"""Write the tables of `odd.store.schema` to docs/schema.md, between the headings Tables and Views.

python -m scripts.schema_page
"""

from pathlib import Path

from odd.store import tables

PAGE = Path(__file__).parents[1] / "docs" / "schema.md"


def section(table: str) -> str:
    """Markdown section of a table with its columns."""
    comment, columns = tables()[table]
    lines = [f"### {table}", "", f"{comment}.", "", "| column | type | meaning |", "|---|---|---|"]
    for name, (declared, meaning) in columns.items():
        text = meaning.replace("|", r"\|")
        lines.append(f"| `{name}` | {declared.split(' ')[0]} | {text} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Rewrite the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split("## Tables\n")
    after = rest.split("## Views\n")[1]
    sections = "\n".join(map(section, tables()))
    PAGE.write_text(f"{before}## Tables\n\n{sections}\n## Views\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
