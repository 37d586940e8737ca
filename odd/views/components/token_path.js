/** A path as coloured text, with a staff under each line and a card for the hovered token. */

const PANELS = new WeakMap()
const KEYS = [[["←", "→"], "token"], [["n", "p"], "decision point"], [["h", "H"], "harmful"], [["g", "G"], "helpful"]]
const HELP = [["← →", "previous, next token"], ["n p", "next, previous decision point"],
  ["h H", "next, previous harmful token (score below 0)"], ["g G", "next, previous helpful token (score above 0)"],
  ["Enter", "pin the token now; a token you stay on is pinned automatically"], ["Esc", "unpin"]]

export default function ({ data: { payload }, parentElement, setTriggerValue }) {
  const data = JSON.parse(payload)
  let panel = PANELS.get(parentElement)
  if (!panel) PANELS.set(parentElement, (panel = new TokenPath(parentElement.querySelector(".odd"))))
  panel.show(data, (position) => setTriggerValue("position", position), setTriggerValue)
  return () => panel.close()
}

/** The card of a token of the path drawn in `parentElement`, to show beside it. */
export function pinnedCard(parentElement, at) {
  const panel = PANELS.get(parentElement)
  return panel && at in panel.data.tokens ? panel.content(at) : null
}

class TokenPath extends TokenCursor {
  constructor(place) {
    const lines = element("div", { class: "lines", tabindex: 0, role: "group",
      "aria-label": "Tokens of the path; arrow keys move, Enter pins" })
    super(lines)
    this.place = place
    this.lines = lines
    this.ruler = element("div", { class: "ruler", "data-unpictured": true, "aria-hidden": "true" })
    this.far = null
    this.overview = new PathOverview((first) => this.tell("start", first), (name) => this.tell("part", name), (at) => {
      this.jump(at)
      this.pin(at)
    })
    for (const part of [this.overview.window, this.overview.place]) part.setAttribute("data-unpictured", "")
    place.replaceChildren(this.overview.window, lines, this.head, this.overview.place, this.ruler, this.spoken, this.card)
  }

  show(data, send, tell) {
    this.tell = tell
    STAFF = remembered("lanes") === "on" ? STAVES.lanes : STAVES.thin
    const anew = this.data?.path !== data.path || this.data.question !== data.question
    const elsewhere = this.follow(data.position, anew)
    const { cards, first, ...parts } = data
    const scores = records(data.scores)
    const truncated = new Map(data.overview.truncated)
    this.hit = new Set(data.overview.hits.flatMap(([from, to]) => Array.from({ length: to - from }, (_, at) => from + at)))
    const children = (card) => card && { ...card, children: records({ columns: cards.columns, rows: card.children }) }
    this.data = { ...parts, first, tokens: placed(data.tokens.map((token, at) => ({ ...token, scores: scores[at], truncated: truncated.get(first + at) })), first),
      values: placed(records(data.values), first), cards: placed(cards.of_tokens.map(children), first), columns: data.scores.columns }
    this.send = send
    this.open()
    this.head.replaceChildren(...this.heading())
    this.words = this.data.tokens.map((token, index) => this.word(token, index))
    if (this.card.matches(":popover-open") && !(this.carded in this.words)) this.card.hidePopover()
    this.overview.show(data.overview, data.legend, data.position)
    this.measure()
    if (this.far !== null && this.far === this.cursor && this.far in this.words) this.move(this.far, true)
    this.far = null
    // a link, or a row of another panel, that pins a token shows it
    if ((anew || elsewhere) && data.position in this.words) this.anchor(data.position).scrollIntoView({ block: "nearest" })
  }

  beyond(at, step, test) {
    const { length, scored, decisions } = this.overview.data
    const rows = new Map(scored.map((one) => [one.position, { value: one.value, scores: {} }]))
    for (const one of decisions) rows.set(one.position, { value: one.value, decision: true, scores: one })
    while (at >= 0 && at < length && !test(rows.get(at) ?? { value: null, scores: {} }, at)) at += step
    if (at >= 0 && at < length) this.jump(at)
  }

  heading() {
    const { heading } = this.data
    const mean = ([value, n], name, digits) => `mean ${name} ${number(value, digits, true)} (n=${n})`
    const facts = [`${heading.tokens} tokens`, `${heading.decisions} decision points`,
      mean(heading.alignment, "cosine", 2), mean(heading.gain, "gain", 3)]
    const help = element("div", { class: "help", popover: "auto" }, element("b", { text: "Keys" }),
      ...HELP.map(([names, text]) => element("div", {},
        ...names.split(" ").map((name) => element("kbd", { text: name })), document.createTextNode(` ${text}`))), letterSwitch())
    const button = (text, title, act) => element("button", { class: "tool", type: "button", text, title, on: { click: act } })
    const { name } = this.data
    return [
      element("div", {}, element("h2", { class: "title", text: heading.title }), element("span", { class: "faint stats",
        text: facts.join(" · "), title: "plain means over the decision points of this path; tokens of one path are not " +
          "independent, so there is no interval: see Findings for intervals over questions" })),
      element("div", { class: "tools", "data-unpictured": true }, ...keyHints(KEYS),
        element("button", { class: "tool", type: "button", text: "lanes", title: "V(u) and the score with axes, or as thin lines",
          "aria-pressed": String(STAFF === STAVES.lanes), on: { click: () => this.switchLanes() } }),
        button("?", "Explain the keys", (event) => openHelp(help, event.target)),
        ...pictureButtons(() => this.place, name),
        button("CSV", "Save the scores of the tokens", () => download(`${name}.csv`, pathCsv(this.data), "text/csv")),
        help),
    ]
  }

