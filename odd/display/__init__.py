"""What pages show, computed from a run file: one module a kind of picture. Knows the store, not streamlit."""
