"""Upgrading a file of version 2 gives what the analysis would write in this version."""

import shutil

import duckdb
import numpy as np
import pandas as pd
import pytest

from odd.analysis.teacher_scores import score_teachers
from odd.errors import OddError
from odd.method.success import edge_counts, everywhere, natural, random_halves
from odd.rollouts.sampling import derived_seed
from odd.store import RunReader, RunWriter
from odd.store.upgrade import MADE, upgrade_run
from tests.analysis.test_analysis import CONFIG, make_tree
from tests.cli.test_cli import odd
from tests.runs import opened
from tests.store.example_run import ROWS, RUN

KEYS = {
    "nodes": ["node"],
    "teacher_tokens": ["node", "teacher"],
    "success": ["node", "pooling"],
    "node_values": ["node", "pooling"],
    "components": ["node", "convention"],
    "gradients": ["node", "teacher", "objective", "convention"],
    "half_scores": ["node", "teacher", "objective", "convention", "half"],
}


@pytest.fixture(scope="module")
def tree():
    return make_tree()


@pytest.fixture(scope="module")
def tables(tree):
    return tree.tables() | score_teachers(tree)


def old_counts(sample):
    """Counts of every edge in the columns of version 2."""
    on_policy, pooled, drawn = (
        edge_counts(sample.tree, sample.launch, sample.correct, rule)
        for rule in (lambda launch, depth: depth >= launch, everywhere, natural)
    )
    named = {"": on_policy, "pooled_": pooled, "natural_": drawn}
    return {f"{prefix}{part}": getattr(one, part) for prefix, one in named.items() for part in ("visits", "successes")}


def old_nodes(tree, tables):
    """The table `nodes` of version 2."""
    nodes = tables["nodes"].drop(columns="rollouts")
    for pooling, prefix in (("on_policy", ""), ("stratified", "stratified_")):
        own = tables["success"].query(f"pooling == '{pooling}'").set_index("node").loc[nodes["node"]]
        for end in ("low", "high"):
            nodes[f"{prefix}{end}"] = own[end].to_numpy()
    held = np.searchsorted(tree.tree.number, nodes["node"])
    counts = {name: every[held] for name, every in old_counts(tree.sample).items()}
    return nodes.assign(stratified=tree.success["stratified"].value[held], **counts)


def old_halves(tree):
    """The table `halves` of version 2."""
    edges = tree.path_edges()
    launch = tree.tree.nodes_at(np.arange(len(tree.rollouts)), tree.sample.launch)
    second = random_halves(launch, np.random.default_rng([CONFIG.seed, derived_seed(tree.question, "halves")]))
    frames = []
    for half in (0, 1):
        counts = old_counts(tree.sample.part(second == bool(half)))
        backed_up = tree.halves["stratified"][half].value
        columns = {name: every[edges] for name, every in counts.items()}
        frames.append(
            pd.DataFrame({"node": tree.tree.number[edges], "half": half, "stratified": backed_up[edges]} | columns)
        )
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def old_cache(tree, tables, tmp_path_factory):
    """A cache with a file of version 2."""
    cache = tmp_path_factory.mktemp("old")
    with RunWriter(cache, RUN) as writer:
        writer.set_meta("conventions", ",".join(convention.label for convention in CONFIG.conventions))
        writer.insert("questions", [ROWS["questions"][0]])
        for table, frame in tables.items():
            if table not in MADE:
                writer.insert(table, frame.assign(question=0))
        writer.finish()
    gradients = (
        tables["gradients"].merge(tables["components"], on=["node", "convention"]).drop(columns=["p", "success"])
    )
    read = tables["teacher_tokens"].rename(columns={"log_q": "log_p"})
    made = {
        "nodes": old_nodes(tree, tables),
        "halves": old_halves(tree),
        "gradients": gradients,
        "teacher_tokens": read,
    }
    with duckdb.connect(str(writer.published)) as connection:
        for view in ("token_gradients", "branches"):
            connection.execute(f"DROP VIEW {view}")
        for table in MADE:
            connection.execute(f"DROP TABLE {table}")
        for table, frame in made.items():
            text = {name: frame[name].astype(str) for name in ("teacher", "objective", "convention") if name in frame}
            connection.register("old_rows", frame.assign(question=0, **text))
            connection.execute(f"CREATE TABLE {table} AS FROM old_rows")
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'schema_version'")
    return cache


