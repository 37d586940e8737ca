/** The generation tree: branches over token depth, with success, paths and decision points; pan, zoom, fold, select. */

const TREES = new WeakMap()
const PATIENCE = 5000 // ms after which what the server says holds again, even if it is not what was clicked
const AT_ONCE = 3

export default function ({ data, parentElement, setTriggerValue }) {
  let tree = TREES.get(parentElement)
  if (!tree) TREES.set(parentElement, (tree = new GenerationTree(parentElement.querySelector(".odd"))))
  tree.show(data, setTriggerValue)
  return () => tree.close()
}

class GenerationTree {
  constructor(place) {
    this.frame = new Frame()
    this.folded = new Set()
    this.unfolding = new Set()
    this.svg = shape("svg", { class: "tree", role: "group", "aria-label": "generation tree",
      style: { "--odd-success": PALETTE.success, "--odd-failure": PALETTE.failure } })
    this.head = element("div", { class: "top" })
    this.legend = element("div", { class: "legend" })
    this.details = element("div", { class: "details" })
    this.tip = element("div", { class: "tip", popover: "manual", role: "tooltip" })
    this.canvas = element("div", { class: "canvas" }, this.svg)
    place.replaceChildren(this.head, this.legend, this.canvas, this.details, this.tip)
    this.resized = new ResizeObserver(() => this.canvas.clientWidth !== this.frame.width && this.arrange())
    this.listen()
  }

  listen() {
    const on = (event, act, options) => this.svg.addEventListener(event, act, options)
    on("wheel", (event) => this.wheel(event), { passive: false })
    on("pointerdown", (event) => this.grab(event))
    on("pointermove", (event) => this.move(event))
    on("pointerup", () => { this.held = null })
    on("pointercancel", () => { this.held = null })
    on("pointerleave", () => { this.armed = false; this.hide() })
    on("click", (event) => this.act(event, event.detail > 0))
    on("keydown", (event) => this.press(event))
    on("focusin", (event) => event.target.matches(":focus-visible") && this.point(part(event)))
    on("focusout", () => this.hide())
  }

  show(data, send) {
    const other = !this.data || this.data.question !== data.question
    if (other) {
      Object.assign(this.frame, { zoom: 1, depth: 0, row: 0 })
      this.claims = {}
    }
    const moved = this.data && !other && (this.data.token !== data.token || this.data.path !== data.path)
    if (this.data?.branches !== data.branches) this.unfolding = new Set()
    this.data = { ...data, unfolded: this.settle("unfolded", data.unfolded) }
    this.folded = new Set(this.settle("folded", data.folded))
    this.node = this.settle("select", data.node === null ? [] : [data.node])[0] ?? null
    if (this.node !== null) this.single = null
    this.send = send
    this.resized.observe(this.canvas)
    this.arrange()
    if (moved) this.follow()
  }

  /** What the server says, unless something newer was clicked that it has not heard of yet. */
  settle(name, values) {
    const claim = this.claims[name]
    if (claim && claim.values.join() !== values.join() && Date.now() < claim.until) return claim.values
    delete this.claims[name]
    return values
  }

  claim(name, values) {
    this.claims[name] = { values, until: Date.now() + PATIENCE }
  }

  close() {
    this.resized.disconnect()
    this.hide()
  }

  /** Rows, size, and everything that is drawn; also after a fold. */
  arrange() {
    const width = this.canvas.clientWidth
    if (!width) return
    const { branches, depth } = this.data
    Object.assign(this, treeRows(branches, this.folded))
    this.places = nodePlaces(this.tree)
    this.frame.fit(width, this.rows, depth)
    this.spelling = spellingWidth(this.visible, this.data.tokens)
    this.head.replaceChildren(...this.heading())
    this.legend.replaceChildren(...treeLegend(this.data, this.frame, this.most))
    this.draw()
    this.describe()
  }

  get selected() {
    if (this.single) return this.tree.find((branch) => branch.rollout === this.single)?.at ?? null
    return this.node === null ? null : (this.places.get(this.node)?.branch.at ?? null)
  }

  draw() {
    const { frame, svg } = this
    const focus = svg.getRootNode().activeElement?.closest?.("[data-key]")?.dataset.key
    svg.setAttribute("width", frame.width)
    svg.setAttribute("height", frame.height)
    svg.classList.toggle("zoomed", frame.zoom > 1)
    const { data, tree, visible, most, selected, unfolding } = this
    const scene = { data, tree, visible, most, selected, unfolding, frame, places: visiblePlaces(this.places),
      spelled: frame.token >= this.spelling }
    svg.replaceChildren(...treeDrawing(scene).filter(Boolean))
    if (focus) svg.querySelector(`[data-key="${focus}"]`)?.focus({ preventScroll: true })
    for (const [name, button] of Object.entries(this.zooms ?? {}))
      button.disabled = name === "in" ? frame.zoom >= frame.most - 1e-6 : frame.zoom <= 1 + 1e-6
  }

