"""The fake engine of `bigram_engine` with prompts that show today's date."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from odd.config import ModelConfig
from odd.models.base import LanguageModel
from tests.models import bigram_engine
from tests.models.bigram_engine import Characters

model_size = bigram_engine.model_size


class DatedCharacters(Characters):
    """A tokenizer of characters whose chat template shows a date."""

    def __init__(self, day):
        self.day = day

    def render_chat(self, messages):
        return f"It is {self.day:%Y-%m-%d}.\n{super().render_chat(messages)}"


class DatedModel(LanguageModel):
    """A model whose prompts show a date."""

    date_formats = ("%Y-%m-%d",)

    def dated(self, day):
        return replace(self, tokenizer=DatedCharacters(day))


def load(config: ModelConfig, cache: Path) -> LanguageModel:
    return DatedModel(**vars(bigram_engine.load(config, cache))).dated(date(1999, 1, 1))