  word(token, index) {
    const { kind } = this.data.legend
    const muted = token.settled === false
    const classes = ["token", "mono", token.decision && "decision", token.mark && "mark", muted && "unsettled",
      this.hit.has(index) && "found"]
    return element("span", { class: classes.filter(Boolean).join(" "), id: `token-${index}`, "data-at": index,
      style: { "--colour": tokenColour(kind, token.value), color: muted ? null : tokenInk(kind, token.value) } },
    ...legible(token.text))
  }

  /** Measure the widths of all tokens at once; they only change with the font. */
  measure() {
    this.ruler.replaceChildren(...this.words.filter(Boolean))
    this.widths = this.words.map((word) => word.getBoundingClientRect().width + 1)
    this.arrange()
  }

  /** Break the tokens into lines and draw a staff under each, aligned with the tokens as laid out. */
  arrange() {
    this.width = this.lines.clientWidth
    if (!this.width) return
    const { tokens, values, legend, support, overview } = this.data
    if (this.overview.windowed && this.overview.width !== this.overview.place.clientWidth) this.overview.draw()
    const rows = breakLines(tokens, this.widths, this.width - STAFF.gutter - 4, overview.answer)
    const lines = rows.map((row) => element("div", { class: row[0] < overview.answer ? "text thinking" : "text" },
      element("span", { class: "number", text: row[0] }), ...row.map((index) => this.words[index])))
    this.lines.replaceChildren(...lines)
    this.divide(rows, lines)
    const origin = this.lines.getBoundingClientRect().left
    this.drawn = rows.map((row) => row.map((index) => {
      const box = this.words[index].getBoundingClientRect()
      return { at: index, left: box.left - origin, right: box.right - origin + 1, token: this.data.tokens[index] }
    })).map((columns) => ({ columns, svg: this.overview.windowed && !measured(columns, values, support) ? null
      : staff(columns, values, legend, this.width, support) }))
    this.drawn.forEach(({ svg }, row) => svg && lines[row].after(svg))
    this.mark()
    if (this.card.matches(":popover-open")) this.openCard(this.carded)
  }

  /** Head the thinking part and the answer; the heads fold and unfold the thinking part. */
  divide(rows, lines) {
    const { answer, part, length } = this.data.overview
    if (answer === null) return
    const head = (open, text, to) => element("button", { class: "part", type: "button", "aria-expanded": String(open),
      text: `${open ? "▾" : "▸"} ${text}`, on: { click: () => this.tell("part", to) } })
    const thinking = `thinking part, ${answer.toLocaleString("en-US")} tokens`
    if (part === "answer") lines[0]?.before(head(false, `${thinking}, folded`, "all"))
    else if (rows[0]?.[0] < answer) lines[0].before(head(true, thinking, "answer"))
    const first = rows.findIndex((row) => row[0] === answer)
    if (first >= 0) lines[first].before(element("div", { class: "part", text: `answer, ${(length - answer).toLocaleString("en-US")} tokens` }))
  }

  switchLanes() {
    STAFF = STAFF === STAVES.lanes ? STAVES.thin : STAVES.lanes
    remember("lanes", STAFF === STAVES.lanes)
    this.head.replaceChildren(...this.heading())
    this.arrange()
  }

  explained(target) {
    const staff = target.closest(".text")?.nextElementSibling
    return staff?.matches?.(".staff") ? staff : target
  }

  anchor(index) {
    return this.words[index]
  }

  content(index) {
    return cardContent(this.data, index)
  }

  said(index) {
    const { text, scores } = this.data.tokens[index]
    return `token ${index}, ${text}, alignment ${number(scores.alignment, 2, true)}`
  }

  keys() {
    const sign = (token) => (this.data.legend.kind === "diverging" ? token.value : token.scores.alignment)
    const decision = (token) => token.decision
    const harmful = (token) => known(sign(token)) && sign(token) < 0
    const helpful = (token) => known(sign(token)) && sign(token) > 0
    return { n: [1, decision], p: [-1, decision], h: [1, harmful], H: [-1, harmful], g: [1, helpful], G: [-1, helpful] }
  }
}

/** Break tokens into lines of numbers, at most `width` wide: after line breaks, at the answer, and before blanks if there are any. */
function breakLines(tokens, widths, width, answer) {
  const lines = [[]]
  const sum = (line) => line.reduce((total, index) => total + widths[index], 0)
  let used = 0
  tokens.forEach((token, index) => {
    const line = lines.at(-1)
    if (line.length && used + widths[index] > width) {
      const start = line.findLastIndex((earlier) => /^\s/u.test(tokens[earlier].text))
      // a whole word moves to the next line, unless that leaves half a line empty or does not help
      const whole = !/^\s/u.test(token.text) && start > line.length / 2 && sum(line.slice(start)) + widths[index] <= width
      const moved = whole ? line.splice(start) : []
      lines.push(moved)
      used = sum(moved)
    }
    lines.at(-1).push(index)
    used += widths[index]
    if ((token.breaks || index + 1 === answer) && index < tokens.length - 1) {
      lines.push([])
      used = 0
    }
  })
  return lines
}

function openHelp(help, button) {
  help.showPopover()
  const box = button.getBoundingClientRect()
  help.style.top = `${box.bottom + 6}px`
  help.style.left = `${clamp(box.right - help.offsetWidth, 8, window.innerWidth - help.offsetWidth - 8)}px`
}
