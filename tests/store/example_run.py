"""A run of one question with two short paths, every table filled."""

import numpy as np

RUN = "tiny-00c0ffee"
KEY = {"question": 0, "teacher": "big"}
MEASURE = {"objective": "reverse_kl", "convention": "on_policy-full-off"}


def rollout(number, ids, log_probs, correct, **other):
    row = {"question": 0, "rollout": number, "stage": "initial", "launch": 0, "answer": None, "truncated": False}
    return (
        row
        | {"token_ids": ids, "length": len(ids), "log_probs": log_probs, "correct": correct, "text": f"r{number}"}
        | other
    )


def node(number, parent, token, depth, rollouts, **other):
    row = {"question": 0, "node": number, "parent": parent, "token": token, "depth": depth, "log_p": np.log(0.5)}
    return row | {"rollouts": rollouts} | other


def success(number, visits, successes, **ends):
    """A node under every rule."""
    rates = {"on_policy": (visits, successes / visits), "stratified": (visits, 0.25)}
    rates |= {"pooled": (visits + 6, successes / (visits + 6))}
    return [
        {"question": 0, "node": number, "pooling": name, "visits": n, "successes": successes, "success": rate, **ends}
        for name, (n, rate) in rates.items()
    ]


def step(path, position, parent, child, token):
    return {"question": 0, "path": path, "position": position, "node": parent, "child": child, "token": token}


ROWS = {
    "questions": [
        {"question": 0, "id": "q-0", "text": "1+1?", "choices": ["2", None, "Ünï"], "answer": "2", "kind": "number",
         "prompt_text": "Q: 1+1?", "prompt_ids": [3, 4], "stage": "scored", "difficulty": "medium", "note": None},
        {"question": 1, "id": "q-1", "text": "2+2?", "choices": [], "stage": "new"},
    ],
    "rollouts": [
        rollout(0, [5, 6], [-0.5, -0.25], True, answer="2", chunk=0),
        rollout(1, [5, 8], np.array([-0.5, -1.5], dtype=np.float32), False, chunk=0),
        rollout(2, [7], [-2.0], False, truncated=True),
        rollout(3, np.array([7, 9]), [None, -0.75], False, stage="targeted", launch=1),
        rollout(4, [], [], False),
    ],
    "rollout_log_probs": [
        {"question": 0, "rollout": 0, "teacher": None, "temperature": 1.0, "log_probs": [-0.5, -0.25]},
        {**KEY, "rollout": 3, "temperature": 2.0, "log_probs": [None, -1.25]},
    ],
    "paths": [
        {"question": 0, "path": 0, "rollout": 0, "correct": True, "truncated": False, "length": 2},
        {"question": 0, "path": 1, "rollout": 1, "correct": False, "truncated": False, "length": 2},
    ],
    "pairs": [{"question": 0, "pair": 0, "path": 0, "position": 0, "token": 7, "window": 0, "criterion": "gradient",
               "teacher": "big", "value": 0.125, "visits": 3, "launched": 1}],
    "nodes": [
        node(0, -1, -1, 0, 10, log_p=None),
        node(1, 0, 5, 1, 8),
        node(2, 0, 7, 1, 8, log_p=np.float32(-2.0)),
    ],
    "success": [*success(0, 4, 2), *success(1, 2, 1, low=0.1, high=0.9), *success(2, 2, 0)],
    "node_values": [{"question": 0, "node": 0, "pooling": "on_policy", "value": 0.25, "low": 0.1, "high": 0.75,
                     "visits": 4}],
    "path_tokens": [step(0, 0, 0, 1, 5), step(0, 1, 1, 3, 6), step(1, 0, 0, 1, 5), step(1, 1, 1, 4, 8)],
    "teachers": [
        {"teacher": "big", "ordinal": 0, "model": "l", "context": "none", "config": "{}", "guided_targeting": True},
        {"teacher": "self", "ordinal": 1, "model": "s", "context": "1c", "config": "{}", "guided_targeting": False},
    ],
    "contexts": [
        {**KEY, "available": True, "prompt_text": "Q: 1+1?", "prompt_ids": [3, 4], "demonstrations": "[]"},
        {"question": 0, "teacher": "self", "available": False, "reason": "no correct rollout"},
    ],
    "demonstrations": [
        {"question": 0, "source": "s", "attempt": number, "chunk": 0, "temperature": 0.7, "text": text, "answer": None,
         "correct": number == 0, "truncated": False}
        for number, text in enumerate(["2\nAnswer: 2", "3"])
    ],
    "summaries": [{"question": 0, "summarizer": "l", "request": "Summarize 2", "text": None, "tries": 8,
                   "temperature": 0.7}],
    "screening_contexts": [{"context": "self", "ordinal": 0, "kind": "1c", "config": "{}"}],
    "screening": [{"question": 0, "context": "self", "available": True, "prompt_text": "Q: 1+1?", "prompt_ids": [3],
                   "demonstrations": "[]"}],
    "screening_rollouts": [
        {"question": 0, "context": "self", "rollout": number, "chunk": 0, "tokens": 2, "text": "2", "answer": "2",
         "correct": number > 0, "truncated": False}
        for number in range(4)
    ],
    "teacher_tokens": [{**KEY, "node": 1, "log_q": np.log(0.75)}, {**KEY, "node": 2, "log_q": None}],
    "node_teachers": [{**KEY, "node": 0, "js": 0.5, "l2": float("nan"), "kl_student_teacher": 1.5}],
    "scores": [{**KEY, **MEASURE, "node": 0, "alignment": 0.5, "low": 0.1, "high": 0.9, "p_positive": 0.9,
                "gain": 0.01, "advantage": float("nan"), "children": 2, "success_range": 0.5, "visits": 4,
                "decision": True}],
    "half_scores": [{**KEY, **MEASURE, "node": 0, "half": half, "alignment": 0.5 - half, "gain": 0.01,
                     "advantage": float("nan"), "success_range": 0.5} for half in (0, 1)],
    "components": [{"question": 0, "node": 0, "convention": MEASURE["convention"], "tokens": np.array([5, 7, -1]),
                    "p": [0.5, 0.125, 0.375], "success": [0.5, 0.0, None], "ideal": [0.25, -0.25, None]}],
    "gradients": [{**KEY, **MEASURE, "node": 0, "teacher_gradient": [0.5, -0.5, 0.0]}],
    "influence": [{**KEY, "rollout": number, "objective": "reverse_kl", "target": target, "first": [0.5, -0.25],
                   "second": [0.25, 0.5]} for number in (0, 1) for target in ("same", "other")],
    "influence_matrix": [{**KEY, "target": 0, "objective": "reverse_kl", "first": 0.25, "second": 0.75}],
    "influence_norms": [{"teacher": "big", "objective": "reverse_kl", "norm": 2.0, "questions": 1}],
    "vocabulary": [{"token": 5, "text": "a\0b", "bytes": b"a\0b"}, {"token": 6, "text": "�", "bytes": b"\xff"}],
    "timings": [
        {"question": 0, "stage": "sample", "seconds": 1.5, "items": 3, "tokens": 5},
        {"question": None, "stage": "load", "teacher": "big", "seconds": 0.5},
    ],
}  # fmt: skip
