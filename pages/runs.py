"""All runs of the cache, and what the chosen one found about its teachers."""

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from odd.config import load_config
from odd.store import RunReader, list_runs
from odd.summary import MEASURES, teacher_summary

st.title("Runs")
runs = list_runs(load_config().cache)
if not runs:
    st.info("There is no run yet. Make one with `python -m odd run --preset demo`.")
    st.stop()
st.dataframe(
    pd.DataFrame(
        {
            "run": [run.run_id for run in runs],
            "status": [run.problem or run.status for run in runs],
            "size, MB": [run.size / 1e6 for run in runs],
            "published": [datetime.fromtimestamp(run.mtime, UTC) for run in runs],
        }
    ),
    hide_index=True,
)
readable = [run for run in runs if run.problem is None]
if readable:
    chosen = st.selectbox("Run", readable, format_func=lambda run: run.run_id)
    with RunReader(chosen.path) as reader:
        measures = reader.query("measures")
        left, right = st.columns(2)
        objective = left.selectbox("Objective", measures["objective"].unique())
        convention = right.selectbox("Convention", measures["convention"].unique())
        scores = reader.query("scores", objective=objective, convention=convention)
        summary = teacher_summary(scores, reader.query("teachers")["teacher"].tolist())
    for measure in MEASURES:
        summary[measure] = summary[measure].map(lambda estimate: estimate.value)
    st.dataframe(summary, hide_index=True)
