"""A transformers model with its tokenizer, by embedded name, local folder or hub name."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Self, cast

from transformers import GenerationConfig, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from odd.config import SCORING_MEMORY, ModelConfig
from odd.config.models import THINKING_VARIABLE
from odd.errors import OddError
from odd.models.base import LanguageModel
from odd.models.embedded import EMBEDDED, embedded_path
from odd.models.transformers.derivatives import TransformersDerivatives
from odd.models.transformers.engine import TransformersEngine
from odd.models.transformers.loading import load_pretrained, load_without_weights, model_digest, tokenizer_digest
from odd.models.transformers.size import model_size
from odd.models.transformers.template_checks import check_end, check_thinking
from odd.models.transformers.tokenizer import TransformersTokenizer

__all__ = ["RenderedModel", "TransformersModel", "load", "load_tokenizer", "model_size", "wrap"]


@dataclass(frozen=True)
class RenderedModel(LanguageModel):
    """A language model whose prompts are rendered by a chat template of transformers."""

    tokenizer: TransformersTokenizer

    @property
    def date_formats(self) -> tuple[str, ...]:
        """The formats in which its prompts show today's date."""
        return self.tokenizer.date_formats

    def dated(self, day: date) -> Self:
        """Return the model with prompts that show `day` as today's date."""
        return replace(self, tokenizer=self.tokenizer.dated(day))

    def check_chat(self) -> None:
        """Check that its responses can end and that its thinking mode can be enabled if it is asked for."""
        check_end(self.tokenizer)
        check_thinking(self.tokenizer)


@dataclass(frozen=True)
class TransformersModel(RenderedModel):
    """A transformers language model; one engine is both sampler and scorer."""

    sampler: TransformersEngine
    scorer: TransformersEngine

    def derivatives(self, pattern: str | None = None) -> TransformersDerivatives:
        """Return its derivatives; see `odd.models.base.LanguageModel`."""
        engine = self.scorer
        memory = engine.scoring_memory << 20
        return TransformersDerivatives(
            engine.head, self.name, engine.vocabulary_size, engine.max_context, pattern, memory
        )


def load(config: ModelConfig, cache: Path) -> TransformersModel:
    """Load an embedded model, a local folder, or a hub model.

    Raises:
        OddError: there is no such model, it is incomplete, it has no chat template or no end token, or the device is
            not available.
    """
    place = embedded_path(config.name, cache) if config.name in EMBEDDED else config.name
    model, tokenizer = load_pretrained(config, str(place), cache)
    prompts = config.thinking_marks, config.thinking_variable
    return wrap(config.name, model, tokenizer, config.thinking, config.scoring_memory, *prompts)


def load_tokenizer(config: ModelConfig, cache: Path) -> tuple[TransformersTokenizer, int, str]:
    """Load the tokenizer of a model without its weights.

    Returns:
        The tokenizer, V, and hex digits that identify the tokenizer.

    Raises:
        OddError: there is no such model, or it has no chat template or no end token.
    """
    place = embedded_path(config.name, cache) if config.name in EMBEDDED else config.name
    tokenizer, architecture, generation = load_without_weights(config, str(place))
    ends = _end_tokens(config.name, generation, tokenizer)
    prompts = config.thinking, config.thinking_marks or (), config.thinking_variable
    rendering = TransformersTokenizer(config.name, tokenizer, ends, *prompts)
    return rendering, _named_tokens(architecture, tokenizer), tokenizer_digest(tokenizer).hexdigest()[:16]


def wrap(
    name: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    thinking: bool = False,
    scoring_memory: int = SCORING_MEMORY,
    thinking_marks: tuple[str, str] | None = None,
    thinking_variable: str = THINKING_VARIABLE,
) -> TransformersModel:
    """Wrap a loaded model and its tokenizer as a language model.

    Args:
        name: name of the model, as given by the user.
        model: loaded model.
        tokenizer: tokenizer of the model.
        thinking: whether to enable the thinking mode of chat templates that have one.
        scoring_memory: MiB of logits in memory at a time.
        thinking_marks: marks of a thinking part that responses keep, beside the usual ones.
        thinking_variable: name of the variable that enables the thinking mode.

    Raises:
        OddError: no token ends a response.
    """
    ends = _end_tokens(name, model.generation_config, tokenizer)
    size = _named_tokens(model.config, tokenizer)
    engine = TransformersEngine(name, model, size, ends, scoring_memory)
    return TransformersModel(
        name=name,
        digest=model_digest(model, tokenizer),
        tokenizer=TransformersTokenizer(name, tokenizer, ends, thinking, thinking_marks or (), thinking_variable),
        sampler=engine,
        scorer=engine,
    )


def _named_tokens(architecture: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return V.

    Embeddings are often padded, to different sizes within one family. Padding ids are excluded from all distributions,
    so that student and teacher use the same V tokens.
    """
    return min(architecture.get_text_config().vocab_size, max(tokenizer.get_vocab().values()) + 1)


def _end_tokens(name: str, generation: GenerationConfig | None, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Return every token that ends a response according to the model's generation settings or its tokenizer.

    Raises:
        OddError: there is none.
    """
    ends: set[int] = set()
    for value in (getattr(generation, "eos_token_id", None), tokenizer.eos_token_id):
        ends.update(cast(list[int], value if isinstance(value, list) else [] if value is None else [value]))
    if not ends:
        raise OddError(f"model {name!r} has no end-of-sequence token: set eos_token_id in its generation_config")
    return frozenset(ends)