@pytest.fixture
def old(old_cache, tmp_path):
    """A file of version 2 in its own cache."""
    return shutil.copytree(old_cache, tmp_path, dirs_exist_ok=True) / f"{RUN}.duckdb"


@pytest.fixture(scope="module")
def upgraded(old_cache, tmp_path_factory):
    """The same file, upgraded."""
    cache = shutil.copytree(old_cache, tmp_path_factory.mktemp("upgraded"), dirs_exist_ok=True)
    upgrade_run(cache, RUN)
    return cache / f"{RUN}.duckdb"


def stored(path, table):
    with opened(path) as connection:
        return connection.execute(f"FROM {table}").df().sort_values(KEYS[table], ignore_index=True)


def empty_rest(components, rows):
    """Mask of the rows of nodes and conventions whose bucket has no probability."""
    empty = components[[p[-1] == 0 for p in components["p"]]]
    keys = ["node", "convention"]
    return pd.MultiIndex.from_frame(rows[keys]).isin(pd.MultiIndex.from_frame(empty[keys].astype({"convention": str})))


WITHOUT_REST = "gain", "advantage"
"""Scores that left out the rest before version 5, and keep this meaning."""


def filled(cell):
    return np.ma.filled(cell, np.nan)


def comparable(table, name, found, expected):
    """The values of a column in rows where version 2 has them in the same sense."""
    values = np.array([each[name].to_numpy(float, na_value=np.nan) for each in (found, expected)])
    if table != "half_scores":
        return values
    # half of the rollouts may not have visited the rest
    kept = found["convention"].str.endswith("children-off") if name in WITHOUT_REST else ~np.isnan(values[0])
    return values[:, kept]


@pytest.mark.parametrize("table", KEYS)
def test_an_upgraded_table_is_what_the_analysis_would_have_written(upgraded, tables, table):
    text = {name: str for name in ("teacher", "objective", "convention") if name in tables[table]}
    found, expected = stored(upgraded, table), tables[table].astype(text).sort_values(KEYS[table], ignore_index=True)
    if table == "half_scores":  # rounded probabilities no longer show that the rest has no mass at all
        exact = ~empty_rest(tables["components"], expected)
        found, expected = found[exact], expected[exact]
    assert len(found) == len(expected) > 0
    for name in expected.columns.drop("rest_success", errors="ignore"):
        if expected[name].dtype == object and not isinstance(expected[name].iloc[0], str):
            flat = np.array([np.concatenate([*map(filled, each[name])]) for each in (found, expected)], dtype=float)
            flat = flat[:, ~np.isnan(flat[0])] if name == "success" else flat  # the rest may have had no visits
            np.testing.assert_allclose(*flat, atol=1e-6, err_msg=name)
        elif name in KEYS[table]:
            assert found[name].tolist() == expected[name].tolist()
        else:
            values = comparable(table, name, found, expected)
            np.testing.assert_allclose(*values, atol=1e-6, err_msg=name)


def test_the_old_file_is_kept_and_the_new_one_is_opened(old):
    before = old.read_bytes()
    (kept,) = upgrade_run(old.parent, RUN)
    assert kept.read_bytes() == before and kept.parent == old.parent
    with RunReader(old) as reader:
        assert reader.run_id == RUN


def test_a_file_of_this_version_is_left_alone(old):
    upgrade_run(old.parent, RUN)
    before = old.read_bytes()
    assert upgrade_run(old.parent, RUN) == []
    assert old.read_bytes() == before


def test_a_work_file_is_upgraded_with_it(old):
    work = old.parent / "work" / old.name
    work.write_bytes(old.read_bytes())
    assert len(upgrade_run(old.parent, RUN)) == 2
    with RunWriter(old.parent, RUN) as writer:
        assert len(writer.query("FROM success"))


def test_the_command_says_where_the_old_file_is_and_that_there_is_nothing_to_do(old):
    first, second = (odd("upgrade", old) for _ in range(2))
    assert first.returncode == second.returncode == 0
    assert f"{old}.version-2" in first.stdout and "up to date" in second.stdout


def test_other_versions_and_missing_runs_are_refused(old, tmp_path):
    with duckdb.connect(str(old)) as connection:
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
    with pytest.raises(OddError, match="start the run again"):
        upgrade_run(old.parent, RUN)
    with pytest.raises(OddError, match="is not in"):
        upgrade_run(tmp_path, "tiny-12345678")
