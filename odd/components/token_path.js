/** A path as coloured text, under each of its lines a staff, and a card for the token that is pointed at. */

const PANELS = new WeakMap()
const PIN_AFTER = 350
const KEYS = [[["←", "→"], "token"], [["n", "p"], "decision point"], [["h", "H"], "harmful"], [["g", "G"], "helpful"]]
const HELP = [["← →", "previous, next token"], ["n p", "next, previous decision point"],
  ["h H", "next, previous harmful token (score below 0)"], ["g G", "next, previous helpful token (score above 0)"],
  ["Enter", "pin the token now; a token you rest on is pinned by itself"], ["Esc", "unpin"]]
const ELSEWHERE = 'button, a, summary, canvas, [role="grid"], [role="tab"], [role="radio"], [role="button"]'

export default function ({ data, parentElement, setTriggerValue }) {
  let panel = PANELS.get(parentElement)
  if (!panel) PANELS.set(parentElement, (panel = new TokenPath(parentElement.querySelector(".odd"))))
  panel.show(data, (token) => setTriggerValue("token", token))
  return () => panel.close()
}

class TokenPath {
  constructor(place) {
    this.place = place
    this.cursor = null
    this.pointed = null
    this.keyed = false
    this.head = element("div", { class: "top" })
    this.lines = element("div", { class: "lines", tabindex: 0, role: "group",
      "aria-label": "Tokens of the path; arrow keys move, Enter pins" })
    this.ruler = element("div", { class: "ruler", "data-unpictured": true, "aria-hidden": "true" })
    this.spoken = element("div", { class: "spoken", "data-unpictured": true, "aria-live": "polite" })
    this.card = element("div", { class: "card", popover: "manual", role: "tooltip", "data-unpictured": true })
    place.replaceChildren(this.head, this.lines, this.ruler, this.spoken, this.card)
    this.lines.addEventListener("pointermove", (event) => this.point(at(event)))
    this.lines.addEventListener("pointerleave", () => this.point(null))
    this.lines.addEventListener("click", (event) => at(event) !== null && this.pin(at(event)))
    this.lines.addEventListener("focus", () => this.lines.matches(":focus-visible") && this.move(this.cursor ?? 0, true))
    this.lines.addEventListener("blur", () => this.hide())
    this.resized = new ResizeObserver(() => this.width !== this.lines.clientWidth && this.arrange())
    this.pressed = (event) => this.press(event)
    this.moved = () => this.placeCard()
    this.fonts = () => this.measure()
  }

  show(data, send) {
    const external = this.data?.token !== data.token && data.token !== this.sent
    if (this.data?.path !== data.path || this.data.question !== data.question || external) {
      this.cursor = data.token
      this.sent = data.token
      this.hide()
    }
    this.data = data
    this.send = send
    this.open()
    this.head.replaceChildren(...this.heading())
    this.words = data.tokens.map((token, index) => this.word(token, index))
    this.measure()
  }

  open() {
    this.close()
    this.resized.observe(this.lines)
    document.addEventListener("keydown", this.pressed)
    document.addEventListener("scroll", this.moved, { capture: true, passive: true })
    window.addEventListener("resize", this.moved)
    document.fonts.addEventListener("loadingdone", this.fonts)
  }

  close() {
    this.resized.disconnect()
    document.removeEventListener("keydown", this.pressed)
    document.removeEventListener("scroll", this.moved, { capture: true })
    window.removeEventListener("resize", this.moved)
    document.fonts.removeEventListener("loadingdone", this.fonts)
  }

