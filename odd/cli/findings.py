"""Command `odd findings`: text and tables from run files."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from odd.errors import OddError
from odd.export.report import as_text, every_finding, write
from odd.findings.evidence import Filters, gather
from odd.findings.runs import run_names
from odd.findings.summaries import chosen_measure
from odd.store import RunReader
from odd.views.links import ViewState


def write_findings(files: Sequence[Path], chosen: Mapping[str, str | None], out: Path | None) -> str:
    """Return all findings of run files as text; with a folder, also write them as Markdown and tables.

    Args:
        files: files of the runs to compare.
        chosen: objective, convention, outcome, difficulty, kind and reference, as in a link.
        out: output folder; None writes nothing.

    Raises:
        OddError: a run cannot be read or lacks the objective or convention, or a choice is invalid.
    """
    query = {name: [value or ""] for name, value in chosen.items()}
    view, problems = ViewState.from_query(query)
    if problems:
        raise OddError(problems[0].removeprefix("The link's ").removesuffix("; the default is shown."))
    filters = Filters(view.objective, view.convention, view.outcome, view.difficulty, view.kind)
    with ExitStack() as opened:
        readers = {path.stem: opened.enter_context(RunReader(path)) for path in files}
        for run_id, reader in readers.items():
            chosen_measure(reader.query("measures"), run_id, view.objective or "", view.convention or "")
        names = run_names({run_id: reader.meta for run_id, reader in readers.items()})
        evidences = {names[run_id]: gather(reader, reader.meta, filters) for run_id, reader in readers.items()}
        findings = every_finding(evidences, view.reference)
        text = as_text(evidences, findings)
        if out is not None:
            written = write(evidences, findings, out)
            text += f"\n\n{len(written)} files in {out}"
    return text
