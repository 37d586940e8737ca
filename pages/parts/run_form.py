"""The form that starts a run, with an estimate of its time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from odd.cli.options import parse_teacher
from odd.config import PRESETS, ModelConfig, QuestionsConfig, RunConfig, TeacherConfig, parse_config, shareable
from odd.config.teachers import CONTEXTS, PAPER_TEACHERS, SELF_3C, SELF_CHECK, SELF_TEACHERS
from odd.errors import OddError
from odd.method.objectives import objective
from odd.models.embedded import EMBEDDED, TINY
from odd.pipeline.budget import budget
from odd.pipeline.cost import RECENT
from odd.pipeline.estimate import Speed, TimeEstimate, benchmark_speed, estimate, measured_speed
from odd.pipeline.jobs import keep_questions, start_run
from odd.pipeline.stages import Stage
from odd.questions.files import SUFFIXES
from odd.questions.sources import bundled_sets, load_questions, parse_source
from odd.store import list_runs, newest_finished
from odd.text import markdown_escaped, parse_json, rough
from pages.parts.run_check import show_checks
from pages.parts.run_servers import servers
from pages.parts.run_state import close_dialog
from pages.shared.data import CACHE, OpenRun, as_it_is, kept

ABOUT = {
    "demo": "eight arithmetic questions for the tiny student",
    "smollm2": "SmolLM2-135M-Instruct with a small budget",
    "paper": "the paper's budget, on the tiny student",
}
QUESTIONS_MB = 20


def run_form() -> None:
    """Draw the form with its time estimate and start button; an invalid setting shows one line and disables Start."""
    starts = "Sets the defaults of the other fields"
    preset = st.segmented_control("preset", list(PRESETS), default="demo", required=True, key="new-preset", help=starts)
    st.caption(ABOUT.get(preset, ""))
    base = PRESETS[preset]
    try:
        tree = _tree(base, preset)
        config = parse_config(tree)
        questions = count_questions(config.questions)
    except OddError as error:
        st.error(markdown_escaped(str(error).removeprefix("--")), icon=":material/error:")
        st.button("Start", type="primary", icon=":material/play_arrow:", disabled=True, key="new-start")
        return
    if (same := same_run(config)) is not None:
        st.info(
            markdown_escaped(f"Run {same} has these settings: Start continues it, and samples nothing that it has."),
            icon=":material/content_copy:",
        )
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        _time(config, questions)
        tells = "Samples 8 rollouts and looks at prompts, answers, scores, memory and time; takes about a minute"
        check = st.button("Check", icon=":material/fact_check:", key="new-check", help=tells)
        start = st.button("Start", type="primary", icon=":material/play_arrow:", key="new-start")
    if check:
        show_checks(config)
    if start:
        try:
            start_run(config)
        except OddError as error:
            st.error(markdown_escaped(str(error)), icon=":material/error:")
            return
        close_dialog()
        st.rerun()


def _tree(base: RunConfig, preset: str) -> dict[str, Any]:
    """Draw the fields and return them as a configuration; widget keys include the preset, so presets don't mix."""
    key = f"new-{preset}"
    tree: dict[str, Any] = base.model_dump(mode="json") | {"cache": str(CACHE)}
    left, right = st.columns([2, 1])
    models = list(EMBEDDED)
    tree["student"]["name"] = left.selectbox(
        "student",
        models,
        index=models.index(base.student.name),
        accept_new_options=True,
        help="An embedded model, a folder, or a hub name",
        format_func=_described,
        key=f"{key}-student",
    )
    tree["title"] = right.text_input(
        "title", base.title, max_chars=41, help="First part of the run's name", key=f"{key}-title"
    )
    tree["student"] |= servers(tree["student"], key)
    tree["questions"] = _questions(base, key)
    tree["teachers"] = _teachers(base, tree["student"], key)
    tree["analysis"]["objectives"] += _more_objectives(base, key)
    _budgets(base, tree, key)
    return tree


