"""Findings as text, Markdown and files."""

import pandas as pd
import pytest

from odd.cli.findings import write_findings
from odd.errors import OddError
from odd.export.report import as_markdown, as_text, every_finding, write
from odd.findings.kinds import KINDS, SECTIONS
from odd.findings.runs import run_names
from tests.findings.made_up import evidence

HOSTILE = "=1|<b>$x$"
CHOSEN = {"objective": "reverse_kl", "convention": "on_policy-full-off"}


@pytest.fixture(scope="module")
def report():
    evidences = {"small": evidence({"good": 0.6, HOSTILE: 0.0}, questions=6)}
    return evidences, every_finding(evidences, "0.6B-BoolQ")


def test_the_text_contains_every_sentence_and_its_basis(report):
    text = as_text(*report)
    assert "reverse_kl, on_policy-full-off, all paths" in text and "6 questions" in text
    for finding in report[1]:
        assert finding.title in text and all(sentence in text for sentence in finding.sentences)
    assert all(name.upper() in text for name in SECTIONS.values())


def test_markdown_has_a_table_per_finding_and_escapes_names(report):
    text = as_markdown(*report)
    assert text.count("\n### ") == len(KINDS) and text.count("\n| --- |") == len(KINDS)
    assert HOSTILE not in text and "<b>" not in text.replace("\\<b", "")
    for line in text.splitlines():
        if line.startswith("| ") and "\\|" not in line:
            assert line.endswith(" |")


def test_every_finding_is_a_file_with_numbers(report, tmp_path):
    written = write(*report, tmp_path / "out")
    assert {path.name for path in written} == {"findings.md", "path_scores.csv", *(f"{kind.key}.csv" for kind in KINDS)}
    ranking = pd.read_csv(tmp_path / "out" / "ranking.csv")
    assert ranking["weighted_cosine"].notna().all() and set(ranking["teacher"]) == {"good", f"'{HOSTILE}"}
    steps = pd.read_csv(tmp_path / "out" / "path_scores.csv")
    assert len(steps) == len(report[0]["small"].chosen_steps())


def test_a_folder_that_is_a_file_is_refused(report, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OddError, match=r"file cannot be written .*: choose another folder or name"):
        write(*report, tmp_path / "file")


def test_a_run_file_is_read_and_its_findings_are_written(finished, tmp_path):
    text = write_findings([finished[1]], CHOSEN, tmp_path)
    assert "tiny-s on questions.jsonl" in text and "17 files" in text
    assert "WHICH" not in text and (tmp_path / "findings.md").read_text().startswith("# Findings")


@pytest.mark.parametrize(
    ("choice", "words"),
    [({"outcome": "wrong"}, "'wrong' is not one of all"), ({"objective": "none"}, "no objective 'none'"),
     ({"reference": "GPT"}, "not one of none, 0.6B-BoolQ")],
)  # fmt: skip
def test_an_unknown_choice_lists_the_existing_ones(finished, choice, words):
    with pytest.raises(OddError, match=words):
        write_findings([finished[1]], CHOSEN | choice, None)


def test_runs_of_one_student_and_set_are_told_apart_by_their_ids():
    config = '{"student": {"name": "models/tiny-s"}, "questions": {"source": "a/b.jsonl"}}'
    metas = {"one": {"config": config}, "two": {"config": config}, "three": {"config": "[broken"}, "four": {}}
    assert run_names(metas) == {
        "one": "tiny-s on b.jsonl (one)", "two": "tiny-s on b.jsonl (two)", "three": "three", "four": "four"
    }  # fmt: skip
