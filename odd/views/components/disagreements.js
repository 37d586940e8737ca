/** URL of a row on another page, with the whole view. */
function address(page, query, { question, path, position }) {
  const parts = { ...query, question: [question], path: [path], token: [position] }
  const written = new URLSearchParams(Object.entries(parts).flatMap(([key, values]) => values.map((value) => [key, value])))
  return `${page}?${written}`
}

function score(value, settled) {
  const look = { "--colour": divergingColour(value), color: settled === false ? null : divergingInk(value) }
  return element("td", { class: `score${settled === false ? " unsettled" : ""}`, text: number(value, 2, true), style: look,
    title: settled === false ? "The sign is not settled: its 95% interval contains 0" : null })
}

function line(row, data, open) {
  const words = element("span", {}, element("span", { class: "faint" }, ...legible(row.before)),
    element("span", { class: row.mark ? "token own" : "token" }, ...legible(row.text)))
  const token = element("td", { class: "mono text" }, element("div", {}, words))
  const link = element("a", { href: address("tree", data.query, row), text: "Tree", title: "Open this token on the page Tree",
    on: { click: (event) => event.stopPropagation() } })
  const go = (event) => { if (event.type === "click" || event.key === "Enter") open(row) }
  return element("tr", { tabindex: 0, title: "Show this token under all teachers", on: { click: go, keydown: go } },
    token, element("td", { class: "question", text: row.question }), element("td", { class: "number", text: row.position }),
    score(row.scores[0], row.settled[0]), score(row.scores[1], row.settled[1]),
    element("td", { class: "number", text: number(row.range, 2) }), element("td", { class: "number", text: number(row.weight, 2) }),
    element("td", {}, link))
}

/** Tokens of all questions at which two teachers disagree most; a row opens the path, a link the tree. */
export default function ({ data: { payload }, parentElement, setTriggerValue }) {
  const data = JSON.parse(payload)
  const open = ({ question, path, position }) => setTriggerValue("open", { question, path, position })
  const headings = ["token, with the text before it", "question", "position", ...data.pair, "range", "at stake", "open"]
  const explained = { range: "Success range: largest minus smallest success of the children",
    "at stake": "|difference of the alignments| × success range, by which the rows are ranked" }
  const classes = ["", "", "number", "score", "score", "number", "number", ""]
  parentElement.querySelector(".odd").replaceChildren(element("div", { class: "scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, ...headings.map((text, i) =>
      element("th", { scope: "col", class: classes[i], text, title: explained[text] ?? (i > 2 && i < 5 ? text : null) })))),
    element("tbody", {}, ...data.rows.map((row) => line(row, data, open))))))
}