  redraw() {
    this.hide()
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null
      this.draw()
    })
  }

  heading() {
    const { data } = this
    const [initial, targeted] = data.rollouts
    const [hidden, share] = data.hidden
    const folds = this.folded.size + data.unfolded.length
    const tool = (text, title, click) =>
      element("button", { class: "tool", type: "button", text, title, "aria-label": title, on: { click } })
    this.zooms = {
      out: tool("−", "zoom out", () => this.zoom(1 / 1.6)),
      fit: tool("fit", "show the whole tree", () => this.fit()),
      in: tool("+", "zoom in", () => this.zoom(1.6)),
    }
    const more = tool("unfold", "show the rarer branches where most rollouts are hidden", () => this.unfoldMost())
    more.disabled = !hidden
    const facts = `${counted(initial)} + ${counted(targeted)} targeted rollouts · ` +
      (hidden ? `${counted(hidden)} rarer branches folded (${percent(share)} of visits)` : "no branch is folded")
    return [
      element("div", {}, element("b", { class: "title", text: "Generation tree" }),
        element("span", { class: "faint", text: facts })),
      element("div", { class: "tools" }, more,
        folds ? tool("reset", "undo all folding and unfolding", () => this.reset()) : null,
        ...Object.values(this.zooms),
        tool("SVG", "save this drawing as SVG", () => downloadSvg(this.svg, data.name)),
        tool("PNG", "save this drawing as PNG", () => downloadPng(this.svg, data.name)),
        tool("CSV", "save the branches that are shown", () => this.saveTable())),
    ]
  }

  saveTable() {
    download(`${this.data.name}.csv`, treeCsv(this.visible, this.data), "text/csv")
  }

  wheel(event) {
    const { frame } = this
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      if (frame.zoom <= 1) return
      event.preventDefault()
      frame.pan(-(event.deltaX || event.deltaY), 0)
      return this.redraw()
    }
    // a page that is being scrolled moves the tree under the pointer: only a pointer that came by itself zooms
    if (!this.armed || (frame.zoom <= 1 && event.deltaY > 0)) return
    event.preventDefault()
    const box = this.svg.getBoundingClientRect()
    const lines = event.deltaMode === 1 ? 30 : 1
    const factor = Math.exp(clamp(-event.deltaY * lines, -240, 240) * 0.0022)
    frame.zoomAt(factor, event.clientX - box.left, event.clientY - box.top)
    this.redraw()
  }

  zoom(factor) {
    const { frame } = this
    const place = this.selected === null ? null : branchPixels(this.tree[this.selected], this.tree, frame)
    const seen = place && place.from.x < frame.right && place.end > SPACE.left
    const x = seen ? clamp((place.from.x + place.end) / 2, SPACE.left, frame.right) : SPACE.left + frame.plot / 2
    frame.zoomAt(factor, x, seen ? place.y : frame.height / 2)
    this.redraw()
  }

  fit() {
    this.frame.to(1, 0, 0)
    this.redraw()
  }

  grab(event) {
    if (event.button !== 0) return
    this.held = { x: event.clientX, y: event.clientY, far: false, id: event.pointerId }
    this.dragged = false
  }

  move(event) {
    if (event.movementX || event.movementY) this.armed = true
    const { held } = this
    if (!held) return this.point(part(event))
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y]
    if (!held.far && Math.hypot(dx, dy) < 4) return
    if (!held.far) this.svg.setPointerCapture(held.id)
    Object.assign(held, { x: event.clientX, y: event.clientY, far: true })
    this.dragged = true
    this.frame.pan(dx, dy)
    this.redraw()
  }

  act(event, byPointer) {
    const target = part(event)
    if (this.dragged || !target) {
      this.dragged = false
      return
    }
    const nodes = (target.dataset.nodes ?? "").split(" ").map(Number)
    const acts = {
      select: () => this.select(this.tree[Number(target.dataset.at)]),
      fold: () => this.fold(this.tree[Number(target.dataset.at)]),
      pin: () => this.pin(Number(target.dataset.child)),
      path: () => this.send("pin", [Number(target.dataset.path), -1]),
      unfold: () => this.unfold(nodes),
      refold: () => this.refold(nodes[0]),
      near: () => this.near(nodes),
    }
    acts[target.dataset.act]()
    // keys then belong to the text again, which moves from token to token by them
    if (byPointer) this.svg.getRootNode().activeElement?.blur?.()
  }

  press(event) {
    const target = part(event)
    if (!target || event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault()
      event.stopPropagation()
      return this.act(event, false)
    }
    const branch = this.tree[Number(target.dataset.at)]
    const to = target.dataset.act === "select" && branch && neighbour(branch, event.key, this.visible, this.tree)
    if (!to) return
    event.preventDefault()
    event.stopPropagation()
    this.frame.reveal(to.depth, to.row)
    this.draw()
    this.svg.querySelector(`[data-key="b${to.at}"]`)?.focus({ preventScroll: true })
  }

  select(branch) {
    this.single = branch.rollout ?? null
    this.node = branch.nodes[0] ?? null
    this.claim("select", this.node === null ? [] : [this.node])
    this.draw()
    this.describe()
    this.send("select", this.node ?? -1)
  }

  deselect() {
    Object.assign(this, { single: null, node: null })
    this.claim("select", [])
    this.draw()
    this.describe()
    this.send("select", -1)
  }

  fold(branch) {
    if (branch.collapsed) for (const node of branch.nodes) this.folded.delete(node)
    else this.folded.add(branch.nodes.at(-1))
    this.claim("folded", [...this.folded])
    this.arrange()
    this.send("fold", [...this.folded])
  }

  pin(child) {
    const all = this.data.decisions.filter((decision) => decision.child === child)
    const { path, position } = all.find((decision) => decision.path === this.data.path) ?? all[0]
    this.send("pin", [path, position])
  }

  unfold(nodes) {
    this.data.unfolded = [...this.data.unfolded, ...nodes]
    for (const node of nodes) this.unfolding.add(node)
    this.claim("unfolded", this.data.unfolded)
    this.draw()
    this.describe()
    this.send("unfold", this.data.unfolded)
  }

  refold(node) {
    this.data.unfolded = this.data.unfolded.filter((one) => one !== node)
    this.claim("unfolded", this.data.unfolded)
    this.arrange()
    this.send("unfold", this.data.unfolded)
  }

  /** The nodes with most rollouts out of sight. */
  unfoldMost() {
    const of = (branch) => branch.hidden.map(([at, , rollouts]) => [rollouts, branch.nodes[at]])
    const hidden = this.visible.flatMap(of)
    this.unfold(hidden.sort((one, other) => other[0] - one[0]).slice(0, AT_ONCE).map(([, node]) => node))
  }

  reset() {
    this.data.unfolded = []
    this.folded = new Set()
    this.claim("unfolded", [])
    this.claim("folded", [])
    this.arrange()
    this.send("unfold", [])
    this.send("fold", [])
  }

  /** Zoom to several nodes with hidden branches, until each has its own handle. */
  near(nodes) {
    const found = nodes.map((node) => this.places.get(node))
    const depths = found.map(({ branch, offset }) => branch.depth + offset + 1)
    if (this.frame.zoom >= this.frame.most - 1e-6) return this.unfold(nodes)
    this.frame.show(Math.min(...depths), Math.max(...depths), found[0].branch.row)
    this.redraw()
  }

  /** Keep the pinned token in view. */
  follow() {
    const { token, path } = this.data
    const branch = onPath(this.visible, path, token)
    if (branch && this.frame.zoom > 1) this.frame.reveal(token, branch.row)
    this.draw()
  }

  describe() {
    const at = this.selected
    this.details.replaceChildren(...(at === null ? [] : branchDetails(this.tree[at], this)))
    const [text, own] = ["reading", "own-text"].map((name) => this.details.querySelector(`.${name}`))
    if (text) text.scrollTop = own.offsetTop - text.offsetTop - 24
  }

  point(target) {
    const content = target && tipContent(target, this)
    if (!content) return this.hide()
    if (this.tipped !== target) {
      this.tip.replaceChildren(...content)
      this.tipped = target
      if (!this.tip.matches(":popover-open")) this.tip.showPopover()
    }
    const box = (target.querySelector(".edge, .body") ?? target).getBoundingClientRect()
    const { offsetWidth: wide, offsetHeight: high } = this.tip
    const under = box.bottom + 10 + high < window.innerHeight ? box.bottom + 10 : box.top - high - 10
    this.tip.style.left = `${clamp(box.left, 8, window.innerWidth - wide - 8)}px`
    this.tip.style.top = `${Math.max(8, under)}px`
  }

  hide() {
    this.tipped = null
    if (this.tip.matches(":popover-open")) this.tip.hidePopover()
  }
}

/** What an event is about. */
const part = (event) => event.target.closest?.("[data-act]") ?? null

/** Places of nodes in branches that no collapsed one hides. */
function visiblePlaces(places) {
  return { get: (node) => (places.get(node)?.branch.row ?? null) === null ? undefined : places.get(node) }
}

/** The branch that an arrow key leads to. */
function neighbour(branch, key, visible, tree) {
  const distance = (one) => Math.abs(one.row - branch.row) * 1e6 + Math.abs(one.depth - branch.depth)
  const near = (step) => visible.filter((one) => one.parent !== null && (one.row - branch.row) * step > 0)
    .sort((one, other) => distance(one) - distance(other))[0]
  return {
    ArrowLeft: () => (branch.parent ? tree[branch.parent] : null),
    ArrowRight: () => (branch.collapsed ? null : branch.main),
    ArrowUp: () => near(-1), ArrowDown: () => near(1),
  }[key]?.()
}
