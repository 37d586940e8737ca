"""Tables of a run file for demonstrations and for screenings of contexts (method §6)."""

QUESTION = ("INTEGER NOT NULL", "number of the question in the run")
CONTEXT = ("VARCHAR NOT NULL", "name of the teacher with this context; in a screening, the student is given it")

CONTEXT_TABLES: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "demonstrations": (
        "Sampled responses (tries) that teachers may be shown; teachers with the same source model share them",
        {
            "question": QUESTION,
            "source": ("VARCHAR NOT NULL", "model that wrote it"),
            "attempt": ("INTEGER NOT NULL", "number of the try, from 0"),
            "chunk": ("INTEGER", "batch it was sampled in; part of the seed"),
            "temperature": ("DOUBLE", "sampling temperature"),
            "text": ("VARCHAR NOT NULL", "the response"),
            "answer": ("VARCHAR", "answer found in the text; NULL: none"),
            "correct": ("BOOLEAN NOT NULL", "verified against the gold answer"),
            "truncated": ("BOOLEAN NOT NULL", "truncated at the length limit, therefore wrong and never shown"),
        },
    ),
    "summaries": (
        "Summaries of demonstrations",
        {
            "question": QUESTION,
            "summarizer": ("VARCHAR NOT NULL", "model that wrote it"),
            "request": ("VARCHAR NOT NULL", "the user message that requests the summary"),
            "text": ("VARCHAR", "the summary; NULL: no try has the outcome of its response"),
            "tries": ("INTEGER NOT NULL", "number of summaries sampled up to this one"),
            "temperature": ("DOUBLE", "sampling temperature"),
        },
    ),
    "screening_contexts": (
        "Contexts that a screening compares",
        {
            "context": CONTEXT,
            "ordinal": ("INTEGER", "order of display"),
            "kind": ("VARCHAR", "kind of context: 1c, 1c1w, 3c, sum_1c, sum_1c1w, solution, hint"),
            "config": ("VARCHAR", "settings of the teacher as JSON"),
        },
    ),
    "screening": (
        "The student's prompt with each context, per question",
        {
            "question": QUESTION,
            "context": CONTEXT,
            "available": ("BOOLEAN NOT NULL", "whether the context could be built"),
            "reason": ("VARCHAR", "why not"),
            "prompt_text": ("VARCHAR", "the prompt, template included"),
            "prompt_ids": ("INTEGER[]", "its token ids"),
            "demonstrations": ("VARCHAR", "demonstrations in the prompt, as JSON"),
        },
    ),
    "screening_rollouts": (
        "Responses of the student with the contexts of a screening",
        {
            "question": QUESTION,
            "context": CONTEXT,
            "rollout": ("INTEGER NOT NULL", "number of the rollout with the context"),
            "chunk": ("INTEGER", "batch it was sampled in; part of the seed"),
            "tokens": ("INTEGER", "length of the response"),
            "text": ("VARCHAR", "decoded response, for display"),
            "answer": ("VARCHAR", "answer found in the text; NULL: none"),
            "correct": ("BOOLEAN NOT NULL", "verified against the gold answer"),
            "truncated": ("BOOLEAN NOT NULL", "truncated at the length limit, therefore wrong"),
        },
    ),
}
"""Comment and columns by table name, as in `odd.store.schema.tables`."""
