"""Plotly figures: data in, figure out. They know neither the store nor streamlit."""
