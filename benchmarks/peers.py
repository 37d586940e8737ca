"""Sampling engines with a common interface: ODD, transformers' `generate`, vLLM and llama.cpp."""

import atexit
import importlib.metadata
import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from benchmarks import vllm_worker
from odd.models.embedded import SMOLLM2_PACKAGE
from odd.models.transformers.language_model import TransformersModel
from odd.models.transformers.prefix_tree import shared_length

Prefixes = Sequence[Sequence[int]]


class Engine(Protocol):
    """A sampling engine."""

    name: str

    def sample(self, prefixes: Prefixes, limits: Sequence[int], batch: int, endless: bool, seed: int) -> int:
        """Sample a continuation of each prefix, of exactly `limits` tokens if `endless`; return the token count."""
        ...


class Ours:
    """`odd.models.transformers.continuous_batch`."""

    name = "ODD"

    def __init__(self, model: TransformersModel) -> None:
        """Sample this model."""
        self.model = model

    def sample(self, prefixes: Prefixes, limits: Sequence[int], batch: int, endless: bool, seed: int) -> int:
        """See `Engine`."""
        sampler = self.model.sampler
        ends, sampler.end_tokens = sampler.end_tokens, frozenset() if endless else sampler.end_tokens
        try:
            drawn = sampler.sample(prefixes, limits, 1.0, seed, batch)
        finally:
            sampler.end_tokens = ends
        return sum(len(one.token_ids) for one in drawn)


