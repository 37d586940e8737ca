"""A scripted server that speaks vLLM's protocol for a bigram model, and answers with faults where a test says so."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import numpy as np

END, SIZE = 0, 12
"""The end token and the vocabulary size."""
MODEL = "m"
Fault = Callable[["Handler", dict], dict | None]
"""Changes an answer, or sends another one itself and returns None."""


def bigrams(weights):
    """Log-probabilities of the next token by the last one, (SIZE, SIZE); other weights are another model."""
    logits = 2 * np.random.default_rng(weights).normal(size=(SIZE, SIZE))
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


class Scripted(ThreadingHTTPServer):
    """A server on a free port of this machine.

    Attributes:
        faults: faults of the next answers of completions, in order.
        always: fault of all other ones.
        asked: bodies of the completions.
        most: largest number of rollouts at a time.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, weights=0, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.table, self.faults, self.always, self.delay = bigrams(weights), [], None, 0.0
        self.asked, self.lock, self.running, self.most, self.gone = [], threading.Lock(), 0, 0, threading.Event()
        self.most_logprobs, self.headers_seen, self.encode, self.sglang = -1, [], None, False
        self.version = {"version": "scripted"}
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Say nothing: clients that give up are part of the tests."""

    def sampling_bodies(self):
        return [body for body in self.asked if "prompt_logprobs" not in body]

    def completions(self, body):
        if "prompt_logprobs" in body:
            return self._scores(body["prompt"], body["prompt_logprobs"])
        choices = [self._continuation(body, i) for i in range(body["n"])]
        choices[0]["prompt_token_ids"] = body["prompt"]
        return {"choices": choices}

    def _continuation(self, body, i):
        rng = np.random.default_rng(body["seed"] + i)
        last, tokens, log_probs = body["prompt"][-1], [], []
        while len(tokens) < body["max_tokens"] and last not in body["stop_token_ids"]:
            scaled = self.table[last] / body["temperature"]
            p = np.exp(scaled) / np.exp(scaled).sum()
            token = int(rng.choice(SIZE, p=p))
            tokens.append(token)
            log_probs.append(float(self.table[last, token]))
            last = token
        reason = "stop" if last in body["stop_token_ids"] else "length"
        return {"token_ids": tokens, "logprobs": {"token_logprobs": log_probs}, "finish_reason": reason}

    def _scores(self, prompt, top):
        rows = [None]
        for last, token in pairwise(prompt):
            best = np.argsort(-self.table[last])[: SIZE if top == -1 else top].tolist()
            rows.append({str(one): {"logprob": float(self.table[last, one])} for one in {*best, token}})
        return {"choices": [{"prompt_token_ids": prompt, "prompt_logprobs": rows}]}

    def generate(self, body):
        """Answer in SGLang's protocol."""
        given, ids = body["sampling_params"], body["input_ids"]
        if given["max_new_tokens"] == 0:
            rows = self._scores(ids, body["top_logprobs_num"])["choices"][0]["prompt_logprobs"]
            entries = [[[one["logprob"], int(token), None] for token, one in (row or {}).items()] for row in rows]
            taken = [[None, ids[0], None]]
            taken += [[row[str(token)]["logprob"], token, None] for row, token in zip(rows[1:], ids[1:], strict=True)]
            tops = [None, *entries[1:]]
            return {"meta_info": {"input_token_logprobs": taken, "input_top_logprobs": tops}}
        vllm = {"prompt": ids, "max_tokens": given["max_new_tokens"], "seed": 5} | given
        made = [self._continuation(vllm, i) for i in range(given["n"])]
        answers = []
        for choice in made:
            tokens = choice["token_ids"]
            entries = zip(choice["logprobs"]["token_logprobs"], tokens, strict=True)
            meta = {
                "prompt_tokens": len(ids),
                "output_token_logprobs": [[value, token, None] for value, token in entries],
            }
            answers.append({"output_ids": tokens, "meta_info": meta})
        return answers if given["n"] > 1 else answers[0]


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: Scripted

    def log_message(self, *_):
        pass

    def do_GET(self):
        answers = {
            "/v1/models": {"data": [{"id": MODEL, "max_model_len": 64}]},
            "/version": self.server.version,
        }
        if self.server.sglang:
            answers |= {"/get_model_info": {"model_path": "folder"}, "/version": None}
        found = answers.get(self.path)
        self.send(found or {"error": "no such path"}, 200 if found else 404)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.headers_seen.append(dict(self.headers))
        if self.path in ("/tokenize", "/detokenize") and self.server.encode is not None:
            if self.path == "/detokenize":
                text = "".join(f"<{token}>" for token in body["tokens"])
                return self.send({"prompt": text, "text": text})
            return self.send({"tokens": self.server.encode(body.get("prompt") or body["messages"][0]["content"])})
        if self.path == "/generate":
            return self.send(self.server.generate(body))
        if self.path != "/v1/completions":
            return self.send({"error": "no such path"}, 404)
        server, rollouts = self.server, body.get("n", 0)
        with server.lock:
            server.asked.append(body)
            server.running += rollouts
            server.most = max(server.most, server.running)
            fault = server.faults.pop(0) if server.faults else server.always
        time.sleep(server.delay)
        top = body.get("prompt_logprobs", 0)
        limit = server.most_logprobs
        with server.lock:
            server.running -= rollouts
        if "prompt_logprobs" in body and limit != -1 and not 0 <= top <= limit:
            return self.send({"error": {"message": f"prompt_logprobs must be at most {limit}"}}, 400)
        answer = server.completions(body)
        answer = answer if fault is None else fault(self, answer)
        if answer is not None:
            self.send(answer)

    def send(self, answer, status=200, headers=()):
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def scripted(*weights):
    """Run a server for each number of weights."""
    servers = [Scripted(one) for one in weights]
    try:
        yield servers
    finally:
        for server in servers:
            server.gone.set()
            server.shutdown()
            server.server_close()


def status(code, **headers):
    """Answer with a status; the message repeats the request's authorization, as careless servers do."""

    def fault(handler, answer):
        said = f"failed with {handler.headers.get('Authorization')}"
        handler.send({"error": {"message": said}}, code, headers.items())

    return fault


def reset(handler, answer):
    """Reset the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def cut_off(handler, answer):
    """Close the connection in the middle of an answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def hang(handler, answer):
    """Do not answer until the server is stopped or the client has gone."""
    handler.connection.settimeout(0.02)
    while not handler.server.gone.is_set():
        try:
            if not handler.connection.recv(1):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    handler.server.gone.set()
    handler.close_connection = True


def text(content):
    """Answer with bytes."""
    return lambda handler, answer: handler.send(content)


def altered(change):
    """Change the first choice of an answer in place."""

    def fault(handler, answer):
        change(answer["choices"][0])
        return answer

    return fault
