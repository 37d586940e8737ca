// Layout of the generation tree: rows, then pixels. A branch is in the row of its main child, so a path runs straight,
// with side branches above it (more successful) or below it.

const SPACE = { left: 30, top: 50, bottom: 8, end: 18, deepest: 64, widest: 15, thinnest: 1.3, row: 46 }

/** Branches with their children, and the row of each visible one. */
function treeRows(branches, folded) {
  const tree = branches.map((branch, at) => ({ ...branch, at, children: [], row: null }))
  for (const branch of tree) if (branch.parent !== null) tree[branch.parent].children.push(branch)
  for (const branch of tree) {
    branch.length = Math.max(1, branch.n.length)
    branch.collapsed = branch.children.length > 0 && branch.nodes.some((node) => folded.has(node))
    const heavier = (best, child) => (weight(child) > weight(best) ? child : best)
    branch.main = branch.children.reduce(heavier, branch.children[0])
  }
  let rows = 0
  const visible = []
  const settle = (branch) => {
    visible.push(branch)
    if (branch.collapsed || !branch.children.length) branch.row = rows++
    else {
      for (const child of branch.children) settle(child)
      branch.row = branch.main.row
    }
  }
  if (tree.length) settle(tree[0])
  return { tree, visible, rows, most: Math.max(1, ...visible.flatMap((branch) => branch.n)) }
}

const weight = (branch) => branch.paths.length * 1e9 + (branch.n[0] ?? 0)

/** The visible branch that contains a position of a path; null if there is none or no position is given. */
function onPath(visible, path, position) {
  if (position === null || position === undefined) return null
  const holds = (branch) => branch.depth <= position && position < branch.depth + branch.length
  return visible.find((branch) => branch.paths.includes(path) && holds(branch)) ?? null
}

/** Number of branches in the subtree of a branch, which collapsing hides. */
function countBelow(branch) {
  return branch.children.reduce((sum, child) => sum + 1 + countBelow(child), 0)
}

/** Branch of every node, and its offset in the branch. */
function nodePlaces(tree) {
  const places = new Map()
  for (const branch of tree) branch.nodes.forEach((node, offset) => places.set(node, { branch, offset }))
  return places
}

/** The part of the tree in view: pixels per token and per row, and depth and row at the upper left corner. */
class Frame {
  constructor() {
    this.zoom = 1
    this.depth = 0
    this.row = 0
  }

  /** Adapt to the width of the container and the size of the tree, keeping the view. */
  fit(width, rows, scale) {
    Object.assign(this, { width, rows: Math.max(1, rows), scale, deepest: Math.max(1, scale.size) })
    this.gutter = width < 900 ? 132 : 214
    const tall = clamp(this.rows * 27, 130, Math.max(690, Math.min(960, this.rows * 13)))
    this.height = SPACE.top + tall + SPACE.bottom
    this.plot = Math.max(60, width - SPACE.left - this.gutter)
    this.base = { token: (this.plot - SPACE.end) / this.deepest, row: tall / this.rows }
    this.to(this.zoom, this.depth, this.row)
  }

  get most() {
    return Math.max(2, SPACE.deepest / this.base.token)
  }

  to(zoom, depth, row) {
    this.zoom = clamp(zoom, 1, this.most)
    this.token = this.base.token * this.zoom
    this.pitch = Math.max(this.base.row, Math.min(this.base.row * this.zoom, SPACE.row))
    this.tall = this.height - SPACE.top - SPACE.bottom
    this.depth = clamp(depth, 0, Math.max(0, this.deepest - (this.plot - SPACE.end) / this.token))
    this.row = clamp(row, 0, Math.max(0, this.rows - this.tall / this.pitch))
  }

  /** Zoom around a point. */
  zoomAt(factor, x, y) {
    const [depth, row] = [this.depth + (x - SPACE.left) / this.token, this.rowAt(y)]
    this.to(this.zoom * factor, 0, 0)
    this.to(this.zoom, depth - (x - SPACE.left) / this.token, row - (y - SPACE.top) / this.pitch)
  }

  /** Zoom to a range of depths in a row, as far as possible. */
  show(first, last, row) {
    const [from, to] = [this.scale.unit(first), this.scale.unit(last)]
    const zoom = this.plot / this.base.token / Math.max(4, (to - from) * 1.5)
    this.to(zoom, 0, 0)
    this.to(zoom, (from + to) / 2 - this.plot / this.token / 2, row + 0.5 - this.tall / this.pitch / 2)
  }

  /** Bring a place into view, moving as little as needed. */
  reveal(depth, row) {
    const [wide, high] = [this.plot / this.token, this.tall / this.pitch]
    const within = (start, size, at) => (at < start + size * 0.05 || at > start + size * 0.95 ? at - size / 2 : start)
    this.to(this.zoom, within(this.depth, wide, this.scale.unit(depth)), within(this.row, high, row + 0.5))
  }

  pan(dx, dy) {
    this.to(this.zoom, this.depth - dx / this.token, this.row - dy / this.pitch)
  }

  x(depth) {
    return SPACE.left + (this.scale.unit(depth) - this.depth) * this.token
  }

  y(row) {
    return SPACE.top + (row + 0.5 - this.row) * this.pitch
  }

  depthAt(x) {
    return this.scale.depth(this.depth + (x - SPACE.left) / this.token)
  }

  rowAt(y) {
    return this.row + (y - SPACE.top) / this.pitch
  }

  get right() {
    return SPACE.left + this.plot
  }

  thickness(n, most) {
    return Math.max(SPACE.thinnest, Math.min(SPACE.widest, this.pitch * 0.6) * Math.sqrt(n / most))
  }
}