class Generate:
    """transformers' `generate`: prefixes of similar length together, padded on the left."""

    name = "transformers generate"

    def __init__(self, model: TransformersModel) -> None:
        """Sample this model."""
        self.model = model

    def sample(self, prefixes: Prefixes, limits: Sequence[int], batch: int, endless: bool, seed: int) -> int:
        """See `Engine`."""
        torch.manual_seed(seed)
        order = sorted(range(len(prefixes)), key=lambda i: len(prefixes[i]))
        return sum(
            self._batch([prefixes[i] for i in rows], [limits[i] for i in rows], endless)
            for rows in (order[at : at + batch] for at in range(0, len(order), batch))
        )

    @torch.inference_mode()
    def _batch(self, prefixes: Prefixes, limits: Sequence[int], endless: bool) -> int:
        width = max(map(len, prefixes))
        ids = torch.zeros(len(prefixes), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prefix in enumerate(prefixes):
            ids[row, width - len(prefix) :] = torch.tensor(list(prefix))
            mask[row, width - len(prefix) :] = 1
        settings = {"do_sample": True, "top_k": 0, "top_p": 1.0, "temperature": 1.0, "max_new_tokens": max(limits)}
        settings |= {"min_new_tokens": max(limits)} if endless else {}
        ends = sorted(self.model.tokenizer.end_tokens)
        generate: Callable[..., torch.Tensor] = getattr(self.model.scorer.model, "generate")  # noqa: B009
        made = generate(ids, attention_mask=mask, pad_token_id=0, eos_token_id=ends, **settings)
        return sum(
            limit if endless else _own(tokens, self.model.tokenizer.end_tokens, limit)
            for tokens, limit in zip(made[:, width:].tolist(), limits, strict=True)
        )


class VLLM:
    """vLLM with its own batching and prefix cache, in a separate process that is suspended during others' turns."""

    name = "vLLM"

    def __init__(self, python: str, folder: Path) -> None:
        """Start vLLM with a Python interpreter that has it, on the model in a folder.

        Raises:
            RuntimeError: vLLM did not start.
        """
        # by default vLLM reserves one core for its scheduler, which would leave one of two cores for computing
        threads = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(torch.get_num_threads())}
        self.process = subprocess.Popen(
            [python, vllm_worker.__file__, str(folder.resolve())],
            env={"VLLM_CPU_KVCACHE_SPACE": "2", **threads, **os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        atexit.register(self.close)
        self.name = f"vLLM {self._answer()}"
        os.killpg(self.process.pid, signal.SIGSTOP)

    def sample(self, prefixes: Prefixes, limits: Sequence[int], batch: int, endless: bool, seed: int) -> int:
        """See `Engine`; vLLM ignores batch and seed."""
        job = {"prefixes": [list(prefix) for prefix in prefixes], "limits": list(limits), "endless": endless}
        os.killpg(self.process.pid, signal.SIGCONT)
        assert self.process.stdin is not None
        print(json.dumps(job), file=self.process.stdin, flush=True)
        drawn = int(self._answer())
        os.killpg(self.process.pid, signal.SIGSTOP)
        return drawn

    def _answer(self) -> str:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise RuntimeError("vLLM ended: see its output")
        return line.strip()

    def close(self) -> None:
        """Terminate the process."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGCONT)
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()


class LlamaCpp:
    """llama.cpp through its Python package, with the 4-bit weights in the SmolLM2 package.

    Sequences share the common start of all prefixes; waiting rollouts replace finished ones.
    """

    def __init__(self, ends: frozenset[int]) -> None:
        """Load the GGUF file of the package."""
        import llama_cpp  # pyright: ignore[reportMissingImports]

        self.cpp: Any = llama_cpp
        self.name = f"llama.cpp (llama-cpp-python {llama_cpp.__version__}), Q4_1"
        self.ends = ends
        distribution = importlib.metadata.distribution(SMOLLM2_PACKAGE)
        file = next(file for file in distribution.files or [] if file.suffix == ".gguf")
        self.cpp.llama_backend_init()
        self.model = self.cpp.llama_model_load_from_file(
            str(distribution.locate_file(file)).encode(), self.cpp.llama_model_default_params()
        )

    def _context(self, sequences: int, tokens: int) -> Any:
        """Create a context for a number of sequences and tokens, with one KV cache, as the prompt is shared."""
        settings = self.cpp.llama_context_default_params()
        settings.n_seq_max, settings.n_ctx, settings.n_batch, settings.kv_unified = sequences, tokens, tokens, True
        settings.n_threads = settings.n_threads_batch = torch.get_num_threads()
        if not (context := self.cpp.llama_init_from_model(self.model, settings)):
            raise RuntimeError("llama.cpp created no context: see its output")
        return context

    def sample(self, prefixes: Prefixes, limits: Sequence[int], batch: int, endless: bool, seed: int) -> int:
        """See `Engine`."""
        rows = sorted(map(tuple, prefixes))
        shared = min(shared_length(rows[0], rows[-1]), len(rows[0]) - 1)
        length = max(len(prefix) + limit for prefix, limit in zip(prefixes, limits, strict=True)) - shared
        sequences = min(min(batch, len(prefixes)) + 1, self.cpp.llama_max_parallel_sequences())
        context = self._context(sequences, shared + sequences * length)
        sampler = self.cpp.llama_sampler_init_dist(seed)
        room = self.cpp.llama_batch_init(self.cpp.llama_n_batch(context), 0, 1)
        try:
            self._decode(context, room, [(0, 0, rows[0][:shared])])
            return self._run(context, sampler, room, prefixes, limits, shared, frozenset() if endless else self.ends)
        finally:
            self.cpp.llama_batch_free(room)
            self.cpp.llama_sampler_free(sampler)
            self.cpp.llama_free(context)

    def _run(
        self,
        context: Any,
        sampler: Any,
        room: Any,
        prefixes: Prefixes,
        limits: Sequence[int],
        shared: int,
        ends: frozenset[int],
    ) -> int:
        """Sample all rollouts, given that sequence 0 has the first `shared` tokens; return the number of tokens."""
        memory, total = self.cpp.llama_get_memory(context), 0
        waiting = list(range(len(prefixes)))
        free = list(range(1, self.cpp.llama_n_seq_max(context)))
        # by sequence: rollout, first position not decoded yet, tokens to decode, number of tokens drawn
        going: dict[int, tuple[int, int, tuple[int, ...], int]] = {}
        while waiting or going:
            while waiting and free:
                i, sequence = waiting.pop(), free.pop()
                self.cpp.llama_memory_seq_rm(memory, sequence, -1, -1)
                self.cpp.llama_memory_seq_cp(memory, 0, sequence, -1, -1)
                going[sequence] = i, shared, tuple(prefixes[i][shared:]), 0
            last = self._decode(context, room, [(sequence, at, read) for sequence, (_, at, read, _) in going.items()])
            for (sequence, (i, at, read, drawn)), place in zip(list(going.items()), last, strict=True):
                token = self.cpp.llama_sampler_sample(sampler, context, place)
                going[sequence] = i, at + len(read), (token,), drawn + 1
                if drawn + 1 == limits[i] or token in ends:
                    total += drawn + 1
                    del going[sequence]
                    free.append(sequence)
        return total

    def _decode(self, context: Any, room: Any, parts: Sequence[tuple[int, int, tuple[int, ...]]]) -> list[int]:
        """Decode tokens of sequences from a start position; return the batch index of the last token of each."""
        count, last = 0, []
        for sequence, start, tokens in parts:
            for at, token in enumerate(tokens, start):
                room.token[count], room.pos[count], room.n_seq_id[count] = token, at, 1
                room.seq_id[count][0], room.logits[count] = sequence, at == start + len(tokens) - 1
                count += 1
            last.append(count - 1)
        room.n_tokens = count
        if self.cpp.llama_decode(context, room):
            raise RuntimeError("llama.cpp could not decode a batch")
        return last


def _own(tokens: Sequence[int], ends: frozenset[int], limit: int) -> int:
    """Number of tokens of a response up to its end token, at most the limit."""
    end = next((at for at, token in enumerate(tokens, 1) if token in ends), len(tokens))
    return min(end, limit)
