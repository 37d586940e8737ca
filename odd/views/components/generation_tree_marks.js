// Marks on the branches of the generation tree: decision points, labels, joints, and handles of hidden branches.

const SHIFTS = [0, 12, -12, 24, -24, 36, -36, 48, -48]

/** Half the height of a mark on a branch. */
const halfChip = (frame) => clamp(frame.pitch * 0.34, 3.5, 8.5)

const bend = ({ from, y }) => Math.abs(y - from.y)

/** Decision points: one chip per token of a path, one depth step wide, or wider to fit its text if there is space. */
function decisionChips(scene, inView, places) {
  const { data, frame } = scene
  const byBranch = new Map()
  const chosen = new Map()
  for (const decision of data.decisions)
    if (!chosen.has(decision.child) || decision.path === data.path) chosen.set(decision.child, decision)
  for (const decision of chosen.values()) {
    const place = scene.places.get(decision.child)
    if (!place) continue
    if (!byBranch.has(place.branch.at)) byBranch.set(place.branch.at, [])
    byBranch.get(place.branch.at).push({ decision, offset: place.offset })
  }
  const covered = new Set()
  const drawn = []
  // chips of straight branches are placed first; those of bending branches give way
  for (const placed of inView.toSorted((one, other) => bend(one) - bend(other))) {
    const own = (byBranch.get(placed.branch.at) ?? []).sort((one, other) => one.offset - other.offset)
    own.forEach((chip, at) => {
      const left = frame.x(placed.branch.depth + chip.offset)
      const follower = own[at + 1]
      const next = follower ? frame.x(placed.branch.depth + follower.offset) : Math.max(placed.end, left + frame.token)
      if (left > frame.right || left + frame.token < 0) return
      covered.add(`${placed.branch.at}/${chip.offset}`)
      drawn.push(decisionChip(chip, placed, left, next, scene, places))
    })
  }
  return { drawn, covered }
}

function decisionChip({ decision, offset }, placed, left, next, scene, places) {
  const { data, frame } = scene
  const { branch } = placed
  const { text, mark } = data.tokens[branch.tokens[offset]]
  const full = cells(text) * FONT.mono + 8
  const space = Math.max(frame.token - 1, Math.min(next - left - 2, 96))
  const written = space >= Math.min(full, 24)
  const width = Math.max(3, written ? Math.max(frame.token - 1, Math.min(full, space)) : frame.token - 1)
  const half = halfChip(frame)
  const middle = chipMiddle(placed, left, width, half, frame, places)
  const box = { x: left + 0.5, y: middle - half, width, height: half * 2, rx: Math.min(4, width / 3) }
  const { kind } = data.legend
  const muted = decision.settled === false
  const own = branch.paths.includes(data.path)
  const name = ["chip", own && "own", muted && "unsettled", own && decision.position === data.position && "pinned"]
  const about = acting(name.filter(Boolean).join(" "), "pin", `c${decision.child}`,
    spokenDecision(decision, text, data.legend), { "data-child": decision.child })
  const word = { class: mark ? "word mark" : "word", style: { fill: muted ? null : tokenInk(kind, decision.value) },
    "xml:space": "preserve", x: box.x + 3.5, y: middle + 4, text: isolated(clipped(text, Math.floor((width - 5) / FONT.mono))) }
  return shape("g", about, shape("rect", { class: "back", ...box }),
    shape("rect", { class: "colour", ...box, fill: tokenColour(kind, decision.value) }),
    muted ? shape("rect", { ...box, fill: "url(#odd-tree-hatch)" }) : null, shape("rect", { class: "edge", ...box }),
    written ? shape("text", word) : null)
}

/** Vertical position of a chip. Where branches have just parted, it moves towards its own row until it is free. */
function chipMiddle(placed, left, width, half, frame, places) {
  const middle = heightAt(placed, left + Math.min(width, frame.token) / 2)
  const way = placed.y - middle, step = 2 * half + 1
  const further = Math.abs(way) < 1 ? 0 : Math.min(4, Math.ceil(Math.abs(way) / step))
  for (let at = 0; at <= further; at++) {
    const there = middle + Math.sign(way) * Math.min(at * step, Math.abs(way))
    if (places.free(left + 0.5, there - half, width, half * 2)) return there
  }
  return middle
}

