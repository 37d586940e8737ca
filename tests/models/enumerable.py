"""Random models so small that all of their responses can be listed, to test derivatives against exact ones."""

from itertools import product

import torch
import transformers as hub

from odd.models.transformers.derivatives import TransformersDerivatives
from odd.models.transformers.head import Head

SIZE, END, PROMPT = 4, 0, (1, 3, 2)
"""Vocabulary, the end token, and a prompt."""
RESPONSES = [
    *((*body, END) for length in range(3) for body in product(range(1, SIZE), repeat=length)),
    *product(range(1, SIZE), repeat=3),
]
"""All responses of up to three tokens; those of three without an end are cut off."""
CORRECT = [sum(response) % 3 == 0 for response in RESPONSES]

SMALL = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}
SMALL |= {"num_key_value_heads": 1, "vocab_size": SIZE, "max_position_embeddings": 32, "initializer_range": 0.5}
ARCHITECTURES = {
    "llama": lambda: hub.LlamaForCausalLM(hub.LlamaConfig(**SMALL)),
    "tied": lambda: hub.LlamaForCausalLM(hub.LlamaConfig(**SMALL, tie_word_embeddings=True)),
    "gpt2": lambda: hub.GPT2LMHeadModel(
        hub.GPT2Config(vocab_size=SIZE, n_positions=32, n_embd=8, n_layer=2, n_head=2, initializer_range=0.5)
    ),
    "scaled": lambda: hub.CohereForCausalLM(hub.CohereConfig(**SMALL, logit_scale=0.5, pad_token_id=0)),
}
"""The last one scales its logits after the last layer, so all logits of a pass are computed."""


def enumerable(name="llama", seed=0):
    """Return a random model."""
    torch.manual_seed(seed)
    return ARCHITECTURES[name]().eval()


def derivatives_of(model, pattern=None, memory=1 << 20):
    return TransformersDerivatives(Head(model), "enumerable", SIZE, 32, pattern, memory)


def flat(tensors):
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def log_probs_of(model, response, temperature=1.0):
    """Return log-probabilities after each prefix of a response that precedes a token, (T, V)."""
    ids = torch.tensor([[*PROMPT, *response[:-1]]])
    return torch.log_softmax(model(ids).logits[0, len(PROMPT) - 1 :, :SIZE] / temperature, -1)


def success(model, temperature=1.0):
    """Return the exact probability of a correct response."""
    total = torch.zeros((), dtype=next(model.parameters()).dtype)
    for response, correct in zip(RESPONSES, CORRECT, strict=True):
        if correct:
            rows = log_probs_of(model, response, temperature)
            total = total + rows[torch.arange(len(response)), list(response)].sum().exp()
    return total


def success_gradient(model, temperature=1.0):
    """Return the exact gradient of success, (W,)."""
    return flat(torch.autograd.grad(success(model, temperature), list(model.parameters()))).detach().numpy()
