"""Runs with imported initial rollouts: tree, targeted rollouts and teachers work as in any other run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from odd.config import load_config, parse_config
from odd.config.teachers import SELF_CHECK
from odd.errors import OddError
from odd.models.registry import load_model
from odd.pipeline.jobs import continue_run
from odd.pipeline.worker import run
from odd.views.import_report import import_lines
from tests.models.bigram_engine import Bigrams
from tests.runs import ROLLOUTS, assert_same_results, quick_config, rows

pytestmark = pytest.mark.checked_shapes

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
LOGGED = "SELECT question, rollout, token_ids, correct, truncated FROM rollouts WHERE stage = 'initial' ORDER BY ALL"


class Stop(Exception):
    """Simulates the death of a worker."""


def quiet(step):
    """Say nothing."""


@pytest.fixture(scope="module")
def log(quick, tmp_path_factory):
    """The initial rollouts of a finished run, as a training run would have logged them."""
    found = rows(quick[1], "SELECT q.id, r.token_ids, r.correct FROM rollouts r JOIN questions q USING (question) "
                 "WHERE r.stage = 'initial' ORDER BY question, rollout")  # fmt: skip
    file = tmp_path_factory.mktemp("log") / "rollouts.jsonl"
    file.write_text("\n".join(json.dumps({"question": i, "token_ids": t, "reward": float(c)}) for i, t, c in found))
    return file


@pytest.fixture(scope="module")
def imported(log, tmp_path_factory):
    config = importing(log, tmp_path_factory.mktemp("imported"))
    return config, run(config, quiet)


def importing(log, folder, **settings):
    return quick_config(folder, imported={"files": [str(log)]} | settings)


def test_imported_rollouts_are_those_of_the_log(quick, imported):
    assert rows(imported[1], LOGGED) == rows(quick[1], LOGGED)


def test_the_rest_of_the_run_is_as_if_the_student_had_just_drawn_them(quick, imported):
    """Seeds, paths, pairs and targeted rollouts depend only on the initial rollouts, whatever their origin."""
    for sql in ("SELECT * FROM paths ORDER BY ALL", "SELECT question, path, position, token FROM pairs ORDER BY ALL",
                "SELECT question, token_ids FROM rollouts WHERE stage = 'targeted' ORDER BY ALL",
                "SELECT question, node, teacher, objective, convention FROM scores ORDER BY ALL"):  # fmt: skip
        assert rows(imported[1], sql) == rows(quick[1], sql)


def test_their_log_probabilities_are_computed(quick, imported):
    sql = "SELECT log_probs FROM rollouts WHERE stage = 'initial' ORDER BY question, rollout"
    for (computed,), (drawn,) in zip(rows(imported[1], sql), rows(quick[1], sql), strict=True):
        np.testing.assert_allclose(computed, drawn, atol=1e-4)


def test_nothing_is_drawn_from_the_root(log, quick, tmp_path, monkeypatch):
    sample = Bigrams.sample

    ends = load_model(quick[0].student, tmp_path).tokenizer.encode_chat([{"role": "user", "content": ""}])[-3:]

    def forced_only(self, prefixes, *rest):
        assert not any(list(prefix[-3:]) == ends for prefix in prefixes)
        return sample(self, prefixes, *rest)

    monkeypatch.setattr(Bigrams, "sample", forced_only)
    # demonstrations are sampled separately from the rollouts
    run(importing(log, tmp_path).model_copy(update={"teachers": (SELF_CHECK,)}), quiet)


@pytest.mark.parametrize("after", [1, 3, 6])
def test_an_interrupted_import_continues_to_the_same_result(log, imported, tmp_path, after):
    seen = []

    def die(step):
        seen.append(step)
        if len(seen) == after:
            raise Stop

    config = importing(log, tmp_path)
    with pytest.raises(Stop):
        run(config, die)
    path = run(config, quiet)
    assert path.name == imported[1].name
    assert_same_results(imported[1], path)


def test_the_run_id_depends_on_the_rollouts(log, imported, quick, tmp_path):
    fewer = tmp_path / "fewer.jsonl"
    fewer.write_text("\n".join(log.read_text().splitlines()[1:]))
    other = run(importing(fewer, tmp_path), quiet)
    assert len({other.stem, imported[1].stem, quick[1].stem}) == 3


def test_an_existing_run_does_not_need_its_log(imported, tmp_path):
    path = imported[1]
    stored = parse_config(json.loads(rows(path, "SELECT value FROM meta WHERE key = 'config'")[0][0]))
    assert stored.imported.digest
    shutil.copy(path, tmp_path)
    gone = stored.imported.model_copy(update={"files": ("gone.jsonl",)})
    settings = {"imported": gone, "cache": tmp_path, "questions": imported[0].questions}
    again = run(stored.model_copy(update=settings), quiet)
    assert again.name == path.name and repr(rows(again, ROLLOUTS)) == repr(rows(path, ROLLOUTS))


def test_logs_that_changed_are_refused(log, tmp_path):
    with pytest.raises(OddError, match="are not those of the settings"):
        run(importing(log, tmp_path, digest="0" * 16), quiet)


def test_the_report_is_stored_and_shown(imported):
    lines = import_lines(rows(imported[1], "SELECT value FROM meta WHERE key = 'imported'")[0][0])
    assert lines == [
        "imported: 144 rollouts",
        "token ids: 0 of 144 responses with ids encode to the same ids again",  # the fake tokenizer's never do
        "rewards and ODD's verifier agree on 144 of 144 rollouts (100.0%)",
    ]


def test_token_ids_from_text_and_the_check_of_log_probs_are_shown():
    account = {"taken": 5, "without": 0, "agreeing": 0, "judged": 0, "refused": [], "from_text": 3, "reencoded": 1,
               "log_probs": {"rollouts": 2, "checked": 2, "mean": 0.01, "difference": 0.2, "used": True}}  # fmt: skip
    lines = import_lines(json.dumps(account))
    assert lines[1].startswith("token ids: those of 3 rollouts were encoded from text")
    assert lines[2] == "token ids: 1 of 2 responses with ids encode to the same ids again"
    assert "mean difference 0.010, largest 0.200 nats per token: used" in lines[3]
    account["log_probs"]["used"] = False
    assert "not used" in import_lines(json.dumps(account))[3]


def test_a_verifier_that_disagrees_with_the_rewards_is_pointed_out():
    account = {"taken": 2, "without": 1, "agreeing": 1, "judged": 2,
               "refused": [{"reason": "it has no reward", "rows": 3, "example": "import a.jsonl, line 1"}]}  # fmt: skip
    lines = import_lines(json.dumps(account))
    assert lines[1] == "not imported: 3 rows, it has no reward; e.g. a.jsonl, line 1"
    assert lines[2] == "left out: 1 questions without a rollout"
    assert "1 of 2 rollouts (50.0%); the verifier judges targeted rollouts" in lines[3]


@pytest.mark.parametrize("account", ["", "[]", "{", '{"taken": -1}', '{"taken": "many"}', '{"taken": 1}'])
def test_an_account_that_is_not_valid_says_nothing(account):
    assert import_lines(account) == []


@pytest.mark.parametrize("name", ["rollouts.jsonl", "rollouts-verl.jsonl", "rollouts-trl.parquet"])
def test_the_example_logs_make_runs_with_the_same_tree(tmp_path, name):
    changes = f"imported.files={json.dumps([str(EXAMPLES / name)])}", "targeting.n_min=4", "analysis.n_sig=3"
    config = load_config("demo", None, (*changes, f"cache={json.dumps(str(tmp_path))}", "teachers=[]"))
    path = run(config, quiet)
    found = rows(path, "SELECT id, count(*), sum(correct::INT) FROM questions JOIN rollouts USING (question) "
                 "WHERE rollouts.stage = 'initial' GROUP BY id ORDER BY id")  # fmt: skip
    assert found == [("t004-level2", 16, 4), ("t011-level2", 16, 10)]
    assert rows(path, "SELECT count(*) > 0 FROM rollouts WHERE stage = 'targeted'") == [(True,)]


def test_the_prompt_of_the_log_is_kept_whatever_the_instruction_of_the_run(tmp_path):
    found = []
    for number, instruction in enumerate((None, "Think, then end with Answer: X and nothing else.")):
        changes = [f"imported.files={json.dumps([str(EXAMPLES / 'rollouts-verl.jsonl')])}", "targeting.n_min=2"]
        changes += [f"cache={json.dumps(str(tmp_path / str(number)))}", "teachers=[]", "analysis.n_sig=2"]
        changes += [] if instruction is None else [f"templates.instruction={json.dumps(instruction)}"]
        path = run(load_config("demo", None, tuple(changes)), quiet)
        found.append(rows(path, "SELECT id, prompt_text FROM questions WHERE prompt_text IS NOT NULL ORDER BY id"))
    assert found[0] == found[1] and len(found[0]) == 2
    assert not any("Think, then" in text for _, text in found[1])


def test_a_job_of_the_dashboard_continues_an_imported_run(imported, tmp_path, monkeypatch):
    """The configuration and questions in a run file, as TOML and JSON Lines, identify the same run."""
    started = []
    monkeypatch.setattr("odd.pipeline.jobs.start._start", lambda job, cache: started.append(job) or job)
    path = imported[1]
    shutil.copy(path, tmp_path)
    continue_run(tmp_path, dict(rows(path, "SELECT key, value FROM meta")))
    config = load_config("demo", started[0].settings, (f"cache={json.dumps(str(tmp_path))}",))
    gone = config.imported.model_copy(update={"files": ("gone.jsonl",)})
    assert run(config.model_copy(update={"imported": gone}), quiet) == tmp_path / path.name
