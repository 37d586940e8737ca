"""The mathematics of docs/method.md as functions of arrays: no files, no models, no settings."""
