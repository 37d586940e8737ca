// The card of a token: its children, both gradients as paired bars, and every score with its interval.

const BAR = { width: 108, height: 22 }

/** Content of the card of token `at`. */
function cardContent(data, at) {
  const token = data.tokens[at]
  const card = data.cards[at]
  return [
    cardHead(token, at),
    card ? childTable(card) : element("p", { class: "faint", text: "No data on other tokens here." }),
    card && card.more > 0
      ? element("p", { class: "faint", text: `and ${card.more} more with ${card.unseen} ${visits(card.unseen)}` })
      : null,
    ...cardFacts(token, data.values[at], data.facts),
    element("p", { class: "hint", text: "click or Enter to pin · Esc to unpin" }),
  ].filter((part) => part !== null)
}

const probability = (value) => (value > 0 && value < 0.0005 ? "<0.001" : number(value, 3))
const visits = (count) => (count === 1 ? "visit" : "visits")
const HEAD = ["alignment", "p_positive"] // columns shown in the head of a card

function chip(text, mark, style = {}) {
  return element("span", { class: mark ? "chip mono mark" : "chip mono", style }, ...legible(text))
}

function cardHead({ text, mark, scores }, at) {
  const { alignment, low, high } = scores
  const sure = known(low) && (low > 0 || high < 0)
  const right = known(alignment)
    ? [element("span", { text: "alignment " }), element("b", { text: number(alignment, 2, true) }),
      element("span", { text: ` ${interval(low, high, 2, true)} · P(>0) ` }),
      element("b", { text: number(scores.p_positive, 3) }),
      sure ? null : element("span", { class: "faint", text: " · sign not settled" })]
    : [element("span", { class: "faint", text: noEstimate(scores) })]
  return element("div", { class: "head" },
    element("div", {}, element("b", { text: `token ${at} ` }), chip(text, mark,
      { background: known(alignment) ? divergingColour(alignment) : null, color: divergingInk(alignment) })),
    element("div", { class: "figures" }, ...right))
}

function noEstimate({ children }) {
  return known(children) ? "alignment undefined: a gradient is 0"
    : "no estimate: fewer than two children with enough visits"
}

function childTable({ children }) {
  const head = ["child", "P student", "P teacher", "P̂ success", "visits"].map((text) => element("th", { text }))
  const key = element("th", { class: "key" }, swatch(PALETTE.ideal, "ideal"), swatch(PALETTE.teacher, "teacher"))
  const longest = ["ideal", "teacher_gradient"].map((part) => Math.hypot(...children.map((child) => child[part] ?? 0)))
  return element("table", {}, element("tr", {}, ...head, key),
    ...children.map((child) => childRow(child, longest)))
}

function swatch(colour, text) {
  return element("span", {}, element("i", { style: { background: colour } }), document.createTextNode(text))
}

function childRow(child, lengths) {
  const cells = [probability(child.p_student), probability(child.p_teacher)]
  const success = element("td", {}, element("span", { text: number(child.success) }),
    element("small", { text: ` ${interval(child.success_low, child.success_high)}` }))
  const count = child.success_visits
  return element("tr", { class: child.significant ? null : "minor" },
    element("td", {}, element("span", { class: "taken", text: child.taken ? "▸" : "" }), chip(child.text, child.mark)),
    ...cells.map((text) => element("td", { text })), success,
    element("td", { text: known(count) ? String(count) : "–" }),
    element("td", {}, child.significant ? pairedBars(child, lengths) : null))
}

/** Ideal above teacher, each gradient scaled to length 1, as the cosine compares directions. */
function pairedBars(child, lengths) {
  const half = BAR.width / 2
  const bar = (value, length, y, colour, name) => {
    const share = known(value) && length > 0 ? clamp(value / length, -1, 1) : 0
    return shape("rect", { class: name, x: share < 0 ? half + share * half : half, y, height: 8, fill: colour,
      width: Math.max(0.5, Math.abs(share) * half) })
  }
  return shape("svg", { class: "pair", width: BAR.width, height: BAR.height },
    bar(child.ideal, lengths[0], 2, PALETTE.ideal, "ideal"),
    bar(child.teacher_gradient, lengths[1], 11, PALETTE.teacher, "teacher"),
    shape("line", { x1: half, x2: half, y1: 0, y2: BAR.height, class: "zero" }))
}

function cardFacts({ scores, truncated }, value, facts) {
  const fact = (name, text) => element("span", { class: "fact" }, element("span", { class: "faint", text: `${name} ` }),
    element("span", { text }))
  const { children, visits: count, success_range: range } = scores
  const counted = known(value.value_visits) ? value.value_visits : "–"
  return [element("div", { class: "facts" },
    fact("V(u)", `${number(value.value)} ${interval(value.value_low, value.value_high)} n=${counted}`),
    fact("|S_u|", known(children) ? `${children} with ${count} visits` : "–"),
    fact("success range", number(range)),
    ...(truncated ? [fact("truncated after it", `${Math.round(truncated * 100)}%: P̂ of this token is a lower bound`)] : []),
    ...facts.filter(({ column }) => !HEAD.includes(column)).map((one) => fact(one.short, written(one, scores).text)))]
}
