/** A path once per teacher. Every token is a column of one cell a teacher, so that its cells stay under each other. */

const STRIPS = new WeakMap()
const REST_AFTER = 350
const LONG_WORD = 24
const NARROW = 640
const STRIP_KEYS = [[["←", "→"], "token"], [["d", "D"], "disagreement"]]
const ELSEWHERE = 'button, a, summary, canvas, [role="grid"], [role="tab"], [role="radio"], [role="button"]'

export default function ({ data, parentElement, setTriggerValue }) {
  let strips = STRIPS.get(parentElement)
  if (!strips) STRIPS.set(parentElement, (strips = new TokenStrips(parentElement.querySelector(".odd"))))
  strips.show(data, (token) => setTriggerValue("token", token))
  return () => strips.close()
}

class TokenStrips {
  constructor(place) {
    this.cursor = this.pointed = this.timer = null
    this.keyed = false
    this.head = element("div", { class: "top" })
    this.flow = element("div", { class: "flow", tabindex: 0, role: "group",
      "aria-label": "Tokens of the path under each teacher; arrow keys move, d goes to the next disagreement, Enter pins" })
    this.names = element("div", { class: "names", "aria-hidden": "true" })
    this.body = element("div", { class: "body" }, this.names, this.flow)
    this.spoken = element("div", { class: "spoken", "aria-live": "polite" })
    this.card = element("div", { class: "card", popover: "manual", role: "tooltip" })
    place.replaceChildren(this.head, this.body, this.spoken, this.card)
    this.flow.addEventListener("pointermove", (event) => this.point(column(event)))
    this.flow.addEventListener("pointerleave", () => this.point(null))
    this.flow.addEventListener("click", (event) => column(event) !== null && this.pin(column(event)))
    this.flow.addEventListener("blur", () => this.hide())
    this.resized = new ResizeObserver(() => this.label())
    this.pressed = (event) => this.press(event)
    this.moved = () => this.carded !== undefined && this.card.matches(":popover-open") && this.put()
  }

  show(data, send) {
    const { token, ...content } = data
    const written = JSON.stringify(content)
    const anew = written !== this.written
    const elsewhere = this.written !== undefined && token !== this.sent && (anew || token !== this.token)
    if (anew || elsewhere) {
      clearTimeout(this.timer)
      this.cursor = this.sent = token
      this.hide()
    }
    this.token = token
    this.send = send
    if (anew) this.build(data)
    this.written = written
    this.mark()
    this.open()
    // a token that was chosen in another panel of the page is brought into view
    if (elsewhere && token !== null) this.columns[token].scrollIntoView({ block: "nearest", behavior: "smooth" })
  }

  build(data) {
    this.data = data
    this.head.replaceChildren(...this.heading())
    this.columns = data.tokens.map((token, at) => this.column(token, at))
    this.flow.replaceChildren(...this.words())
    this.flow.style.setProperty("--strips", data.teachers.length)
    this.label()
  }

  open() {
    this.close()
    this.resized.observe(this.flow)
    document.addEventListener("keydown", this.pressed)
    document.addEventListener("scroll", this.moved, { capture: true, passive: true })
  }

  close() {
    this.resized.disconnect()
    document.removeEventListener("keydown", this.pressed)
    document.removeEventListener("scroll", this.moved, { capture: true })
  }

  heading() {
    const { disagreements } = this.data
    const title = `tokens at which two teachers' alignments have opposite signs: here ${disagreements.length}, ` +
      "of many those with the largest difference × success range"
    return [element("span", { class: "legend", text: "▾ disagreement", title }), ...STRIP_KEYS.map(([names, text]) => element("span", { class: "keys", title: names[0] === "d" ? title : null },
      ...names.map((name) => element("kbd", { text: name })), document.createTextNode(` ${text}`))),
    ...pictureButtons(() => this.body, "path-under-teachers")]
  }

