/** The generation tree: branches over token depth, with success, paths and decision points; pan, zoom, fold, select. */

const TREES = new WeakMap()
const AT_ONCE = 3

export default function ({ data: { payload }, parentElement, setTriggerValue }) {
  const data = JSON.parse(payload)
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
    this.svg = shape("svg", { class: "tree", role: "tree", "aria-label": "generation tree: arrow keys move, Enter selects a branch",
      style: { "--odd-success": PALETTE.success, "--odd-failure": PALETTE.failure } })
    this.head = element("div", { class: "top" })
    this.legend = element("div", { class: "legend" })
    this.details = element("div", { class: "details" })
    this.tip = new TreeTip()
    this.hand = new TreeHand(this.svg, this.frame, () => this.redraw(), (target) => this.point(target))
    this.canvas = element("div", { class: "canvas" }, this.svg)
    place.replaceChildren(this.head, this.legend, this.canvas, this.details, this.tip.place)
    this.resized = new ResizeObserver(() => this.canvas.clientWidth !== this.frame.width && this.arrange())
    this.listen()
  }

  listen() {
    const on = (event, act) => this.svg.addEventListener(event, act)
    on("click", (event) => this.act(event, event.detail > 0))
    on("keydown", (event) => this.press(event))
    on("focusin", (event) => tabStop(this.svg, (this.tabbed = part(event)?.dataset.key)))
    on("focusin", (event) => event.target.matches(":focus-visible") && this.point(part(event)))
    on("focusout", () => this.tip.hide())
  }

  show(data, send) {
    const other = !this.data || this.data.question !== data.question
    if (other) {
      Object.assign(this.frame, { zoom: 1, depth: 0, row: 0 })
      this.chained = null
      this.claims = new Claims()
    }
    const moved = this.data && !other && (this.data.position !== data.position || this.data.path !== data.path)
    if (this.data?.branches !== data.branches) this.unfolding = new Set()
    this.data = { ...data, tokens: records(data.tokens), decisions: records(data.decisions),
      unfolded: this.claims.settle("unfolded", data.unfolded) }
    this.folded = new Set(this.claims.settle("folded", data.folded))
    this.node = this.claims.settle("select", data.node === null ? [] : [data.node])[0] ?? null
    if (this.node !== null) this.single = null
    this.send = send
    this.resized.observe(this.canvas)
    this.arrange()
    if (moved) this.follow()
  }

  close() {
    this.resized.disconnect()
    this.tip.hide()
  }

  /** Recompute rows and size and redraw everything; also after folding. */
  arrange() {
    const width = this.canvas.clientWidth
    if (!width) return
    const { branches, depth } = this.data
    Object.assign(this, treeRows(branches, this.folded))
    this.places = nodePlaces(this.tree)
    this.deep = depth > DEEP
    this.chained ??= this.deep
    const marks = this.chained && this.deep ? eventDepths(this.visible, visiblePlaces(this.places), this.data.decisions) : null
    this.frame.fit(width, this.rows, new DepthScale(Math.max(1, depth), marks))
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
    tabStop(svg, this.tabbed ?? `b${selected ?? 0}`)
    if (focus) svg.querySelector(`[data-key="${focus}"]`)?.focus({ preventScroll: true })
    for (const [name, button] of Object.entries(this.zooms ?? {}))
      button.disabled = name === "in" ? frame.zoom >= frame.most - 1e-6 : frame.zoom <= 1 + 1e-6
  }

  redraw() {
    this.tip.hide()
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null
      this.draw()
    })
  }

  heading() {
    const { data } = this
    const { initial, targeted, whole } = data.rollouts
    const sample = whole < targeted ? ` (text of ${counted(whole)})` : ""
    const { branches: hidden, share } = data.hidden
    const folds = this.folded.size + data.unfolded.length
    const tool = (text, title, click) =>
      element("button", { class: "tool", type: "button", text, title,
        "aria-label": /\w/.test(text) ? `${text}: ${title}` : title, on: { click } })
    this.zooms = {
      out: tool("−", "zoom out", () => this.zoom(1 / 1.6)),
      fit: tool("fit", "show the whole tree", () => this.fit()),
      in: tool("+", "zoom in", () => this.zoom(1.6)),
    }
    const more = tool("unfold", "show the rarer branches where most rollouts are hidden", () => this.unfoldMost())
    more.disabled = !hidden
    const facts = `${counted(initial)} initial + ${counted(targeted)} targeted rollouts${sample} · ` +
      (hidden ? `${counted(hidden)} rarer branches folded (${percent(share)} of visits)` : "no branch is folded")
    return [
      element("div", {}, element("h2", { class: "title", text: "Generation tree" }),
        element("span", { class: "faint", text: facts })),
      element("div", { class: "tools" }, more,
        folds ? tool("reset", "undo all folding and unfolding", () => this.reset()) : null,
        this.deep ? tool(this.chained ? "unfold chains" : "fold chains", "fold or unfold stretches of tokens without a branch",
          () => this.foldChains()) : null,
        ...Object.values(this.zooms),
        tool("SVG", "save this drawing as SVG", () => downloadSvg(this.svg, data.name)),
        tool("PNG", "save this drawing as PNG", () => downloadPng(this.svg, data.name)),
        tool("CSV", "save the branches that are shown", () => this.saveTable())),
    ]
  }

  foldChains() {
    this.chained = !this.chained
    Object.assign(this.frame, { zoom: 1, depth: 0, row: 0 })
    this.arrange()
  }

  saveTable() {
    download(`${this.data.name}.csv`, treeCsv(this.visible, this.data), "text/csv")
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

  act(event, byPointer) {
    const target = part(event)
    if (this.hand.dropped() || !target) return
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
    if (event.pointerType === "touch") this.point(target) // fingers do not hover
    // give the keys back to the text, where they move from token to token
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
    const branch = branchOf(target, this)
    const to = branch && neighbour(branch, event.key, this.visible, this.tree)
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
    this.claims.make("select", this.node === null ? [] : [this.node])
    this.draw()
    this.describe()
    this.send("select", this.node ?? -1)
  }

  deselect() {
    Object.assign(this, { single: null, node: null })
    this.claims.make("select", [])
    this.draw()
    this.describe()
    this.send("select", -1)
  }

  fold(branch) {
    if (branch.collapsed) for (const node of branch.nodes) this.folded.delete(node)
    else this.folded.add(branch.nodes.at(-1))
    this.claims.make("folded", [...this.folded])
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
    this.claims.make("unfolded", this.data.unfolded)
    this.draw()
    this.describe()
    this.send("unfold", this.data.unfolded)
  }

  refold(node) {
    this.data.unfolded = this.data.unfolded.filter((one) => one !== node)
    this.claims.make("unfolded", this.data.unfolded)
    this.arrange()
    this.send("unfold", this.data.unfolded)
  }

  /** Unfold the nodes with the most hidden rollouts. */
  unfoldMost() {
    const of = (branch) => branch.hidden.map(({ at, rollouts }) => ({ rollouts, node: branch.nodes[at] }))
    const hidden = this.visible.flatMap(of)
    this.unfold(hidden.sort((one, other) => other.rollouts - one.rollouts).slice(0, AT_ONCE).map(({ node }) => node))
  }

  reset() {
    this.data.unfolded = []
    this.folded = new Set()
    this.claims.make("unfolded", [])
    this.claims.make("folded", [])
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
    const { position, path } = this.data
    const branch = onPath(this.visible, path, position)
    if (branch && this.frame.zoom > 1) this.frame.reveal(position, branch.row)
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
    if (content) this.tip.show(target, content)
    else this.tip.hide()
  }
}