  heading() {
    const { heading, legend } = this.data
    const mean = ([value, n], name, digits) => `mean ${name} ${number(value, digits, true)} (n=${n})`
    const facts = [`${heading.tokens} tokens`, `${heading.decisions} decision points`,
      mean(heading.alignment, "cosine", 2), mean(heading.gain, "gain", 3)]
    const keys = KEYS.map(([names, text]) => element("span", { class: "keys" },
      ...names.map((name) => element("kbd", { text: name })), document.createTextNode(` ${text}`)))
    const help = element("div", { class: "help", popover: "auto" }, element("b", { text: "Keys" }),
      ...HELP.map(([names, text]) => element("div", {},
        ...names.split(" ").map((name) => element("kbd", { text: name })), document.createTextNode(` ${text}`))))
    const button = (text, title, act) => element("button", { class: "tool", type: "button", text, title, on: { click: act } })
    const name = `${heading.title} ${heading.subject} ${legend.name}`.replaceAll(/[^\w.]+/g, "-")
    return [
      element("div", {}, element("b", { class: "title", text: heading.title }), element("span", { class: "faint stats",
        text: facts.join(" · "), title: "plain means over the decision points of this path; tokens of one path are not " +
          "independent, so there is no interval: see Findings for intervals over questions" })),
      element("div", { class: "tools", "data-unpictured": true }, ...keys,
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
      kind === "diverging" && !muted && strong(token.value) && "light"]
    return element("span", { class: classes.filter(Boolean).join(" "), id: `token-${index}`, "data-at": index,
      style: { "--colour": tokenColour(kind, token.value) } }, ...legible(token.text))
  }

  /** Widths of all tokens, in one go; they only change with the font. */
  measure() {
    this.ruler.replaceChildren(...this.words)
    this.widths = this.words.map((word) => word.getBoundingClientRect().width + 1)
    this.arrange()
  }

  /** Break the tokens into lines and draw the staff of each under it, at the places where the browser put them. */
  arrange() {
    this.width = this.lines.clientWidth
    if (!this.width) return
    const rows = breakLines(this.data.tokens, this.widths, this.width - STAFF.gutter - 4)
    const lines = rows.map((row) => element("div", { class: "text" },
      element("span", { class: "number", text: row[0] }), ...row.map((index) => this.words[index])))
    this.lines.replaceChildren(...lines)
    const origin = this.lines.getBoundingClientRect().left
    this.drawn = rows.map((row) => row.map((index) => {
      const box = this.words[index].getBoundingClientRect()
      return { at: index, left: box.left - origin, right: box.right - origin + 1, token: this.data.tokens[index] }
    })).map((columns) => ({ columns, svg: staff(columns, this.data.values, this.data.legend, this.width) }))
    this.drawn.forEach(({ svg }, row) => lines[row].after(svg))
    this.mark()
    if (this.card.matches(":popover-open")) this.openCard(this.carded)
  }

  /** Show where the pin, the cursor and the pointer are. */
  mark() {
    for (const part of this.lines.querySelectorAll("[data-at]")) {
      const index = Number(part.dataset.at)
      part.classList.toggle("pinned", index === this.sent)
      part.classList.toggle("pointed", index === (this.pointed ?? this.cursor))
    }
    if (this.cursor !== null) this.lines.setAttribute("aria-activedescendant", `token-${this.cursor}`)
  }

  point(index) {
    if (index === this.pointed) return
    this.pointed = index
    this.mark()
    if (index !== null) this.openCard(index)
    else if (this.keyed && this.cursor !== null) this.openCard(this.cursor)
    else this.hide()
  }

  openCard(index) {
    this.card.replaceChildren(...cardContent(this.data, index))
    this.carded = index
    if (!this.card.matches(":popover-open")) this.card.showPopover()
    this.placeCard()
  }

  placeCard() {
    if (this.card.matches(":popover-open")) placeCard(this.card, this.words[this.carded])
  }

  hide() {
    this.keyed = false
    if (this.card.matches(":popover-open")) this.card.hidePopover()
  }

  /** Put the cursor on a token by key: its card at once, its pin when the reader rests there. */
  move(index, stay = false) {
    this.cursor = index
    this.pointed = null
    this.keyed = true
    this.mark()
    this.words[index].closest(".text").scrollIntoView({ block: "nearest" })
    this.openCard(index)
    const { text, scores } = this.data.tokens[index]
    this.spoken.textContent = `token ${index}, ${text}, alignment ${number(scores[SCORE.alignment], 2, true)}`
    clearTimeout(this.timer)
    if (!stay) this.timer = setTimeout(() => this.pin(index), PIN_AFTER)
  }

  pin(index) {
    clearTimeout(this.timer)
    if (index !== null) this.cursor = index
    if (index === this.sent) return
    this.sent = index
    this.mark()
    this.send(index ?? -1)
  }

  press(event) {
    const target = event.composedPath()[0]
    if (event.defaultPrevented || isTyping(event) || !this.lines.isConnected) return
    const act = this.action(event.key)
    if (!act || (target?.closest?.(ELSEWHERE) && event.key.length > 1 && event.key !== "Escape")) return
    if (event.key === "Enter" && target !== this.lines) return
    event.preventDefault()
    act()
  }

  action(key) {
    const { tokens, legend } = this.data
    const sign = (token) => (legend.kind === "diverging" ? token.value : token.scores[SCORE.alignment])
    const to = (step, test) => () => {
      const found = nearest(tokens, this.cursor, step, test)
      if (found !== null) this.move(found)
    }
    const harmful = (token) => sign(token) < 0 && known(sign(token))
    const helpful = (token) => sign(token) > 0
    return {
      ArrowLeft: to(-1, () => true), ArrowRight: to(1, () => true),
      n: to(1, (token) => token.decision), p: to(-1, (token) => token.decision),
      h: to(1, harmful), H: to(-1, harmful), g: to(1, helpful), G: to(-1, helpful),
      Enter: () => this.cursor !== null && this.pin(this.cursor),
      Escape: () => { this.hide(); this.pin(null); this.cursor = null; this.mark() },
    }[key]
  }
}

/** Which token an event is about; null if none. */
function at(event) {
  const part = event.target.closest?.("[data-at]")
  return part ? Number(part.dataset.at) : null
}

/** The next token from `from` in the direction of `step` that passes the test; null if there is none. */
function nearest(tokens, from, step, test) {
  let index = from === null ? (step > 0 ? 0 : tokens.length - 1) : from + step
  while (index >= 0 && index < tokens.length && !test(tokens[index])) index += step
  return index >= 0 && index < tokens.length ? index : null
}

/** Lines of token numbers no wider than `width`: broken after line breaks, and before blanks where there are any. */
function breakLines(tokens, widths, width) {
  const lines = [[]]
  const sum = (line) => line.reduce((total, index) => total + widths[index], 0)
  let used = 0
  tokens.forEach((token, index) => {
    const line = lines.at(-1)
    if (line.length && used + widths[index] > width) {
      const start = line.findLastIndex((earlier) => /^\s/u.test(tokens[earlier].text))
      // a word moves down as a whole, unless that would leave half a line empty or not help
      const whole = !/^\s/u.test(token.text) && start > line.length / 2 && sum(line.slice(start)) + widths[index] <= width
      const moved = whole ? line.splice(start) : []
      lines.push(moved)
      used = sum(moved)
    }
    lines.at(-1).push(index)
    used += widths[index]
    if (token.breaks && index < tokens.length - 1) {
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
