"""Benchmarks. Most modules are commands that print a table; the others are shared helpers."""
