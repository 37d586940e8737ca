// Elements of the generation tree drawing. `scene` is what is drawn: {data, tree, visible, most, frame, places of
// nodes, selected branch, unfolding nodes}. Elements with `data-act` are interactive.

const FONT = { mono: 6.65, label: 6 }
const counted = (n) => n.toLocaleString("en-US")
const percent = (share) => `${(share * 100).toFixed(share && share < 0.0995 ? 1 : 0)}%`
const words = (scene, branch) => branch.tokens.map((token) => isolated(scene.data.tokens[token].text)).join("")
const isLeaf = (branch) => branch.collapsed || !branch.children.length
function span({ parent, depth, length }) {
  if (parent === null) return "before the first token"
  return length === 1 ? `token ${depth}` : `tokens ${depth} to ${depth + length - 1}`
}
const tspan = (name, text, dx) => shape("tspan", { class: name, text, dx })

/** Attributes of an element that reacts to click, Enter and Space; arrow keys move between them, the tree is one tab stop. */
function acting(name, act, key, label, more = {}) {
  return { class: name, tabindex: -1, role: "treeitem", "data-act": act, "data-key": key, "aria-label": label, ...more }
}

/** Everything, from back to front. */
function treeDrawing(scene) {
  const { frame } = scene
  const inView = scene.visible.map((branch) => ({ branch, ...branchPixels(branch, scene.tree, frame) }))
    .filter((placed) => isInView(placed, frame))
  const places = new Places()
  const chips = decisionChips(scene, inView, places)
  const pin = pinMark(scene, places)
  const ends = inView.map((placed) => endHandle(placed, scene, places))
  const written = labels(inView, scene, places)
  const clip = { x: 0, y: SPACE.top - 14, width: frame.right, height: frame.height - SPACE.top + 14 }
  const hatch = shape("pattern", { id: "odd-tree-hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse" },
    shape("path", { class: "hatching", d: "M-1,1 L1,-1 M0,5 L5,0 M4,6 L6,4" }))
  return [
    shape("defs", {}, shape("clipPath", { id: "odd-plot" }, shape("rect", clip)), hatch, ...inView.map(ramp)),
    shape("rect", { class: "page", width: frame.width, height: frame.height }),
    ...depthAxis(frame), ...chainMarks(frame).filter(Boolean),
    shape("g", { "clip-path": "url(#odd-plot)" },
      ...inView.map((placed) => leader(placed, scene)),
      ...inView.map((placed) => ribbon(placed, scene)),
      ...scene.data.paths.map((path) => pathLine(path, scene)),
      ...inView.map((placed) => outcome(placed)),
      ...(scene.spelled ? inView.flatMap((placed) => tokenTexts(placed, scene, chips.covered)) : []),
      ...inView.map((placed) => joint(placed, scene)),
      ...chips.drawn,
      ...written,
      ...ends,
      ...inView.flatMap((placed) => handles(placed, scene, places)),
      pin),
    ...inView.flatMap((placed) => margin(placed, scene)),
  ]
}

function isInView({ branch, from, y, end }, frame) {
  const [top, bottom] = [Math.min(from.y, y), Math.max(from.y, y)]
  return bottom > SPACE.top - 30 && top < frame.height + 30 && from.x < frame.right &&
    (end >= SPACE.left || isLeaf(branch))
}

function depthAxis(frame) {
  const ticks = depthTicks(frame)
  const bottom = frame.height - SPACE.bottom
  const written = (x, y, text, anchor = "start") => shape("text", { class: "axis", x, y, text, "text-anchor": anchor })
  const line = (at) => shape("line", { x1: frame.x(at), x2: frame.x(at), y1: SPACE.top - 16, y2: bottom })
  const counts = frame.width < 900 ? "right · wrong" : "rollouts: right · wrong · share right"
  return [
    written(SPACE.left, 11, "token depth (response tokens)"), written(frame.right + 12, 11, counts),
    shape("g", { class: "grid" }, ...ticks.map(line)),
    ...ticks.map((at) => written(frame.x(at), SPACE.top - 22, at, "middle")),
  ]
}

/** Success along a branch as a gradient; a new stop where it changes visibly. */
function ramp({ branch, from, end }) {
  const stops = []
  let last = null
  branch.p.forEach((value, at) => {
    if (at && known(value) === known(last) && Math.abs((value ?? 0) - (last ?? 0)) < 0.02) return
    const offset = ((at + 0.5) / branch.p.length).toFixed(3)
    stops.push(shape("stop", { offset, "stop-color": successColour(value) }))
    last = value
  })
  const ends = { x1: from.x, x2: Math.max(end, from.x + 1), y1: 0, y2: 0 }
  const name = `odd-ramp-${branch.at}`
  return shape("linearGradient", { id: name, gradientUnits: "userSpaceOnUse", ...ends }, ...stops)
}

function ribbon(placed, scene) {
  const { branch, from, y, end } = placed
  const { frame, most } = scene
  const chosen = scene.selected === branch.at
  const about = acting(chosen ? "branch selected" : "branch", "select", `b${branch.at}`, spokenBranch(branch, scene),
    { "data-at": branch.at, "aria-selected": String(chosen), "aria-level": level(branch, scene.tree),
      "aria-expanded": branch.children.length ? String(!branch.collapsed) : null })
  if (branch.parent === null) {
    const ring = { cx: from.x, cy: y, r: 6 }
    return shape("g", about, shape("circle", { class: "halo", ...ring, "stroke-width": 6 }),
      shape("circle", { class: "body", ...ring, fill: successColour(branch.p[0]) }))
  }
  const thick = frame.thickness(Math.max(...branch.n), most)
  const whole = `${curve(placed)} L${end.toFixed(1)},${y.toFixed(1)}`
  const reach = Math.max(thick, Math.min(14, frame.pitch * 0.8))
  return shape("g", about,
    shape("path", { class: "halo", d: whole, "stroke-width": thick + 8 }),
    shape("polygon", { class: "body", points: outline(placed, frame, most), fill: `url(#odd-ramp-${branch.at})` }),
    shape("path", { class: "reach", d: whole, "stroke-width": reach }))
}