function spokenDecision(decision, text, legend) {
  const value = known(decision.value) ? number(decision.own, 2, legend.ends[0] < 0) : "unknown"
  const muted = decision.settled === false ? ", sign not settled" : ""
  return `decision point, token ${decision.position} ${text}, ${legend.name} ${value}${muted}, ${decision.children} children`
}

/** Mark of the token that is pinned in the text. */
function pinMark({ data, visible, tree, frame }, places) {
  const branch = onPath(visible, data.path, data.position)
  if (!branch) return null
  const placed = branchPixels(branch, tree, frame)
  const x = frame.x(data.position) + frame.token / 2
  const y = heightAt(placed, x) - halfChip(frame) - 3
  places.free(x - 6, y - 8, 12, 9)
  return shape("path", { class: "pin", d: `M${x},${y} l-5,-7 h10 z` })
}

/** P_succ, visits and the beginning of the text over each branch, the most visited first, where there is room. */
function labels(inView, scene, places) {
  if (scene.frame.pitch < 17) return []
  const rank = ({ branch }) => weight(branch) + (branch.at === scene.selected ? Infinity : 0)
  return inView.filter(({ branch, end }) => branch.parent !== null && end > SPACE.left + 2)
    .toSorted((one, other) => (rank(one) === rank(other) ? 0 : rank(other) - rank(one)))
    .map((placed) => label(placed, scene, places))
}

function label({ branch, from, y, end, turn }, scene, places) {
  const { frame } = scene
  const x = Math.max(from.y === y ? from.x : turn, SPACE.left) + 4
  const space = (isLeaf(branch) ? frame.right : Math.min(end, frame.right)) - x - 4
  const base = y - Math.max(frame.thickness(branch.n[0], scene.most) / 2, halfChip(frame)) - 3
  const [success, visits] = [number(branch.p[0]), `n=${counted(branch.n[0])}`]
  const short = success.length * FONT.label
  if (short > space) return null
  const spans = [tspan(branch.high - branch.low > 0.6 ? "value vague" : "value", success)]
  let used = short + 5 + visits.length * FONT.label
  if (used <= space) {
    spans.push(tspan("faint", visits, 4))
    const left = Math.floor((Math.min(space, 240) - used - 8) / FONT.mono)
    const text = words(scene, branch)
    if (!scene.spelled && frame.pitch >= 22 && left >= 4 && text.trim()) {
      const shown = clipped(text, left)
      used += 8 + cells(shown) * FONT.mono
      spans.push(tspan("words", isolated(shown), 6))
    }
  } else used = short
  if (!places.free(x, base - 8, used, 9)) {
    if (spans.length < 2 || !places.free(x, base - 8, short, 9)) return null
    spans.length = 1
  }
  return shape("text", { class: "label", "xml:space": "preserve", x, y: base }, ...spans)
}

/** Joint where branches part: a click collapses or expands the subtree. */
function joint({ branch, y, end }, { frame }) {
  if (!branch.children.length || !branch.nodes.length || end < SPACE.left - 4 || end > frame.right) return null
  const below = countBelow(branch)
  const name = `${branch.collapsed ? "expand" : "collapse"} ${amount(below, "branch", "branches")}`
  const text = `+${counted(below)}`
  const pill = { x: end + 2, y: y - 8, width: text.length * 6 + 18, height: 16, rx: 8 }
  const shown = branch.collapsed
    ? [shape("rect", pill), shape("path", { d: `M${end + 9},${y - 3.5} l4,3.5 l-4,3.5` }),
      shape("text", { x: end + 17, y: y + 3.5, text })]
    : [shape("circle", { cx: end, cy: y, r: 3.2 }), shape("circle", { class: "reach", cx: end, cy: y, r: 7 })]
  const about = acting(branch.collapsed ? "joint collapsed" : "joint", "fold", `j${branch.at}`, name,
    { "data-at": branch.at, "aria-expanded": String(!branch.collapsed) })
  return shape("g", about, shape("title", { text: name }), ...shown)
}