/** Pixels of a branch: where it leaves its parent, where its curve ends, where it ends. */
function branchPixels(branch, tree, frame) {
  const parent = branch.parent === null ? null : tree[branch.parent]
  const y = frame.y(branch.row)
  const from = { x: frame.x(Math.max(0, branch.depth)), y: parent ? frame.y(parent.row) : y }
  const end = frame.x(branch.depth + branch.length)
  const reach = from.y === y ? 0 : clamp(Math.abs(from.y - y) * 0.7, 16, 64)
  return { from, y, end, turn: Math.min(end, from.x + reach) }
}

/** Point at `t` on the curve from the parent to a branch; both control points are half way. */
function onCurve({ from, y, turn }, t) {
  return [from.x + (turn - from.x) * (1.5 * t * (1 - t) + t ** 3), from.y + (y - from.y) * (3 * t * t - 2 * t ** 3)]
}

/** Vertical position of the middle of a branch at some x, on its curve or after it. */
function heightAt(placed, x) {
  if (x >= placed.turn || placed.turn === placed.from.x) return placed.y
  let [low, high] = [0, 1]
  for (let step = 0; step < 16; step++) {
    const t = (low + high) / 2
    if (onCurve(placed, t)[0] < x) low = t
    else high = t
  }
  return onCurve(placed, low)[1]
}

function curve({ from, y, turn }) {
  const middle = (from.x + turn) / 2
  return `M${from.x.toFixed(1)},${from.y.toFixed(1)} C${middle.toFixed(1)},${from.y.toFixed(1)} ` +
    `${middle.toFixed(1)},${y.toFixed(1)} ${turn.toFixed(1)},${y.toFixed(1)}`
}

/** The outline of a branch; its thickness at each depth shows its visits there. */
function outline(placed, frame, most) {
  const { branch, from, y, end, turn } = placed
  const half = (x) => {
    const at = clamp(Math.floor(frame.depthAt(x - 0.01) - branch.depth), 0, branch.n.length - 1)
    return frame.thickness(branch.n[at], most) / 2
  }
  const middle = []
  if (turn > from.x && from.y !== y) for (let step = 0; step <= 20; step++) middle.push(onCurve(placed, step / 20))
  else middle.push([from.x, y])
  branch.n.forEach((_, at) => {
    const x = frame.x(branch.depth + at + 1)
    if (x > middle.at(-1)[0] + 0.2) middle.push([Math.min(x, end), y])
  })
  const sides = middle.map(([x, height], at) => {
    const [before, after] = [middle[Math.max(0, at - 1)], middle[Math.min(middle.length - 1, at + 1)]]
    const [dx, dy] = [after[0] - before[0], after[1] - before[1]]
    const size = Math.hypot(dx, dy) || 1
    const wide = half(x)
    const [across, along] = [(dy / size) * wide, (dx / size) * wide]
    return [[x - across, height + along], [x + across, height - along]]
  })
  const points = [...sides.map(([one]) => one), ...sides.toReversed().map(([, other]) => other)]
  return points.map(([x, height]) => `${x.toFixed(1)},${height.toFixed(1)}`).join(" ")
}

/** Ticks of the depth axis, at least 60 pixels apart. */
function depthTicks(frame) {
  if (frame.scale.chains.length) {
    const places = Array.from({ length: Math.floor(frame.plot / 70) + 1 }, (_, at) => SPACE.left + at * 70)
    return [...new Set(places.map((x) => Math.round(frame.depthAt(x))))].filter((at) => frame.x(at) >= SPACE.left - 1)
  }
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((wide) => wide * frame.token >= 60) ?? 10000
  const ticks = []
  for (let at = Math.ceil(frame.depth / step) * step; frame.x(at) <= frame.right + 1; at += step) ticks.push(at)
  return ticks
}

/** Boxes taken by labels and chips; `free` takes a box and returns true if it is empty. */
class Places {
  constructor() {
    this.taken = []
  }

  empty(x, y, width, height) {
    const meets = (box) => x < box.x + box.width && box.x < x + width && y < box.y + box.height && box.y < y + height
    return !this.taken.some(meets)
  }

  free(x, y, width, height) {
    const empty = this.empty(x, y, width, height)
    if (empty) this.taken.push({ x, y, width, height })
    return empty
  }
}

// East Asian scripts and emoji
const WIDE = new RegExp("[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60" +
  "\\u{1f000}-\\u{1faff}\\u{20000}-\\u{3fffd}]", "u")
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/
const segmenter = new Intl.Segmenter()

/** Width of a text in cells of a monospaced font. */
function cells(text) {
  let width = 0
  for (const { segment } of segmenter.segment(text)) width += WIDE.test(segment) ? 2 : 1
  return width
}

/** Pixels per token that are needed to write out most tokens, each at its depth. */
function spellingWidth(visible, tokens) {
  const lengths = visible.flatMap((branch) => branch.tokens.map((token) => tokens[token].text.length)).sort((a, b) => a - b)
  return clamp((lengths[Math.floor(lengths.length * 0.85)] ?? 1) * 6.65 + 4, 20, SPACE.deepest - 4)
}

/** Truncate a text to at most `most` cells. */
function clipped(text, most) {
  if (cells(text) <= most) return text
  let [kept, width] = ["", 0]
  for (const { segment } of segmenter.segment(text)) {
    width += WIDE.test(segment) ? 2 : 1
    if (width > most - 1) break
    kept += segment
  }
  return `${kept}…`
}

/** A token with its text direction isolated from its neighbours. */
const isolated = (text) => (RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text)
