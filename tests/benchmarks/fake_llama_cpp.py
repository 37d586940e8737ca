"""A fake llama.cpp for `benchmarks.peers`: it tracks what each sequence has read, and rejects what the engine would.

The token after n tokens is n, so draws reveal what was read.
"""

from types import SimpleNamespace

__version__ = "0.0"
MOST_SEQUENCES = 4
contexts = []


class Context:
    """Sequences of (cell, token); cells belong to one KV cache shared by all sequences."""

    def __init__(self, settings):
        self.settings, self.cells, self.read, self.asked = settings, 0, {}, {}
        self.began, self.freed = [], False

    def sequence(self, number):
        assert 0 <= number < self.settings.n_seq_max
        return self.read.setdefault(number, [])


def llama_max_parallel_sequences():
    return MOST_SEQUENCES


def llama_init_from_model(model, settings):
    if settings.n_seq_max > MOST_SEQUENCES:
        return None
    contexts.append(Context(settings))
    return contexts[-1]


def llama_batch_init(tokens, embeddings, sequences):
    fields = {name: [0] * tokens for name in ("token", "pos", "n_seq_id", "logits")}
    return SimpleNamespace(**fields, seq_id=[[None] for _ in range(tokens)], n_tokens=0)


def llama_decode(context, batch):
    context.asked = {}
    for at in range(batch.n_tokens):
        assert batch.n_seq_id[at] == 1
        read = context.sequence(batch.seq_id[at][0])
        assert batch.pos[at] == len(read)
        read.append((context.cells, batch.token[at]))
        context.cells += 1
        if batch.logits[at]:
            context.asked[at] = tuple(token for _, token in read)
    held = {cell for read in context.read.values() for cell, _ in read}
    return int(len(held) > context.settings.n_ctx)


def llama_sampler_sample(sampler, context, place):
    read = context.asked[place]
    if read[-1] < 0:  # prefixes in tests are negative, so nothing was drawn after this token yet
        context.began.append(read)
    return len(read)


def llama_memory_seq_rm(context, sequence, start, end):
    assert (start, end) == (-1, -1)
    context.sequence(sequence).clear()


def llama_memory_seq_cp(context, source, target, start, end):
    assert (start, end) == (-1, -1)
    context.sequence(target).extend(context.sequence(source))


def llama_free(context):
    context.freed = True


def llama_n_batch(context):
    return context.settings.n_batch


def llama_n_seq_max(context):
    return context.settings.n_seq_max


def llama_get_memory(context):
    return context


def llama_model_default_params():
    return None


llama_context_default_params = SimpleNamespace


def _nothing(*_):
    return None


llama_backend_init = llama_model_load_from_file = llama_sampler_init_dist = _nothing
llama_batch_free = llama_sampler_free = _nothing
