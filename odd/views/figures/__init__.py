"""Plotly figures as functions of their data, independent of the store and of Streamlit."""