/** Depth of a branch in the tree of branches; the root has level 1. */
const level = (branch, tree) => (branch.parent === null ? 1 : 1 + level(tree[branch.parent], tree))

function spokenBranch(branch, scene) {
  const success = `P_succ ${number(branch.p[0])} ${interval(branch.low, branch.high)}`
  const text = clipped(words(scene, branch), 60)
  return `branch, ${span(branch)}, ${success}, ${counted(branch.n[0])} visits, text ${text}`
}

/** Line from the end of a leaf to its counts in the margin. */
function leader({ branch, y, end }, { frame }) {
  if (!isLeaf(branch)) return null
  const open = branch.collapsed || !branch.ended
  const ends = { x1: Math.max(SPACE.left, end), x2: frame.right, y1: y, y2: y }
  return shape("line", { class: open ? "leader open" : "leader", ...ends })
}

function pathLine(path, scene) {
  const parts = scene.visible.filter((branch) => branch.parent !== null && branch.paths.includes(path.path))
    .map((branch) => branchPixels(branch, scene.tree, scene.frame))
    .map((placed) => `${curve(placed)} L${placed.end.toFixed(1)},${placed.y.toFixed(1)}`)
  return shape("path", { class: path.path === scene.data.path ? "path chosen" : "path", d: parts.join(" ") })
}

/** Mark for right or wrong at the end of a leaf. */
function outcome({ branch, y, end }) {
  if (!branch.ended || branch.collapsed || branch.children.length) return null
  const right = branch.p.at(-1) > 0.5
  const r = branch.paths.length ? 6.5 : 4.5
  const x = end + r
  const mark = right ? `M${x - r * 0.45},${y} l${r * 0.3},${r * 0.35} l${r * 0.6},${-r * 0.7}`
    : `M${x - r * 0.35},${y - r * 0.35} l${r * 0.7},${r * 0.7} m0,${-r * 0.7} l${-r * 0.7},${r * 0.7}`
  const title = `${right ? "right" : "wrong"}${branch.cut ? ", cut at the length limit" : ""}`
  const circle = { cx: x, cy: y, r, fill: right ? PALETTE.success : PALETTE.failure }
  return shape("g", { class: "outcome" }, shape("title", { text: title }), shape("circle", circle),
    shape("path", { d: mark }))
}

/** Texts of tokens, each at its depth; tokens with a chip are written on the chip. */
function tokenTexts(placed, scene, covered) {
  const { branch } = placed
  const { frame, data } = scene
  const most = Math.floor((frame.token - 3) / FONT.mono)
  const texts = []
  branch.tokens.forEach((token, at) => {
    const x = frame.x(branch.depth + at)
    if (x < -frame.token || x > frame.right || frame.scale.folded(branch.depth + at) || covered.has(`${branch.at}/${at}`)) return
    const { text, mark } = data.tokens[token]
    const y = heightAt(placed, x + frame.token / 2) + 4
    const shown = { x: x + 2, y, text: isolated(clipped(text, most)), "xml:space": "preserve" }
    texts.push(shape("text", { class: mark ? "token mark" : "token", ...shown }))
  })
  return texts
}

/** Outcome counts of a row at the right edge, which stay there while the tree moves. */
function margin({ branch, y }, scene) {
  const { frame, data } = scene
  const outside = y < SPACE.top - 1 || y > frame.height - SPACE.bottom + 1
  if (!isLeaf(branch) || outside || (branch.parent === null && !branch.collapsed)) return []
  const names = data.paths.filter(({ path }) => branch.paths.includes(path))
  if (frame.pitch < 10.5 && !names.length) return []
  const n = branch.n[0]
  const wrong = n - branch.right
  const spans = [
    branch.right ? tspan("right", `✓ ${counted(branch.right)}`) : null,
    wrong ? tspan("wrong", `✗ ${counted(wrong)}`, branch.right ? 7 : 0) : null,
    n && frame.width >= 900 ? tspan("faint", percent(branch.right / n), 7) : null,
    n ? null : tspan("faint", "no visits counted"),
  ]
  const counts = shape("text", { class: "margin", x: frame.right + 12, y: y + 4 }, ...spans)
  return [counts, names.length ? pathName(names, y, scene) : null]
}

function pathName(names, y, { frame, data }) {
  const own = names.find(({ path }) => path === data.path)
  const { path, name } = own ?? names[0]
  const narrow = frame.width < 900
  const text = narrow ? "●" : names.length > 1 ? `${names.length} paths` : name
  const size = narrow ? 20 : 76
  const left = frame.width - size - 2
  const about = acting(own ? "name chosen" : "name", "path", `p${path}`, `show path ${name}`,
    { "data-path": path, "aria-selected": String(Boolean(own)) })
  return shape("g", about, shape("title", { text: own ? `path ${name}: shown below` : `show path ${name}` }),
    shape("rect", { x: left, y: y - 8, width: size, height: 16, rx: 8 }),
    shape("text", { x: left + size / 2, y: y + 3.5, "text-anchor": "middle", text }))
}
