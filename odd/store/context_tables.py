"""The tables of a run file about what teachers are shown, and about the screening that compares it (method §6)."""

QUESTION = ("INTEGER NOT NULL", "number of the question in the run")
CONTEXT = ("VARCHAR NOT NULL", "name of the teacher that a screening puts the student in the place of")

CONTEXT_TABLES: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "demonstrations": (
        "Tries at responses that teachers may be shown; teachers with one source model share them",
        {
            "question": QUESTION,
            "source": ("VARCHAR NOT NULL", "model that wrote it"),
            "attempt": ("INTEGER NOT NULL", "number of the try, from 0"),
            "chunk": ("INTEGER", "batch it was sampled in; part of the seed"),
            "temperature": ("DOUBLE", "it was sampled at"),
            "text": ("VARCHAR NOT NULL", "the response"),
            "answer": ("VARCHAR", "answer found in the text; NULL: none"),
            "correct": ("BOOLEAN NOT NULL", "verified against the gold answer"),
            "truncated": ("BOOLEAN NOT NULL", "cut at the length limit, therefore wrong and never shown"),
        },
    ),
    "summaries": (
        "Summaries of demonstrations",
        {
            "question": QUESTION,
            "summarizer": ("VARCHAR NOT NULL", "model that wrote it"),
            "request": ("VARCHAR NOT NULL", "the user message that asked for it"),
            "text": ("VARCHAR", "the summary; NULL: no try ended with the outcome of its response"),
            "tries": ("INTEGER NOT NULL", "summaries tried up to this one"),
            "temperature": ("DOUBLE", "it was sampled at"),
        },
    ),
    "screening_contexts": (
        "The contexts that a screening compares",
        {
            "context": CONTEXT,
            "ordinal": ("INTEGER", "order of display"),
            "kind": ("VARCHAR", "kind of context: 1c, 1c1w, 3c, sum_1c, sum_1c1w"),
            "config": ("VARCHAR", "settings of the teacher as JSON"),
        },
    ),
    "screening": (
        "What the student was given under each context, for each question",
        {
            "question": QUESTION,
            "context": CONTEXT,
            "available": ("BOOLEAN NOT NULL", "whether the context could be made"),
            "reason": ("VARCHAR", "why not"),
            "prompt_text": ("VARCHAR", "the prompt, template included"),
            "prompt_ids": ("INTEGER[]", "its token ids"),
            "demonstrations": ("VARCHAR", "demonstrations in the prompt, as JSON"),
        },
    ),
    "screening_rollouts": (
        "Responses of the student under the contexts of a screening",
        {
            "question": QUESTION,
            "context": CONTEXT,
            "rollout": ("INTEGER NOT NULL", "number of the rollout under the context"),
            "chunk": ("INTEGER", "batch it was sampled in; part of the seed"),
            "tokens": ("INTEGER", "length of the response"),
            "text": ("VARCHAR", "decoded response, for display"),
            "answer": ("VARCHAR", "answer found in the text; NULL: none"),
            "correct": ("BOOLEAN NOT NULL", "verified against the gold answer"),
            "truncated": ("BOOLEAN NOT NULL", "cut at the length limit, therefore wrong"),
        },
    ),
}
"""Table name to its comment and its columns, as in `odd.store.schema.tables`."""
