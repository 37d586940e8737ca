// The card of a token: what it is for the student, and its scores under every teacher.

const COLUMNS = [["alignment", 2, true], ["p_positive", 3, false], ["gain", 3, true], ["advantage", 3, true],
  ["kl_student_teacher", 3, false], ["p_teacher", 3, false]]
const TITLES = { alignment: "alignment", p_positive: "P(>0)", gain: "gain", advantage: "advantage",
  kl_student_teacher: "KL, nats", p_teacher: "P teacher" }

/** Content of the card of token `at`. */
function stripsCard(data, at) {
  const token = data.tokens[at]
  return [
    element("div", { class: "head" },
      element("div", {}, element("b", { text: `token ${at} ` }), chip(token.text, token.mark)),
      element("div", { class: "figures" }, ...studentFacts(token))),
    teacherScores(data, at),
    element("p", { class: "hint", text: "click or Enter pins it · Esc unpins" }),
  ]
}

function studentFacts(token) {
  const student = `P student ${number(token.p_student, 3)} · success after it ${number(token.success)}`
  const node = known(token.children)
    ? `|S_u| ${token.children} with ${token.visits} visits · success range ${number(token.success_range)}`
    : "no estimate: fewer than two children with enough visits"
  return [element("div", { text: student }), element("div", { class: "faint", text: node })]
}

function teacherScores(data, at) {
  const set = data.difference
  const heads = ["teacher", ...COLUMNS.map(([name]) => TITLES[name]), ...(set ? ["difference"] : [])]
  return element("table", {}, element("tr", {}, ...heads.map((text) => element("th", { text }))),
    ...data.teachers.map((teacher) => teacherScore(data, teacher, at)))
}

function teacherScore(data, teacher, at) {
  const cell = teacher.cells[at]
  const own = teacher.name === data.baseline
  const label = element("td", { class: "teacher" },
    element("i", { class: "swatch", style: { background: tokenColour(data.legend.kind, cell?.[0]) } }),
    element("span", { text: teacher.name }), own ? element("small", { text: " baseline" }) : null)
  if (!cell) return element("tr", {}, label, element("td", { class: "faint", colspan: 7, text: teacher.note }))
  const value = Object.fromEntries(data.names.map((name, i) => [name, cell[i]]))
  const written = COLUMNS.map(([name, digits, signed]) => element("td", {},
    element("span", { text: number(value[name], digits, signed) }),
    name === "alignment" && known(value.low)
      ? element("small", { text: ` ${interval(value.low, value.high, 2, true)}` }) : null))
  if (data.difference)
    written.push(element("td", { text: own ? "" : number(value.difference, 3, true) }))
  return element("tr", {}, label, ...written)
}
