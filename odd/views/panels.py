"""Complete payloads of the components `token_path` and `generation_tree` for a view of a question."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from odd.store.run import Run
from odd.text import markdown_escaped
from odd.views.generation_tree import decision_payload
from odd.views.links import ViewState
from odd.views.missing import NO_TEACHER, no_decision_point
from odd.views.names import convention_name, file_name, objective_name
from odd.views.path_overview import overview_payload, overview_rows
from odd.views.path_window import Extent, path_extent, path_hits, support
from odd.views.scores import Row, colour_scale
from odd.views.token_path import end_tokens, path_heading, path_names, path_payload
from odd.views.truncation import truncated_after, truncated_shares


def path_panel(
    run: Run,
    number: int,
    view: ViewState,
    rows: Sequence[Row],
    cards: Mapping[int, dict[str, Any]],
    extent: Extent | None = None,
) -> dict[str, Any]:
    """Payload of the component `token_path`.

    Args:
        run: the run.
        number: number of the question.
        view: view with question, path, teacher, objective, convention and colour.
        rows: result of `odd.views.token_path.path_rows`.
        cards: result of `odd.views.token_path.path_cards`.
        extent: size of the path, if `rows` and `cards` are those of its window; None: they are complete.
    """
    scale, ends, visits = colour_scale(run, number, view), end_tokens(run, number), support(run)
    data = path_payload(rows, cards, view, scale, ends, visits)
    name = path_names(run.query("paths", question=number))[cast(int, view.path)]
    extent = extent or path_extent(run, number, view.path)
    whole = overview_rows(run, number, view) if len(rows) < extent.length else rows
    overview = overview_payload(whole, view, scale, ends, extent, visits)
    texts = run.query("path_texts", question=number, path=view.path)["bytes"].tolist()
    overview["hits"] = path_hits(texts, view.find.strip())
    overview["truncated"] = truncated_shares(whole, truncated_after(run, number, view, whole))
    heading = path_heading(whole, name)
    saved = file_name(view.run, view.question, f"path-{view.path}", view.teacher, view.colour)
    return data | {"question": number, "overview": overview, "heading": heading, "name": saved}


def tree_panel(run: Run, number: int, view: ViewState, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Payload of the component `generation_tree`.

    Args:
        run: the run.
        number: number of the question.
        view: as for `path_panel`, with the pinned token, the selected node, and the folded and unfolded nodes.
        tree: result of `odd.views.generation_tree.tree_payload`.
    """
    decisions = decision_payload(run, number, view, colour_scale(run, number, view))
    chosen = {
        "question": number,
        "path": view.path,
        "position": view.position,
        "node": view.node,
        "folded": list(view.folded),
        "unfolded": list(view.unfolded),
        "name": tree_name(view),
    }
    return {**tree, **decisions, **chosen}


def tree_name(view: ViewState) -> str:
    """File name of exports of the generation tree, without suffix."""
    return file_name(view.run, view.question, "tree", (view.convention or "on_policy").split("-")[0])


def chosen_measure(view: ViewState) -> str:
    """Display names of teacher, objective and convention."""
    parts = [view.teacher or "no teacher", objective_name(view.objective or ""), convention_name(view.convention or "")]
    return " · ".join(part for part in parts if part)


def path_notices(run: Run, number: int, view: ViewState, decisions: bool) -> list[str]:
    """Why a path may show no scores, as Markdown; `decisions`: whether it has a decision point."""
    if view.teacher is None:
        return [f"{NO_TEACHER} Success is shown instead."]
    contexts = run.query("contexts", question=number)
    own = contexts[contexts["teacher"] == view.teacher]
    if len(own) and not own["available"].iloc[0]:
        reason = own["reason"].iloc[0] or "its context could not be built"
        return [markdown_escaped(f"{view.teacher} has no scores for this question: {reason}.")]
    if not decisions:
        return [no_decision_point("This path")]
    return []


def why_no_tree(run: Run, number: int) -> str:
    """Why a question has no tree."""
    questions = run.query("questions")
    row = questions[questions["question"] == number].iloc[0]
    if isinstance(row["note"], str):
        return f"This question has no tree: {row['note']}."
    if not row["initial_rollouts"]:
        return "No rollout of this question is sampled yet: its tree appears here once it is scored."
    return (
        f"{row['initial_rollouts']:,} initial and {row['targeted_rollouts']:,} targeted rollouts are sampled so far "
        f"({row['initial_correct']:,} of the initial ones correct): the tree appears here once the question is scored."
    )
