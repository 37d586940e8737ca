/** Sample rollouts, right and wrong, grouped by their next token. */
export default function ({ data: { payload }, parentElement }) {
  const data = JSON.parse(payload)
  const place = parentElement.querySelector(".odd")
  place.style.setProperty("--right", PALETTE.success)
  place.style.setProperty("--wrong", PALETTE.failure)
  place.replaceChildren(...data.groups.map((group) => groupOf(group, data.before)))
}

function groupOf(group, before) {
  return element("section", {}, group.text === null ? null : headOf(group),
    ...group.lines.map((line) => lineOf(line, group, before)),
    group.lines.length ? null : element("p", { class: "faint", text: group.visits
      ? "the run file has the text of none of its rollouts" : "no counted rollout continues with it" }))
}

function headOf({ text, mark, taken, rate, visits }) {
  const { value, low, high } = rate
  return element("header", {}, chipOf(text, mark),
    element("b", { text: ` ${known(value) ? `${Math.round(value * 100)}%` : "–"} right ` }),
    element("span", { class: "faint", text: `${interval(low, high)} of ${visits.toLocaleString("en")}` }),
    taken ? element("span", { class: "faint", text: " · taken by this path" }) : null)
}

/** Says how many rollouts the run file has whole, if these are a sample. */
function sampleOf(kept, found) {
  return kept < found ? `; the run file has the text of ${kept.toLocaleString("en")} of these` : ""
}

function chipOf(text, mark) {
  return element("span", { class: mark ? "chip mono mark" : "chip mono" }, ...legible(text))
}

function lineOf({ correct, truncated, text, found, kept }, group, before) {
  const outcome = truncated ? "cut at the length limit, so it is wrong" : correct ? "right" : "wrong"
  const sign = element("span", { class: correct ? "right" : "wrong", text: correct ? "✓" : "✗", title:
    `${outcome}; one of ${found.toLocaleString("en")} ${correct ? "right" : "wrong"} ones${sampleOf(kept, found)}`, role: "img", "aria-label": outcome })
  const words = element("span", { class: "words mono" }, element("span", { class: "faint", text: before }),
    group.text === null ? null : chipOf(group.text, group.mark), ...legible(text),
    truncated ? element("span", { class: "faint", text: " ✂ cut" }) : null)
  return element("div", { class: "line" }, sign, words)
}