  column(token, at) {
    const { teachers, legend } = this.data
    const cells = teachers.map(({ cells }) => {
      const [colour, settled] = cells[at] ?? [null, null]
      const light = legend.kind === "diverging" && settled !== false && strong(colour)
      const classes = ["cell", token.mark && "own", known(colour) && settled === false && "unsettled",
        light && "light", !cells[at] && "missing"]
      return element("span", { class: classes.filter(Boolean).join(" "),
        style: { "--colour": tokenColour(legend.kind, colour) } }, ...legible(token.text))
    })
    const classes = ["column", "mono", token.decision && "decision", this.data.disagreements.includes(at) && "disagreed"]
    return element("span", { class: classes.filter(Boolean).join(" "), "data-at": at },
      element("span", { class: "place", text: at % 10 === 0 ? String(at) : "" }), ...cells)
  }

  /** Columns in words, which lines are not broken in unless they are long. */
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

  /** Names of the teachers before each line into which the columns were broken. */
  label() {
    if (!this.columns?.length) return
    this.body.classList.toggle("narrow", this.body.clientWidth < NARROW)
    const tops = [...new Set(this.columns.map((one) => one.offsetTop))]
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

  /** Show where the pin, the cursor and the pointer are. */
  mark() {
    const lit = this.pointed ?? this.cursor
    this.columns.forEach((one, at) => {
      one.classList.toggle("pinned", at === this.sent)
      one.classList.toggle("pointed", at === lit)
    })
  }

  point(at) {
    if (at === this.pointed) return
    this.pointed = at
    this.mark()
    if (at !== null) this.openCard(at)
    else if (this.keyed && this.cursor !== null) this.openCard(this.cursor)
    else this.hide()
  }

  openCard(at) {
    this.card.replaceChildren(...stripsCard(this.data, at))
    this.carded = at
    if (!this.card.matches(":popover-open")) this.card.showPopover()
    this.put()
  }

  put() {
    placeCard(this.card, this.columns[this.carded])
  }

  hide() {
    this.keyed = false
    if (this.card.matches(":popover-open")) this.card.hidePopover()
  }

  /** Put the cursor on a token by key: its card at once, its pin when the reader rests there. */
  move(at) {
    this.cursor = at
    this.pointed = null
    this.keyed = true
    this.mark()
    this.columns[at].scrollIntoView({ block: "nearest" })
    this.openCard(at)
    this.spoken.textContent = this.said(at)
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.pin(at), REST_AFTER)
  }

  said(at) {
    const alignment = this.data.names.indexOf("alignment")
    const scores = this.data.teachers.map(({ name, cells }) => `${name} ${number(cells[at]?.[alignment], 2, true)}`)
    return `token ${at}, ${this.data.tokens[at].text}, alignment: ${scores.join(", ")}`
  }

  pin(at) {
    clearTimeout(this.timer)
    if (at !== null) this.cursor = at
    if (at === this.sent) return
    this.sent = at
    this.mark()
    this.send(at ?? -1)
  }

  press(event) {
    const target = event.composedPath()[0]
    if (event.defaultPrevented || isTyping(event) || !this.flow.isConnected) return
    const act = this.action(event.key)
    if (!act || (target?.closest?.(ELSEWHERE) && event.key.length > 1 && event.key !== "Escape")) return
    if (event.key === "Enter" && target !== this.flow) return
    event.preventDefault()
    act()
  }

  action(key) {
    const every = this.data.tokens.map((_, at) => at)
    const to = (step, places) => () => {
      const from = this.cursor ?? (step > 0 ? -1 : every.length)
      const next = step > 0 ? places.find((at) => at > from) : places.findLast((at) => at < from)
      if (next !== undefined) this.move(next)
    }
    return {
      ArrowLeft: to(-1, every), ArrowRight: to(1, every),
      d: to(1, this.data.disagreements), D: to(-1, this.data.disagreements),
      Enter: () => this.cursor !== null && this.pin(this.cursor),
      Escape: () => { this.hide(); this.pin(null); this.cursor = null; this.mark() },
    }[key]
  }
}

/** Which token an event is about; null if none. */
function column(event) {
  const part = event.target.closest?.("[data-at]")
  return part ? Number(part.dataset.at) : null
}
