"""A fake engine: next-token probabilities depend on the last token only, over printable characters."""

import hashlib
from pathlib import Path

import numpy as np

from odd.config import ModelConfig
from odd.method.tree import distinct_places
from odd.models.base import Generation, LanguageModel

END, FIRST, SIZE = 0, 31, 96
"""The end token; the offset from token ids to character codes; the vocabulary size."""
LIKELY = [END, *(ord(digit) - FIRST for digit in "123")]


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

    def __init__(self, seed):
        logits = np.full((SIZE, SIZE), -14.0)
        logits[:, LIKELY] = np.random.default_rng(seed).normal(0, 1, (SIZE, len(LIKELY)))
        self.logits = logits

    def log_probs(self, tokens, temperature=1.0):
        logits = self.logits[np.asarray(tokens, dtype=np.int64)] / temperature
        return (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)

    def sample(self, prefixes, max_new_tokens, temperature, seed, batch_size=None):
        rng = np.random.default_rng(seed)
        return [
            self._draw(list(prefix)[-1], limit, temperature, rng)
            for prefix, limit in zip(prefixes, max_new_tokens, strict=True)
        ]

    def _draw(self, last, limit, temperature, rng):
        tokens, log_probs = [], []
        while len(tokens) < limit and (not tokens or last != END):
            row = self.log_probs([last], temperature)[0]
            p = np.exp(row.astype(np.float64))
            last = int(rng.choice(SIZE, p=p / p.sum()))
            tokens.append(last)
            log_probs.append(row[last])
        return Generation(tuple(tokens), np.array(log_probs, np.float32), last != END)

    def read(self, prompt, responses, temperature=1.0):
        for path, position in distinct_places(responses):
            yield self.log_probs([[*prompt, *responses[path][:position]][-1]], temperature)

    def token_log_probs(self, prefix, continuations, temperatures):
        before = [[prefix[-1], *continuation[:-1]] for continuation in continuations]
        return [
            np.stack([self.log_probs(own, t)[np.arange(len(tokens)), list(tokens)] for t in temperatures])
            for own, tokens in zip(before, continuations, strict=True)
        ]


def load(config: ModelConfig, cache: Path) -> LanguageModel:
    digest = hashlib.sha256(config.name.encode()).hexdigest()
    model = Bigrams(int(digest[:8], 16))
    return LanguageModel(config.name, digest, Characters(), model, model)
