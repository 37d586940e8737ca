"""A fake engine over printable characters: next-token probabilities depend on the last token and on the prompt."""

import hashlib
import zlib
from pathlib import Path

import numpy as np

from odd.config import ModelConfig
from odd.method.tree import distinct_places
from odd.models.base import Generation, LanguageModel, Moved, RecordedSlices

END, FIRST, SIZE = 0, 31, 96
"""The end token; the offset from token ids to character codes; the vocabulary size."""
LIKELY = [END, *(ord(digit) - FIRST for digit in "123")]
"""The tokens that it generates."""
PROMPTS = 16
"""Number of kinds of prompts; different prompts of a question are usually of different kinds."""


def model_size(config, cache):
    """Fail to tell the memory of a model: all models fit."""
    return None


class Characters:
    """A tokenizer of characters."""

    end_token = END

    def render_chat(self, messages):
        return "\n".join(f"{message['role']}: {message['content']}" for message in messages) + "\nassistant: "

    def encode(self, text):
        return [max(ord(character) - FIRST, 1) if ord(character) < 127 else 1 for character in text]

    def encode_chat(self, messages):
        return self.encode(self.render_chat(messages))

    def decode(self, token_ids):
        # everything it generates is the answer
        return "Answer: " + "".join(chr(token + FIRST) for token in token_ids if token != END)

    def is_end(self, token):
        return token == END

    def token_bytes(self, token):
        return b"" if token == END else chr(token + FIRST).encode()

    def vocabulary(self):
        return {"<end>": END, **{chr(token + FIRST): token for token in range(1, SIZE)}}


class Bigrams:
    """A sampler and scorer."""

    max_context = None
    vocabulary_size = SIZE

    def __init__(self, name, seed):
        self.name = name
        logits = np.full((PROMPTS, SIZE, SIZE), -14.0)
        logits[:, :, LIKELY] = np.random.default_rng(seed).normal(0, 1, (PROMPTS, SIZE, len(LIKELY)))
        logits[:, :, END] += 1  # short responses
        self.logits = logits

    def after(self, prefix, tokens, temperature=1.0):
        """Log-probabilities after each of the tokens, which follow a prefix (prompt and perhaps some response)."""
        logits = self.logits[kind_of(prefix), np.asarray(tokens, dtype=np.int64)] / temperature
        return (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)

    def log_probs(self, prompt, response, temperature=1.0):
        return self.after(prompt, [prompt[-1], *response[:-1]], temperature)

    def sample(self, prefixes, max_new_tokens, temperature, seed, batch_size=None):
        rng = np.random.default_rng(seed)
        return [
            self._draw(list(prefix), limit, temperature, rng)
            for prefix, limit in zip(prefixes, max_new_tokens, strict=True)
        ]

    def _draw(self, prefix, limit, temperature, rng):
        rows = self.after(prefix, range(SIZE), temperature)[:, LIKELY]
        last, tokens, log_probs = prefix[-1], [], []
        while len(tokens) < limit and (not tokens or last != END):
            p = np.exp(rows[last].astype(np.float64))
            drawn = int(rng.choice(len(LIKELY), p=p / p.sum()))
            tokens.append(LIKELY[drawn])
            log_probs.append(rows[last][drawn])
            last = tokens[-1]
        return Generation(tuple(tokens), np.array(log_probs, np.float32), last != END)

    def read(self, prompt, responses, temperature=1.0):
        for path, position in distinct_places(responses):
            yield self.after(prompt, [[*prompt, *responses[path][:position]][-1]], temperature)

    def record(self, prompt, responses, temperature=1.0):
        return RecordedSlices(list(self.read(prompt, responses, temperature)))

    def token_log_probs(self, prefix, continuations, temperatures):
        before = [[prefix[-1], *continuation[:-1]] for continuation in continuations]
        return [
            np.stack([self.after(prefix, own, t)[np.arange(len(tokens)), list(tokens)] for t in temperatures])
            for own, tokens in zip(before, continuations, strict=True)
        ]


class BigramPass:
    """One pass along responses. The weights are logits by last token, which all prompts share, added to those above."""

    def __init__(self, model, prompt, responses, temperature, directions):
        self.temperature, self.directions, self.pulled = temperature, directions, None
        self.places = distinct_places(responses)
        self.last = np.array([[*prompt, *responses[number][:position]][-1] for number, position in self.places])
        self.log_p = model.after(prompt, self.last, temperature)

    def slices(self):
        moved = [direction.reshape(SIZE, SIZE)[self.last] for direction in self.directions]
        moved = np.stack(moved) if moved else np.empty((0, *self.log_p.shape))
        p = np.exp(self.log_p)
        yield Moved(slice(0, len(self.places)), self.log_p, (moved - (p * moved).sum(-1)[..., None]) / self.temperature)

    def pull(self, at, gradients):
        self.pulled = np.zeros((SIZE, len(gradients), SIZE))
        np.add.at(self.pulled, self.last, gradients.transpose(1, 0, 2))

    def gradients(self):
        return self.pulled.transpose(1, 0, 2).reshape(self.pulled.shape[1], -1) / self.temperature


class BigramDerivatives:
    size = SIZE * SIZE

    def __init__(self, model):
        self.model = model

    def passes(self, prompt, responses, temperature, directions=(), pairs=0):
        yield BigramPass(self.model, prompt, responses, temperature, directions)


class BigramModel(LanguageModel):
    def derivatives(self, pattern=None):
        return BigramDerivatives(self.scorer)


def kind_of(prefix):
    """The kind of prompt that a prefix begins with: tokens that it generates do not count."""
    return zlib.crc32(bytes(token for token in prefix if token not in LIKELY)) % PROMPTS


def load(config: ModelConfig, cache: Path) -> LanguageModel:
    digest = hashlib.sha256(config.name.encode()).hexdigest()
    model = Bigrams(config.name, int(digest[:8], 16))
    return BigramModel(config.name, digest, Characters(), model, model)
