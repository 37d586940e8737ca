"""Options of findings, as spelled in links, command-line options and payloads."""

from typing import Literal

Outcome = Literal["all", "correct", "incorrect"]
Difficulty = Literal["all", "easy", "medium", "hard", "never"]
Section = Literal["teachers", "training", "scores", "choosing", "trust"]
Reference = Literal["none", "0.6B-BoolQ", "0.6B-MMLU", "1.7B-BoolQ", "1.7B-MMLU"]
