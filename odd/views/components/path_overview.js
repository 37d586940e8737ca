// The whole of a long path as a strip: V(u), scores and decision points, with the window of the text to drag.

const STRIP = { gutter: 74, ticks: 9, value: { top: 12, height: 22 }, score: { top: 40, height: 26 }, part: 70, height: 78 }
const SLIDE_AFTER = 250 // ms after which a window moved by key is shown

class PathOverview {
  /** `move(first)` shows the window from a position on, `part(name)` a part of the path, `pin(at)` pins a token. */
  constructor(move, part, pin) {
    Object.assign(this, { move, part, pin })
    this.svg = shape("svg", { class: "strip", height: STRIP.height, tabindex: 0, role: "slider",
      "aria-label": "Window of the path that is shown" })
    this.bar = element("div", { class: "windowed" })
    this.list = element("div", { class: "decisions" })
    this.window = element("div", { class: "overview" }, this.bar, this.svg)
    this.place = element("div", { class: "overview" }, this.list)
    const on = (event, act) => this.svg.addEventListener(event, act)
    on("pointerdown", (event) => this.grab(event))
    on("pointermove", (event) => this.drag(event))
    on("pointerup", () => this.drop())
    on("pointercancel", () => this.drop())
    on("keydown", (event) => this.press(event))
  }

  show(data, legend, position) {
    const anew = JSON.stringify(data.window) !== JSON.stringify(this.data?.window)
    this.data = { ...data, scored: records(data.scored), decisions: records(data.decisions) }
    Object.assign(this, { legend, position, windowed: data.window[1] - data.window[0] < data.length })
    if (anew || !this.grabbed) this.first = data.window[0]
    this.svg.style.display = this.windowed ? "" : "none"
    this.bar.replaceChildren(...this.tools())
    this.list.replaceChildren(...this.decisions())
    if (this.windowed) this.draw()
  }

  get size() {
    return this.data.window[1] - this.data.window[0]
  }

  /** Ends of the part that is shown. */
  get ends() {
    const { part, answer, length } = this.data
    if (answer === null || part === "all") return [0, length]
    return part === "thinking" ? [0, answer] : [answer, length]
  }

  tools() {
    const { window: [first, end], length, answer, part } = this.data
    const tool = (text, title, act, pressed) => element("button", { class: "tool", type: "button", text, title,
      "aria-label": title, "aria-pressed": pressed, on: { click: act } })
    const step = (text, title, by) => {
      const button = tool(text, title, () => this.slide(this.first + by, true))
      button.disabled = by < 0 ? first <= this.ends[0] : end >= this.ends[1]
      return button
    }
    const parts = answer === null ? [] : [["all", "whole path"], ["thinking", "thinking part"], ["answer", "answer"]]
      .map(([name, text]) => tool(text, `show the ${text}`, () => this.part(name), String(part === name)))
    const range = this.windowed ? [step("‹", "earlier tokens", -this.size),
      element("span", { class: "faint range", text: `tokens ${first} to ${end - 1} of ${length.toLocaleString("en-US")}` }),
      step("›", "later tokens", this.size)] : []
    return [...range, ...parts, ...this.found(tool)]
  }

  /** Places of the searched text: their number, and the next and the previous one. */
  found(tool) {
    const { hits = [], window: [first] } = this.data
    if (!hits.length) return []
    const from = this.position ?? first
    const jump = (text, title, hit) => {
      const button = tool(text, title, () => this.pin(hit[0]))
      button.disabled = !hit
      return button
    }
    return [element("span", { class: "faint", text: `found ${hits.length} times` }),
      jump("‹", "previous place where it is found", hits.findLast(([at]) => at < from)),
      jump("›", "next place where it is found", hits.find(([at]) => at > from) ?? (known(this.position) ? undefined : hits[0]))]
  }