def _more_objectives(base: RunConfig, key: str) -> list[dict[str, Any]]:
    """Offer MiniLLM's objective if the preset lacks it."""
    if base.analysis.reading_temperatures:
        return []
    wanted = st.toggle(
        "add MiniLLM's reward-to-go",
        help="One more objective. The student and every teacher must then read all rollouts, which takes time",
        key=f"{key}-minillm",
    )
    return [objective("minillm").model_dump(mode="json")] if wanted else []


def _budgets(base: RunConfig, tree: dict[str, Any], key: str) -> None:
    """Draw the budget fields and write them into the configuration."""
    columns = st.columns(4)
    sampling, targeting = tree["sampling"], tree["targeting"]
    sampling["initial_rollouts"] = columns[0].number_input(
        "initial rollouts", 1, 100_000, base.sampling.initial_rollouts, help="per question", key=f"{key}-initial"
    )
    targeting["n_min"] = columns[1].number_input(
        "visits per pair",
        1,
        100_000,
        base.targeting.n_min,
        help="n_min: visits that each forced token is brought to",
        key=f"{key}-visits",
    )
    sampling["max_new_tokens"] = columns[2].number_input(
        "longest response",
        1,
        100_000,
        base.sampling.max_new_tokens,
        help="tokens; longer responses are truncated and count as wrong",
        key=f"{key}-tokens",
    )
    sampling["seed"] = columns[3].number_input("seed", 0, 2**31, base.sampling.seed, key=f"{key}-seed")


def _described(name: str) -> str:
    return f"{name}: {EMBEDDED[name].description}" if name in EMBEDDED else name


def _questions(base: RunConfig, key: str) -> dict[str, Any]:
    left, right = st.columns([2, 1])
    sets = bundled_sets()
    source = left.selectbox(
        "questions",
        sets,
        index=sets.index(base.questions.source),
        accept_new_options=True,
        help="A bundled set; the path of a .jsonl, .csv or .parquet file; a data set on the Hugging Face hub, such as "
        "hf:google/boolq?split=validation&limit=50&seed=0; or questions generated by reasoning-gym, such as "
        "gym:leg_counting?size=20&seed=0",
        key=f"{key}-questions",
    )
    limit = right.number_input(
        "only the first", 1, None, base.questions.limit, placeholder="all", help="questions", key=f"{key}-limit"
    )
    with st.expander("Questions from your own file"):
        file = st.file_uploader(
            "JSON Lines, CSV or Parquet, one question per line",
            type=[suffix.removeprefix(".") for suffix in SUFFIXES],
            max_upload_size=QUESTIONS_MB,
            help='{"id": "q1", "question": "What is 17 * 3?", "answer": "51", "kind": "number"}',
            key=f"{key}-file",
        )
    if file is not None:
        source = str(keep_questions(CACHE, file.name, file.getvalue()))
        left.caption(f"Using {markdown_escaped(file.name)} instead")
    return {"source": source or "", "limit": limit}


def _teachers(base: RunConfig, student: dict[str, Any], key: str) -> list[dict[str, Any]]:
    offered = {teacher.name: teacher for teacher in _sensible(student["name"])}
    preset = [teacher.name for teacher in base.teachers if teacher.name in offered]
    chosen = st.pills(
        "teachers",
        list(offered),
        selection_mode="multi",
        default=preset,
        format_func=lambda name: name,
        help="Self-1C is the student shown one of its own correct responses, Self-1C1W a correct and a wrong one, "
        "Self-3C three correct ones. Sum: summarised by a larger model; (tiny-l): written by tiny-l. Self-check is the "
        "student with its own prompt, which must show no signal",
        key=f"{key}-teachers-{student['name']}",
    )
    more = st.text_area(
        "more teachers",
        placeholder="NAME=MODEL:CONTEXT, one per line, for instance Big=./my-teacher:none or "
        f"Big-1C=student:1c,demonstrations=./my-teacher; contexts are {', '.join(CONTEXTS)}",
        height=68,
        key=f"{key}-more",
    )
    like = ModelConfig.model_validate(student) if student["name"] else ModelConfig()
    lines = [line.strip() for line in more.splitlines() if line.strip()]
    teachers = [*(offered[name] for name in chosen), *(parse_teacher(line, like) for line in lines)]
    return [teacher.model_dump(mode="json") for teacher in teachers]


