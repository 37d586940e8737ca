"""Which teacher points towards success: every measure of every teacher (tables 1 and 3, figures 4 and 8-11)."""

from collections.abc import Mapping, Sequence

from odd.findings import words
from odd.findings.evidence import Evidence
from odd.findings.model import Cell, Found, Row, interval_of
from odd.findings.statistics import LEAST_VERDICT, Estimate, cluster_estimate, holm
from odd.findings.summaries import MAIN, SUMMARIES, Summary


def find(evidence: Evidence) -> Found:
    """All measures of all teachers, in descending order of range-weighted cosine."""
    own = {name: evidence.scores(evidence.on(teacher=name)) for name in evidence.teachers}
    every = {m: {name: m.estimate(points) for name, points in own.items()} for m in SUMMARIES}
    corrected = {m: dict(zip(own, holm([every[m][name].p for name in own]), strict=True)) for m in SUMMARIES}
    order = list(falling(every[MAIN]))
    outcome, rows = evidence.filters.outcome, []
    for name in order:
        cells = {
            m.key: Cell(
                every[m][name],
                interval_of(evidence.floors[m, outcome, name]),
                {"Holm": corrected[m][name], "Wilcoxon": m.wilcoxon(own[name])},
            )
            for m in SUMMARIES
        }
        rows.append(Row((name,), cells, evidence.on(teacher=name)))
    return Found(tuple(rows), tuple(filter(None, _sentences(evidence, rows, every, corrected[MAIN]))))


def falling(estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Sort in descending order; those without a value come last."""
    return dict(sorted(estimates.items(), key=lambda item: -item[1].value if item[1].n else float("inf")))


def _sentences(
    evidence: Evidence,
    rows: Sequence[Row],
    every: Mapping[Summary, Mapping[str, Estimate]],
    corrected: Mapping[str, float],
) -> list[str]:
    order = [row.labels[0] for row in rows]
    main = {name: every[MAIN][name] for name in order}
    sentences = [words.ranking_sentence(main, MAIN.name)]
    if not order:
        return sentences
    clear = [name for name in order if corrected[name] < 0.05]
    if len(evidence.scored) > 1 and evidence.questions >= LEAST_VERDICT:
        others = words.listed([words.short(name) for name in clear]) if clear else "none"
        differ = "differ" if len(clear) > 1 else "differs"
        test = f"After Holm's correction for {len(evidence.scored)} teachers"
        sentences.append(f"{test}, {others} {differ} from 0 at the 5% level.")
    sentences.append(words.lacking_sentence({name: every[MAIN][name].clusters for name in order}, evidence.questions))
    sentences.append(words.reach_sentence(main, MAIN.name))
    sentences.append(words.floor_sentence({row.labels[0]: row.cells[MAIN.key] for row in rows}))
    sentences.append(words.lead_sentence(order[0], leads(evidence, order)))
    sentences.append(_other_leaders(every, order[0]))
    return sentences


def leads(evidence: Evidence, order: Sequence[str]) -> dict[str, Estimate]:
    """Main measure of the first teacher minus that of each other teacher, on shared decision points."""
    columns = evidence.points[["question", "node", "alignment", "success_range"]]
    own, found = columns.iloc[evidence.on(teacher=order[0])], {}
    for name in order[1:]:
        other = columns.iloc[evidence.on(teacher=name)][["question", "node", "alignment"]]
        both = own.merge(other.rename(columns={"alignment": "other"}), on=["question", "node"])
        difference = (both["alignment"] - both["other"]).to_numpy(float)
        if (difference == difference).any():
            clusters = both["question"].to_numpy()
            found[name] = cluster_estimate(difference, clusters, both["success_range"].to_numpy(float))
    return found


def _other_leaders(every: Mapping[Summary, Mapping[str, Estimate]], first: str) -> str:
    """Sentence on measures that rank another teacher first; empty if none does."""
    leaders: dict[str, list[str]] = {}
    for summary, estimates in every.items():
        leader = next(iter(falling(estimates)))
        if leader != first and estimates[leader].n:
            leaders.setdefault(leader, []).append(summary.name)
    parts = [f"{words.short(leader)} by {words.listed(names)}" for leader, names in leaders.items()]
    return f"Other measures rank another teacher first: {'; '.join(parts)}." if parts else ""
