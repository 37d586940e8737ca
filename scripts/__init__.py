"""Programs that make what is bundled: models and questions. Run from the top folder, `python -m scripts.NAME`."""
