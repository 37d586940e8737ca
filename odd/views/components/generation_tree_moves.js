// Interaction with the generation tree: zoom and pan by wheel and drag, the tooltip, arrow keys, and clicks that the
// server has not confirmed yet.

const PATIENCE = 5000 // ms after which the server's state applies again, even if it differs from what was clicked

/** The part of the drawing that an event belongs to. */
const part = (event) => event.target.closest?.("[data-act]") ?? null

/** The pointer over the drawing: drags and zooms the frame, and hovers over parts. */
class TreeHand {
  /** `moved()` is called when the frame has moved, `pointed(target)` with the hovered part or null. */
  constructor(svg, frame, moved, pointed) {
    Object.assign(this, { svg, frame, moved, pointed, held: null, armed: false, dragged: false })
    const on = (event, act, options) => svg.addEventListener(event, act, options)
    on("wheel", (event) => this.wheel(event), { passive: false })
    on("pointerdown", (event) => this.grab(event))
    on("pointermove", (event) => this.move(event))
    on("pointerup", () => { this.held = null })
    on("pointercancel", () => { this.held = null })
    on("pointerleave", () => { this.armed = false; pointed(null) })
  }

  wheel(event) {
    const { frame } = this
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      if (frame.zoom <= 1) return
      event.preventDefault()
      frame.pan(-(event.deltaX || event.deltaY), 0)
      return this.moved()
    }
    // scrolling the page can move the tree under the pointer: zoom only if the pointer itself has moved
    if (!this.armed || (frame.zoom <= 1 && event.deltaY > 0)) return
    event.preventDefault()
    const box = this.svg.getBoundingClientRect()
    const lines = event.deltaMode === 1 ? 30 : 1
    const factor = Math.exp(clamp(-event.deltaY * lines, -240, 240) * 0.0022)
    frame.zoomAt(factor, event.clientX - box.left, event.clientY - box.top)
    this.moved()
  }

  grab(event) {
    if (event.button !== 0) return
    this.held = { x: event.clientX, y: event.clientY, far: false, id: event.pointerId }
    this.dragged = false
  }

  move(event) {
    if (event.movementX || event.movementY) this.armed = true
    const { held } = this
    if (!held) return this.pointed(part(event))
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y]
    if (!held.far && Math.hypot(dx, dy) < 4) return
    if (!held.far) this.svg.setPointerCapture(held.id)
    Object.assign(held, { x: event.clientX, y: event.clientY, far: true })
    this.dragged = true
    this.frame.pan(dx, dy)
    this.moved()
  }

  /** Whether a click is only the end of a drag. */
  dropped() {
    const { dragged } = this
    this.dragged = false
    return dragged
  }
}

/** The tooltip next to a part of the drawing. */
class TreeTip {
  constructor() {
    this.place = element("div", { class: "tip", popover: "manual", role: "tooltip" })
    this.target = null
  }

  show(target, content) {
    if (this.target !== target) {
      this.place.replaceChildren(...content)
      this.target = target
      if (!this.place.matches(":popover-open")) this.place.showPopover()
    }
    const box = (target.querySelector(".edge, .body") ?? target).getBoundingClientRect()
    const { offsetWidth: wide, offsetHeight: high } = this.place
    const under = box.bottom + 10 + high < window.innerHeight ? box.bottom + 10 : box.top - high - 10
    this.place.style.left = `${clamp(box.left, 8, window.innerWidth - wide - 8)}px`
    this.place.style.top = `${Math.max(8, under)}px`
  }

  hide() {
    this.target = null
    if (this.place.matches(":popover-open")) this.place.hidePopover()
  }
}

/** Values that were set by clicks and are not confirmed by the server yet, by name. */
class Claims {
  constructor() {
    this.made = {}
  }

  make(name, values) {
    this.made[name] = { values, until: Date.now() + PATIENCE }
  }

  /** The server's values, unless something newer was clicked. */
  settle(name, values) {
    const claim = this.made[name]
    if (claim && claim.values.join() !== values.join() && Date.now() < claim.until) return claim.values
    delete this.made[name]
    return values
  }
}

/** Places of nodes in visible branches. */
function visiblePlaces(places) {
  return { get: (node) => (places.get(node)?.branch.row ?? null) === null ? undefined : places.get(node) }
}

/** The branch that a part of the drawing belongs to. */
function branchOf({ dataset: { at, child, nodes } }, { tree, places }) {
  return at ? tree[Number(at)] : places.get(Number(child ?? (nodes ?? "").split(" ")[0]))?.branch
}

/** Make a part of the drawing its only tab stop; the first branch if there is no such part. */
function tabStop(svg, key) {
  const parts = [...svg.querySelectorAll("[data-key]")]
  const stop = parts.find((one) => one.dataset.key === key) ?? parts.find((one) => one.dataset.act === "select")
  for (const one of parts) one.setAttribute("tabindex", one === stop ? 0 : -1)
}

/** The branch that an arrow key moves to. */
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
