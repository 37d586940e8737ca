// The card of a token: its children, both gradients as paired bars, and every score with its interval.

const SCORE = { alignment: 0, low: 1, high: 2, positive: 3, gain: 4, gainLow: 5, gainHigh: 6, advantage: 7, children: 8,
  range: 9, visits: 10, kl: 11 }
const CHILD = { text: 0, mark: 1, taken: 2, significant: 3, student: 4, teacher: 5, success: 6, low: 7, high: 8,
  visits: 9, ideal: 10, gradient: 11 }
const BAR = { width: 108, height: 22 }

/** Content of the card of token `at`. */
function cardContent(data, at) {
  const token = data.tokens[at]
  const card = data.cards[at]
  return [
    cardHead(token, at),
    card ? childTable(card) : element("p", { class: "faint", text: "Nothing is known about the other tokens here." }),
    card && card.more > 0
      ? element("p", { class: "faint", text: `and ${card.more} more with ${card.unseen} ${visits(card.unseen)}` })
      : null,
    ...cardFacts(token, data.values[at]),
    element("p", { class: "hint", text: "click or Enter pins it · Esc unpins" }),
  ].filter((part) => part !== null)
}

const probability = (value) => (value > 0 && value < 0.0005 ? "<0.001" : number(value, 3))
const visits = (count) => (count === 1 ? "visit" : "visits")
const score = (token, name) => token.scores[SCORE[name]]

function chip(text, mark, style = {}) {
  return element("span", { class: mark ? "chip mono mark" : "chip mono", style }, ...legible(text))
}

function cardHead(token, at) {
  const value = score(token, "alignment")
  const sure = known(score(token, "low")) && (score(token, "low") > 0 || score(token, "high") < 0)
  const right = known(value)
    ? [element("span", { text: "alignment " }), element("b", { text: number(value, 2, true) }),
      element("span", { text: ` ${interval(score(token, "low"), score(token, "high"), 2, true)} · P(>0) ` }),
      element("b", { text: number(score(token, "positive"), 3) }),
      sure ? null : element("span", { class: "faint", text: " · sign not settled" })]
    : [element("span", { class: "faint", text: noEstimate(token) })]
  return element("div", { class: "head" },
    element("div", {}, element("b", { text: `token ${at} ` }), chip(token.text, token.mark,
      { background: known(value) ? divergingColour(value) : null, color: divergingInk(value) })),
    element("div", { class: "figures" }, ...right))
}

function noEstimate(token) {
  return known(score(token, "children")) ? "alignment undefined: a gradient is 0"
    : "no estimate: fewer than two children with enough visits"
}

function childTable({ children }) {
  const head = ["child", "P student", "P teacher", "P̂ success", "visits"].map((text) => element("th", { text }))
  const key = element("th", { class: "key" }, swatch(PALETTE.ideal, "ideal"), swatch(PALETTE.teacher, "teacher"))
  const longest = [CHILD.ideal, CHILD.gradient].map((part) => Math.hypot(...children.map((child) => child[part] ?? 0)))
  return element("table", {}, element("tr", {}, ...head, key),
    ...children.map((child) => childRow(child, longest)))
}

function swatch(colour, text) {
  return element("span", {}, element("i", { style: { background: colour } }), document.createTextNode(text))
}

function childRow(child, lengths) {
  const cells = [probability(child[CHILD.student]), probability(child[CHILD.teacher])]
  const success = element("td", {}, element("span", { text: number(child[CHILD.success]) }),
    element("small", { text: ` ${interval(child[CHILD.low], child[CHILD.high])}` }))
  return element("tr", { class: child[CHILD.significant] ? null : "minor" },
    element("td", {}, element("span", { class: "taken", text: child[CHILD.taken] ? "▸" : "" }),
      chip(child[CHILD.text], child[CHILD.mark])),
    ...cells.map((text) => element("td", { text })), success,
    element("td", { text: known(child[CHILD.visits]) ? String(child[CHILD.visits]) : "–" }),
    element("td", {}, child[CHILD.significant] ? pairedBars(child, lengths) : null))
}

/** Ideal above teacher, each gradient scaled to length 1: what the cosine compares is their direction. */
function pairedBars(child, lengths) {
  const half = BAR.width / 2
  const bar = (value, length, y, colour, name) => {
    const share = known(value) && length > 0 ? clamp(value / length, -1, 1) : 0
    return shape("rect", { class: name, x: share < 0 ? half + share * half : half, y, height: 8, fill: colour,
      width: Math.max(0.5, Math.abs(share) * half) })
  }
  return shape("svg", { class: "pair", width: BAR.width, height: BAR.height },
    bar(child[CHILD.ideal], lengths[0], 2, PALETTE.ideal, "ideal"),
    bar(child[CHILD.gradient], lengths[1], 11, PALETTE.teacher, "teacher"),
    shape("line", { x1: half, x2: half, y1: 0, y2: BAR.height, class: "zero" }))
}

function cardFacts(token, [value, low, high, count]) {
  const fact = (name, text) => element("span", { class: "fact" }, element("span", { class: "faint", text: `${name} ` }),
    element("span", { text }))
  const children = score(token, "children")
  const signed = (name, digits = 4) => number(score(token, name), digits, true)
  return [element("div", { class: "facts" },
    fact("V(u)", `${number(value)} ${interval(low, high)} n=${known(count) ? count : "–"}`),
    fact("|S_u|", known(children) ? `${children} with ${score(token, "visits")} visits` : "–"),
    fact("success range", number(score(token, "range"))),
    fact("gain", `${signed("gain")} ${interval(score(token, "gainLow"), score(token, "gainHigh"), 4, true)}`),
    fact("advantage", signed("advantage")),
    fact("KL", `${number(score(token, "kl"), 3)} nats`))]
}
