"""The driver's own time per rollout from a server that answers at once: `python -m benchmarks.servers`.

A process answers every request with the same continuations in vLLM's format. What is measured is the processor time
of the driver: requests, JSON, checks and arrays, without the time of a model.
"""

import json
import multiprocessing
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from odd.models.server.replicas import Replicas
from odd.models.server.sampler import MOST_TOGETHER, ServerSampler
from odd.models.server.start import Probe, Recognition
from odd.models.server.vllm import VLLM
from odd.models.server.wire import Server

TOKENS, PROMPT, VOCABULARY, END = 500, 200, 150_000, 0
ROLLOUTS, REPEATS = 2048, 5


def serve(port: int) -> None:
    """Answer every completion with random continuations of `TOKENS` tokens that do not end."""
    rng = np.random.default_rng(0)
    answers: dict[int, bytes] = {}

    def answer(count: int) -> bytes:
        if count not in answers:
            tokens = rng.integers(1, VOCABULARY, (count, TOKENS)).tolist()
            log_probs = (-rng.exponential(1.0, (count, TOKENS))).tolist()
            choices = [
                {
                    "index": i,
                    "text": "word " * TOKENS,
                    "finish_reason": "length",
                    "token_ids": tokens[i],
                    "logprobs": {
                        "tokens": [f"token_id:{token}" for token in tokens[i]],
                        "token_logprobs": log_probs[i],
                        "top_logprobs": [
                            {f"token_id:{token}": value} for token, value in zip(tokens[i], log_probs[i], strict=True)
                        ],
                        "text_offset": list(range(TOKENS)),
                    },
                }
                for i in range(count)
            ]
            answers[count] = json.dumps({"choices": choices}).encode()
        return answers[count]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Write no log."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = answer(body["n"])
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def measure(port: int) -> tuple[list[float], int]:
    """Return rollouts per second of processor time in each repeat, and tokens per rollout."""
    probe = Probe((1,), (1,), (), None, {}, frozenset({END}), VOCABULARY)
    adapter = VLLM("m")
    servers = [Server(f"http://127.0.0.1:{port}")]
    replicas = Replicas.of("m", servers, 256, 30.0, Recognition(adapter, probe, None))
    sampler = ServerSampler("m", adapter, replicas, VOCABULARY, frozenset({END}), None, processed=True)
    prompt = tuple(range(1, PROMPT + 1))
    (first, *_) = sampler.sample([prompt] * MOST_TOGETHER, [TOKENS] * MOST_TOGETHER, 1.0, 0)
    speeds = []
    for repeat in range(REPEATS):
        began = time.process_time()
        made = sampler.sample([prompt] * ROLLOUTS, [TOKENS] * ROLLOUTS, 1.0, repeat)
        speeds.append(len(made) / (time.process_time() - began))
    return speeds, len(first.token_ids)


def main() -> None:
    """Print rollouts per second of one core."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    process.start()
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    speeds, tokens = measure(port)
    process.kill()
    print(
        f"driver: {np.median(speeds):,.0f} rollouts of {tokens:,} tokens per second of one core "
        f"({min(speeds):,.0f} to {max(speeds):,.0f}, {REPEATS} repeats of {ROLLOUTS:,})"
    )


if __name__ == "__main__":
    main()
