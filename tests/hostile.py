"""A run file by an attacker: complete, with the right schema, and attacks in every text."""

import json
import shutil
from pathlib import Path

import duckdb

SCRIPT = "<script>window.hacked=1</script>"
IMAGE = '<img src=x onerror="window.hacked=1">'
TEXTS = [
    SCRIPT,
    IMAGE,
    '"><svg onload="window.hacked=1"></svg>',
    "<a href='javascript:window.hacked=1'>go</a>",
    "<b>bold</b>",
    "</textarea></style></title><iframe src='javascript:parent.hacked=1'></iframe>",
    "[link](http://evil.example/x)",
    "![image](http://evil.example/pixel.png)",
    "http://evil.example www.evil.example evil@evil.example",
    "$x^2$ $$\\frac{1}{2}$$",
    ":red[x] :smile: :material/home: :streamlit:",
    "# heading",
    "**b** _i_ `c` ~~s~~",
    "{{7*7}} ${7*7} {% x %} {0.__class__} %s %(x)s",
    "\x1b[31mred\x1b[0m",
    "\u202etxet desrever\u202c",
    "שלום עולם",
    "漢字かな交じり",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "a\u0300\u0301\u0302\u0303\u0304\u0305",
    "tab\tand\nline\r\nend",
    "\x07\x08\x0b\u200b\ufeff\u2028",
    "'; DROP TABLE nodes; --",
    "../../../../etc/passwd",
    "a -- b -> c >= d",
    "&lt;b&gt; &#60;i&#62; &amp;",
    "<br>" * 20,
    '=HYPERLINK("http://evil.example")',
    "long " * 300,
]
BYTES = [
    *(text.encode() for text in TEXTS),
    b"\xff\xfe",
    b"\xe2\x82",
    b"\xc0\x80",
    b"\xf0\x9f",
    b"\x00",
    b"",
    b" ",
    b"  ",
]
LONG_NAME = "L" * 290 + SCRIPT
TEACHERS = {
    "tiny-m": f"teacher {IMAGE}",
    "Self-1C": "**b** [l](http://evil.example) $x$ :red[x] {{7*7}} <b>",
    "Self-1C1W": LONG_NAME,
    "Self-check": "\u202eרע <i>%{x}</i> \x1b[31m",
}
QUESTIONS = {"sum": f"q {SCRIPT}", "compare": "../../etc/passwd", "impossible": f"**{LONG_NAME}**"}
WITH_TEACHER = ("teachers", "contexts", "teacher_tokens", "node_teachers", "scores", "gradients", "pairs", "timings")
FILE = "<img src=x onerror=window.hacked=1>.duckdb"
"""Name of a file that is not a run."""


def make_hostile(run: Path, cache: Path) -> Path:
    """Copy the small run of `tests.runs` into a cache, add attacks, and return the path of the copy."""
    path = cache / "hostile-00000000.duckdb"
    shutil.copy(run, path)
    (cache / FILE).write_text(f"{SCRIPT} is no run")
    everything = " ".join(TEXTS)
    with duckdb.connect(str(path)) as connection:
        for table in WITH_TEACHER:
            for old, new in TEACHERS.items():
                connection.execute(f"UPDATE {table} SET teacher = ? WHERE teacher = ?", [new, old])
        for old, new in QUESTIONS.items():
            text = everything if old == "sum" else TEXTS[list(QUESTIONS).index(old)]
            connection.execute("UPDATE questions SET id = ?, text = ? WHERE id = ?", [new, text, old])
        for column in ("answer", "prompt_text", "note"):
            connection.execute(f"UPDATE questions SET {column} = ?", [everything])
        connection.execute("UPDATE teachers SET model = ?, context = ?, config = ?", [IMAGE, SCRIPT, json.dumps(IMAGE)])
        connection.execute("UPDATE contexts SET prompt_text = ?, reason = ?", [everything, IMAGE])
        connection.execute("UPDATE demonstrations SET text = ?, source = ?", [everything, IMAGE])
        shown = {"text": everything, "correct": True, "source": IMAGE, "summarizer": SCRIPT, "response": everything}
        demonstration = json.dumps([shown])
        connection.execute("UPDATE contexts SET demonstrations = ?", [demonstration])
        connection.execute("UPDATE rollouts SET text = text || ?, answer = ?", [everything, IMAGE])
        connection.execute("UPDATE timings SET stage = ? WHERE stage = 'score'", [IMAGE])
        for key in ("odd_version", "run_id", "digests"):
            connection.execute("UPDATE meta SET value = ? WHERE key = ?", [IMAGE, key])
        connection.execute(
            "UPDATE meta SET value = value || ? WHERE key = 'objectives'", [f",{IMAGE},$x$ **b** :red[x]"]
        )
        connection.execute("UPDATE meta SET value = replace(value, 'tiny-s', ?) WHERE key = 'config'", ["<b>x</b>$y$"])
        _poison_tokens(connection)
    return path


def _poison_tokens(connection: duckdb.DuckDBPyConnection) -> None:
    """Replace the text of the most visible tokens, those on the paths, by attacks."""
    rows = connection.execute(
        "SELECT v.token FROM vocabulary AS v LEFT JOIN path_tokens AS t USING (token) GROUP BY v.token "
        "ORDER BY count(t.token) DESC, v.token"
    ).fetchall()
    for (token,), bytes_ in zip(rows, BYTES, strict=False):
        text = bytes_.decode(errors="replace")
        connection.execute("UPDATE vocabulary SET text = ?, bytes = ? WHERE token = ?", [text, bytes_, token])