  draw() {
    const width = this.place.clientWidth
    if (!width) return
    this.width = width
    const { data, legend, svg } = this
    svg.setAttribute("width", width)
    this.scale = (width - STRIP.gutter - 4) / data.length
    const middle = scoreAt(legend.kind, 0)
    const label = (y, text) => shape("text", { x: 0, y, text })
    const line = (y) => shape("line", { class: "rule", x1: STRIP.gutter, x2: this.x(data.length), y1: y, y2: y })
    const chosen = data.decisions.find((one) => one.position === this.position)
    this.brush = shape("rect", { class: "brush", y: 0.5, height: STRIP.height - 1, rx: 3 })
    svg.replaceChildren(label(STRIP.value.top + 15, "V(u)"), label(STRIP.score.top + 17, legend.symbol),
      line(STRIP.value.top), line(STRIP.value.top + STRIP.value.height), line(middle), ...this.partBands(), ...this.bars(),
      shape("path", { class: "value", d: this.valuePath(), stroke: PALETTE.success }), ...this.ticks(chosen),
      ...(data.hits ?? []).map(([at]) => shape("rect", { class: "hit", x: this.x(at), y: STRIP.part - 5, width: Math.max(1.5, this.scale), height: 4 })),
      known(this.position) ? shape("line", { class: "pin", x1: this.x(this.position + 0.5), x2: this.x(this.position + 0.5),
        y1: 0, y2: STRIP.height }) : "", this.brush)
    this.aim()
  }

  x(position) {
    return STRIP.gutter + position * this.scale
  }

  partBands() {
    const { answer, length } = this.data
    if (answer === null) return []
    const band = (name, from, to) => shape("rect", { class: `part ${name}`, x: this.x(from), y: STRIP.part,
      width: Math.max(1, this.x(to) - this.x(from)), height: 6 }, shape("title", { text: `${name}: tokens ${from} to ${to - 1}` }))
    return [band("thinking", 0, answer), band("answer", answer, length)]
  }

  /** One path per colour, as a long path has thousands of bars. */
  bars() {
    const { kind } = this.legend
    const paths = new Map()
    for (const { position, value, settled } of this.data.scored) {
      const key = `${barColour(kind, kind === "success" ? Math.round(value * 8) / 8 : value)} ${settled === false ? "unsettled" : ""}`
      const [zero, end] = [scoreAt(kind, 0), scoreAt(kind, value)]
      const from = Math.abs(end - zero) < 1.5 ? zero + 1.5 : zero
      paths.set(key, `${paths.get(key) ?? ""}M${this.x(position + 0.5).toFixed(1)},${from.toFixed(1)}V${end.toFixed(1)}`)
    }
    return [...paths].map(([key, d]) => {
      const [stroke, name] = [key.slice(0, key.lastIndexOf(" ")), key.slice(key.lastIndexOf(" ") + 1)]
      return shape("path", { class: `bars ${name}`, d, stroke, "stroke-width": clamp(this.scale, 1.4, 3) })
    })
  }

  valuePath() {
    let last = null
    return this.data.values.map(([position, value]) => {
      const [x, y] = [this.x(position).toFixed(1), (STRIP.value.top + STRIP.value.height * (1 - value)).toFixed(1)]
      const joined = last === position - 1
      last = position
      return joined ? `L${x},${y}` : `M${x},${y}h1`
    }).join("")
  }

  ticks(chosen) {
    return this.data.decisions.map((one) => {
      const x = this.x(one.position + 0.5)
      return shape("path", { class: one === chosen ? "tick chosen" : one.settled ? "tick" : "tick open",
        d: `M${(x - 3).toFixed(1)},1h6l-3,${STRIP.ticks - 2}z` })
    })
  }

  /** Place the frame of the window. */
  aim() {
    const [from, to] = [this.first, this.first + this.size]
    this.brush.setAttribute("x", this.x(from))
    this.brush.setAttribute("width", Math.max(6, this.x(to) - this.x(from)))
    const text = `tokens ${from} to ${to - 1} of ${this.data.length}`
    const now = { "aria-valuemin": this.ends[0], "aria-valuemax": Math.max(this.ends[0], this.ends[1] - this.size),
      "aria-valuenow": from, "aria-valuetext": text }
    for (const [name, value] of Object.entries(now)) this.svg.setAttribute(name, value)
    const range = this.bar.querySelector(".range")
    if (range) range.textContent = `tokens ${from} to ${to - 1} of ${this.data.length.toLocaleString("en-US")}`
  }

