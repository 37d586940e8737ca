/** A path once per teacher. Every token is a column with one cell per teacher, so its cells stay aligned. */

const STRIPS = new WeakMap()
const LONG_WORD = 24
const NARROW = 640

export default function ({ data: { payload }, parentElement, setTriggerValue }) {
  const data = JSON.parse(payload)
  let strips = STRIPS.get(parentElement)
  if (!strips) STRIPS.set(parentElement, (strips = new TokenStrips(parentElement.querySelector(".odd"))))
  strips.show(data, (position) => setTriggerValue("position", position), setTriggerValue)
  return () => strips.close()
}

class TokenStrips extends TokenCursor {
  constructor(place) {
    const flow = element("div", { class: "flow", tabindex: 0, role: "group",
      "aria-label": "Tokens of the path under each teacher; arrow keys move, d goes to the next disagreement, Enter pins" })
    super(flow)
    this.flow = flow
    this.names = element("div", { class: "names", "aria-hidden": "true" })
    this.body = element("div", { class: "body" }, this.names, flow)
    this.far = null
    this.overview = new PathOverview((first) => this.tell("start", first), (name) => this.tell("part", name), (at) => {
      this.jump(at)
      this.pin(at)
    })
    place.replaceChildren(this.head, this.overview.window, this.overview.place, this.body, this.spoken, this.card)
  }

  show(data, send, tell) {
    this.tell = tell
    const { position, overview, ...content } = data
    this.overview.show(overview, data.legend, position)
    const written = JSON.stringify(content)
    const anew = written !== this.written
    const elsewhere = this.follow(position, anew)
    this.send = send
    if (anew) this.build(data)
    if (this.card.matches(":popover-open") && !(this.carded in this.columns)) this.card.hidePopover()
    this.written = written
    this.mark()
    this.open()
    if (elsewhere && position !== null) this.columns[position]?.scrollIntoView({ block: "nearest", behavior: "smooth" })
    if (this.far !== null && this.far === this.cursor && this.far in this.columns) this.move(this.far, true)
    this.far = null
  }

  build(data) {
    const { first } = data
    this.data = { ...data, tokens: placed(data.tokens, first),
      teachers: data.teachers.map((one) => ({ ...one, cells: placed(records(one.cells), first) })) }
    this.head.replaceChildren(...this.heading())
    this.columns = this.data.tokens.map((token, at) => this.column(token, at))
    this.flow.replaceChildren(...this.words())
    this.flow.style.setProperty("--strips", data.teachers.length)
    this.arrange()
  }

  heading() {
    const { disagreements } = this.data
    const title = `tokens at which two teachers' alignments have opposite signs: ${disagreements.length} here ` +
      "(if there are many, those with the largest difference × success range)"
    return [element("span", { class: "legend", text: "▾ disagreement", title }),
      ...keyHints([[["←", "→"], "token"], [["d", "D"], "disagreement", title]]),
      ...pictureButtons(() => this.body, this.data.name)]
  }

  column(token, at) {
    const { teachers, legend } = this.data
    const cells = teachers.map(({ cells }) => {
      const { colour, settled } = cells[at] ?? { colour: null, settled: null }
      const muted = settled === false && known(colour)
      const classes = ["cell", token.mark && "own", muted && "unsettled", !cells[at] && "missing"]
      const style = { "--colour": tokenColour(legend.kind, colour), color: muted ? null : tokenInk(legend.kind, colour) }
      return element("span", { class: classes.filter(Boolean).join(" "), style }, ...legible(token.text))
    })
    const classes = ["column", "mono", token.decision && "decision", this.data.disagreements.includes(at) && "disagreed"]
    return element("span", { class: classes.filter(Boolean).join(" "), id: `token-${at}`, "data-at": at },
      element("span", { class: "place", text: at % 10 === 0 ? String(at) : "" }), ...cells)
  }

  /** Columns grouped into words; only long words are broken across lines. */
  words() {
    const words = []
    let letters = 0
    this.columns.forEach((column, at) => {
      const { text } = this.data.tokens[at]
      letters += text.length
      if (!words.length || /^\s/u.test(text) || letters > LONG_WORD) {
        words.push(element("span", { class: "word" }))
        letters = text.length
      }
      words.at(-1).append(column)
    })
    return words
  }

  /** Put the names of the teachers before each line of columns. */
  arrange() {
    if (!this.columns?.length) return
    this.width = this.flow.clientWidth
    if (this.overview.windowed && this.overview.width !== this.overview.place.clientWidth) this.overview.draw()
    this.body.classList.toggle("narrow", this.body.clientWidth < NARROW)
    const tops = [...new Set(this.columns.filter(Boolean).map((one) => one.offsetTop))]
    if (String(tops) === this.labelled && this.labelledFor === this.data) return
    this.labelled = String(tops)
    this.labelledFor = this.data
    this.names.replaceChildren(...tops.flatMap((top) => this.data.teachers.map((teacher, row) => element("div", {
      class: teacher.name === this.data.baseline ? "name baseline" : "name", text: teacher.name,
      title: [teacher.name, teacher.name === this.data.baseline ? "the baseline" : null, teacher.note].filter(Boolean).join(", "),
      style: { top: `calc(${top}px + var(--place) + ${row} * var(--row))` } }))),
    ...this.data.teachers.flatMap((teacher, row) => teacher.note === null ? [] : [element("div", { class: "note",
      text: teacher.note, style: { top: `calc(var(--place) + ${row} * var(--row))` } })]))
  }

  anchor(at) {
    return this.columns[at]
  }

  content(at) {
    return stripsCard(this.data, at)
  }

  said(at) {
    const scores = this.data.teachers.map(({ name, cells }) => `${name} ${number(cells[at]?.alignment, 2, true)}`)
    return `token ${at}, ${this.data.tokens[at].text}, alignment: ${scores.join(", ")}`
  }

  beyond(at, step, test) {
    while (at >= 0 && at < this.overview.data.length && !test({}, at)) at += step
    if (at >= 0 && at < this.overview.data.length) this.jump(at)
  }

  keys() {
    const disagreed = (_, at) => this.data.disagreements.includes(at)
    return { d: [1, disagreed], D: [-1, disagreed] }
  }
}
