// The card of a token: data of the student, and its scores under every teacher.

/** Content of the card of token `at`. */
function stripsCard(data, at) {
  const token = data.tokens[at]
  return [
    element("div", { class: "head" },
      element("div", {}, element("b", { text: `token ${at} ` }), chip(token.text, token.mark)),
      element("div", { class: "figures" }, ...studentFacts(token))),
    teacherScores(data, at),
    element("p", { class: "hint", text: "click or Enter to pin · Esc to unpin" }),
  ]
}

function studentFacts(token) {
  const student = `P student ${number(token.p_student, 3)} · success after it ${number(token.success)}`
  const node = known(token.children)
    ? `|S_u| ${token.children} with ${token.visits} visits · success range ${number(token.success_range)}`
    : "no estimate: fewer than two children with enough visits"
  return [element("div", { text: student }), element("div", { class: "faint", text: node })]
}

const heading = ({ short, suffix }) => (suffix ? `${short}, ${suffix}` : short)

function teacherScores(data, at) {
  const set = data.difference
  const heads = ["teacher", ...data.facts.map(heading), "P teacher", ...(set ? ["difference"] : [])]
  return element("table", {}, element("tr", {}, ...heads.map((text) => element("th", { text }))),
    ...data.teachers.map((teacher) => teacherScore(data, teacher, at)))
}

function teacherScore(data, teacher, at) {
  const cell = teacher.cells[at]
  const own = teacher.name === data.baseline
  const label = element("td", { class: "teacher" },
    element("i", { class: "swatch", style: { background: tokenColour(data.legend.kind, cell?.colour) } }),
    element("span", { text: teacher.name }), own ? element("small", { text: " baseline" }) : null)
  if (!cell)
    return element("tr", {}, label, element("td", { class: "faint", colspan: data.facts.length + 2, text: teacher.note }))
  const cells = data.facts.map((fact) => {
    // there is room for one interval only
    const { value, interval: range } = written({ ...fact, suffix: "" }, cell)
    return element("td", {}, element("span", { text: value }),
      fact.column === "alignment" && range ? element("small", { text: ` ${range}` }) : null)
  })
  cells.push(element("td", { text: number(cell.p_teacher, 3) }))
  if (data.difference) cells.push(element("td", { text: own ? "" : number(cell.difference, 3, true) }))
  return element("tr", {}, label, ...cells)
}