def _sensible(student: str) -> Sequence[TeacherConfig]:
    """Teachers to offer: models that share an embedded student's vocabulary, and the student in all contexts."""
    family = [name for name in TINY if name != student] if student in TINY else []
    larger = [TeacherConfig(name=name, model=ModelConfig(name=name)) for name in family]
    # tiny-l as the student does not also write its own demonstrations
    helped = [t for t in PAPER_TEACHERS if t.is_student_in_context] if "tiny-l" in family else SELF_TEACHERS
    return [*larger, *helped, SELF_3C, SELF_CHECK]


def count_questions(config: QuestionsConfig) -> int:
    """Return the number of questions.

    Raises:
        OddError: the questions cannot be read.
    """
    path = Path(parse_source(config.source).name)
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    return min(_count(config.source, changed), config.limit or 10**9)


@st.cache_data(max_entries=32, show_spinner="reading the questions")
def _count(source: str, changed: int) -> int:
    return len(load_questions(QuestionsConfig(source=source)))


def _time(config: RunConfig, questions: int) -> None:
    speed = best_speed(config.student)
    with st.container(gap=None, width="stretch"):
        if speed is None:
            st.markdown("**time: –**")
            st.caption("There is no finished run of this student here, and it is not in the benchmark.")
            return
        guess = estimate(config, questions, speed)
        targeted = float(f"{guess.targeted_rollouts:.2g}")
        st.markdown(f"**{rough(guess.seconds)}**")
        st.caption(
            f"{questions} questions, {guess.initial_rollouts:,} initial and about {targeted:,.0f} targeted rollouts. "
            f"{_of_reading(guess)}Accurate to about a factor of two; based on {markdown_escaped(speed.source)}."
        )
        amounts = dict(budget(config, questions, speed, with_memory=False).lines())
        kinds = "sampled tokens", "run file", "targeted per question"
        st.caption("; ".join(f"{kind}: {amounts[kind]}" for kind in kinds) + ".")


def same_run(config: RunConfig) -> str | None:
    """Id of the newest run of the cache with exactly these settings; None if there is none."""
    asked = shareable(config).model_dump(mode="json", exclude={"cache"})
    for info in list_runs(CACHE):
        if info.run_id.startswith(f"{config.title}-") and info.problem is None:
            try:
                stored = _stored_settings(as_it_is(info.path))
            except (OddError, OSError):
                continue
            if stored == asked:
                return info.run_id
    return None


@kept
def _stored_settings(run: OpenRun) -> dict[str, Any] | None:
    """Settings in a run file, completed with today's defaults; None if they are not valid."""
    try:
        return parse_config(parse_json(run.meta["config"])).model_dump(mode="json", exclude={"cache"})
    except (OddError, KeyError, ValueError):
        return None


def _of_reading(guess: TimeEstimate) -> str:
    """How much of the time `minillm` takes to read all rollouts; empty without it."""
    return f"{rough(guess.parts[Stage.READ]).capitalize()} of it to read all rollouts. " if guess.read_tokens else ""


def best_speed(student: ModelConfig) -> Speed | None:
    """Speed of the newest finished run of this student in the cache, else of the benchmark."""
    for info in newest_finished(CACHE, RECENT):
        try:
            speed = _measured(as_it_is(info.path), student.model_dump_json())
        except (OddError, OSError):
            continue
        if speed is not None:
            return speed
    return benchmark_speed(student)


@kept
def _measured(run: OpenRun, student: str) -> Speed | None:
    return measured_speed(run, run.meta, ModelConfig.model_validate_json(student))