  /** Move the window; `send` it now, or only its frame. */
  slide(first, send) {
    const [low, high] = this.ends
    this.first = clamp(Math.round(first), low, Math.max(low, high - this.size))
    this.aim()
    if (send && this.first !== this.data.window[0]) this.move(this.first)
  }

  at(event) {
    return (event.clientX - this.svg.getBoundingClientRect().left - STRIP.gutter) / this.scale
  }

  grab(event) {
    if (event.button) return
    const at = this.at(event)
    const inside = at >= this.first && at < this.first + this.size
    this.grabbed = { offset: inside ? at - this.first : this.size / 2 }
    this.svg.setPointerCapture(event.pointerId)
    this.slide(at - this.grabbed.offset, false)
  }

  drag(event) {
    if (this.grabbed) this.slide(this.at(event) - this.grabbed.offset, false)
  }

  drop() {
    if (!this.grabbed) return
    this.grabbed = null
    this.slide(this.first, true)
  }

  press(event) {
    const by = { ArrowLeft: -this.size / 8, ArrowRight: this.size / 8, PageUp: -this.size, PageDown: this.size,
      Home: -Infinity, End: Infinity }[event.key]
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    event.stopPropagation()
    this.slide(clamp(this.first + by, 0, this.data.length), false)
    clearTimeout(this.sliding)
    this.sliding = setTimeout(() => this.slide(this.first, true), SLIDE_AFTER)
  }

  /** The decision points of the whole path as a list to go through. */
  decisions() {
    const { decisions } = this.data
    if (!decisions.length) return []
    const now = decisions.findIndex(({ position }) => position === this.position)
    const after = decisions.findIndex(({ position }) => position > (this.position ?? -1))
    const next = after < 0 ? undefined : decisions[after]
    const before = decisions.findLast(({ position }) => position < (this.position ?? Infinity))
    const step = (text, title, to) => {
      const button = element("button", { class: "tool", type: "button", text, title, "aria-label": title,
        on: { click: () => this.pin(to.position) } })
      button.disabled = !to
      return button
    }
    const settled = decisions.filter((one) => one.settled).length
    const where = now < 0 ? `${decisions.length} decision points` : `decision point ${now + 1} of ${decisions.length}`
    const list = element("details", { open: this.opened }, element("summary", { text: `${where}, ${settled} settled` }))
    list.addEventListener("toggle", () => {
      this.opened = list.open
      if (list.open && list.children.length === 1) list.append(this.table())
    })
    if (this.opened) list.append(this.table())
    return [step("‹", "previous decision point", before), step("›", "next decision point", next), list]
  }

  table() {
    const heads = ["token", "", "score", "95% interval", "at stake", "sign"].map((text) => element("th", { text }))
    const rows = this.data.decisions.map((one) => element("tr",
      { class: one.position === this.position ? "chosen" : null },
      element("td", {}, element("button", { class: "go", type: "button", text: one.position, on: { click: () => this.pin(one.position) } })),
      element("td", {}, chip(one.text, one.mark)),
      element("td", { text: number(one.alignment, 2, true), style: { background: divergingColour(one.alignment), color: divergingInk(one.alignment) } }),
      element("td", { class: "faint", text: interval(one.low, one.high, 2, true) }),
      element("td", { text: number(one.success_range) }),
      element("td", { class: one.settled ? null : "faint", text: !known(one.alignment) ? "undefined" : one.settled ? "settled" : "not settled" })))
    return element("div", { class: "scroll" }, element("table", {}, element("tr", {}, ...heads), ...rows))
  }
}

function scoreAt(kind, value) {
  return STRIP.score.top + STRIP.score.height * (kind === "diverging" ? (1 - value) / 2 : 1 - value)
}