/** Groups of nearby nodes with hidden branches; the last may be the open end of a leaf. */
function hiddenGroups(branch, frame) {
  const near = frame.token < 9 ? 80 : 48
  const groups = []
  for (const { at, branches, rollouts } of branch.hidden.toReversed()) {
    const group = { x: frame.x(branch.depth + at + 1), branches, rollouts, nodes: [branch.nodes[at]] }
    const last = groups.at(-1)
    if (last && last.x - group.x < near) join(last, group)
    else groups.push({ ...group, open: !branch.children.length && at === branch.nodes.length - 1 })
  }
  return groups.toReversed()
}

function join(group, { branches, rollouts, nodes }) {
  group.branches += branches
  group.rollouts += rollouts
  group.nodes = [...nodes, ...group.nodes]
}

/** Handle after the end of a leaf whose rollouts continue. */
function endHandle({ branch, y, end }, scene, places) {
  const { frame } = scene
  const group = hiddenGroups(branch, frame).at(-1)
  if (!group?.open || end < SPACE.left - 4 || end + 4 > frame.right || frame.pitch < 11) return null
  return handle({ left: end + 4, ...group }, y - 6, scene, places)
}

/** Handles with the counts of hidden branches, under their nodes. */
function handles(placed, scene, places) {
  const { branch } = placed
  const { frame } = scene
  if (branch.collapsed || frame.pitch < 17) return []
  const thick = Math.max(frame.thickness(Math.max(...branch.n), scene.most) / 2, halfChip(frame))
  const below = (x) => heightAt(placed, x) + thick + 1
  const room = (group, x, y) => places.empty(x - wide(group) / 2, y + 1, wide(group), 10)
  const groups = []
  for (const group of hiddenGroups(branch, frame)) {
    if (group.open || group.x < SPACE.left - 2 || group.x > frame.right + 2) continue
    const last = groups.at(-1)
    // a group without room is merged into the next one
    if (last && !room(last, last.x, below(last.x))) join(group, groups.pop())
    groups.push(group)
  }
  const drawn = groups.map((group) => {
    const spots = [below, (x) => heightAt(placed, x) - 6].flatMap((height) =>
      SHIFTS.map((shift) => [group.x + shift, height(group.x + shift)]))
    const [x, y] = spots.find(([at, height]) => room(group, at, height)) ?? spots[0]
    return handle({ ...group, left: x - wide(group) / 2 }, y, scene, places)
  })
  const open = branch.nodes.filter((node) => scene.data.unfolded.includes(node))
  return [...drawn, ...open.map((node) => closer(node, branch, below, frame))]
}

const amount = (count, one, more) => `${counted(count)} ${count === 1 ? one : more}`
const wide = ({ branches }) => counted(branches).length * 5.6 + 13

function handle({ left, branches, rollouts, nodes }, y, scene, places) {
  const waiting = nodes.some((node) => scene.unfolding.has(node))
  const size = wide({ branches })
  const x = Math.min(left, scene.frame.right - size)
  places.free(x, y + 1, size, 10)
  const several = nodes.length > 3 || (nodes.length > 1 && branches > 12)
  const here = `${nodes.length > 1 ? `${nodes.length} tokens ` : ""}here: ${several ? "zoom in" : "unfold"}`
  const name = `${amount(branches, "rarer branch leaves", "rarer branches leave")} ${here} (${amount(rollouts, "rollout", "rollouts")})`
  const about = acting("handle", several ? "near" : "unfold", `h${nodes[0]}`, name, { "data-nodes": nodes.join(" ") })
  const text = waiting ? "…" : `+${counted(branches)}`
  return shape("g", about, shape("title", { text: name }), shape("rect", { x, y, width: size, height: 12, rx: 6 }),
    shape("text", { x: x + size / 2, y: y + 9, "text-anchor": "middle", text }))
}

/** Handle that folds an unfolded node again. */
function closer(node, branch, below, frame) {
  const x = frame.x(branch.depth + branch.nodes.indexOf(node) + 1)
  const y = below(x)
  if (x < SPACE.left - 2 || x > frame.right + 2) return null
  const name = "fold the rarer branches again"
  return shape("g", acting("handle open", "refold", `o${node}`, name, { "data-nodes": node }),
    shape("title", { text: name }), shape("rect", { x: x - 8, y, width: 16, height: 12, rx: 6 }),
    shape("text", { x, y: y + 9, "text-anchor": "middle", text: "−" }))
}
