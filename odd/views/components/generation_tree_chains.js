// Chains of a deep tree folded: stretches of tokens at which nothing branches or is decided take little of the depth axis.

const DEEP = 200 // tokens from which chains are folded at first
const CHAIN = 6 // units of a folded chain, in tokens; longer ones are folded

/** Maps depths in tokens to units of the axis and back, piecewise linear; without chains both are the same. */
class DepthScale {
  /** `marks` are the depths that stay apart; null: no chain is folded. */
  constructor(deepest, marks = null) {
    const ends = marks === null ? [0, deepest] : [...new Set([0, ...marks, deepest])].filter((at) => at >= 0 && at <= deepest)
    this.depths = ends.sort((one, other) => one - other)
    this.units = [0]
    this.chains = []
    for (let at = 1; at < this.depths.length; at++) {
      const size = this.depths[at] - this.depths[at - 1]
      const long = marks !== null && size > CHAIN
      if (long) this.chains.push([this.depths[at - 1], this.depths[at]])
      this.units.push(this.units[at - 1] + (long ? CHAIN : size))
    }
  }

  get size() {
    return this.units.at(-1)
  }

  unit(depth) {
    return between(this.depths, this.units, depth)
  }

  depth(unit) {
    return between(this.units, this.depths, unit)
  }

  /** Whether the token at a depth is inside a folded chain. */
  folded(depth) {
    return this.chains.length > 0 && this.unit(depth + 1) - this.unit(depth) < 0.999
  }
}

/** Linear interpolation between the entries of two ascending lists; beyond their ends, with slope 1. */
function between(from, to, value) {
  if (value <= from[0] || from.length < 2) return to[0] + value - from[0]
  if (value >= from.at(-1)) return to.at(-1) + value - from.at(-1)
  let [low, high] = [0, from.length - 1]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (from[middle] <= value) low = middle
    else high = middle
  }
  return to[low] + ((value - from[low]) / (from[high] - from[low])) * (to[high] - to[low])
}

/** Depths at which branches start and end, and of the tokens of decision points. */
function eventDepths(visible, places, decisions) {
  const branches = visible.flatMap(({ depth, length }) => [depth, depth + 1, depth + length - 1, depth + length])
  const found = decisions.flatMap(({ child }) => {
    const place = places.get(child)
    return place ? [place.branch.depth + place.offset, place.branch.depth + place.offset + 1] : []
  })
  return [...branches, ...found]
}

/** Marks on the axis where chains are folded, if there is room. */
function chainMarks(frame) {
  return frame.scale.chains.map(([from, to]) => {
    const [left, right] = [frame.x(from), frame.x(to)]
    if (right - left < 12 || right < SPACE.left || left > frame.right) return null
    return shape("text", { class: "axis chain", x: (left + right) / 2, y: SPACE.top - 8, "text-anchor": "middle", text: "⋯" },
      shape("title", { text: `${(to - from).toLocaleString("en-US")} tokens without a branch or decision point` }))
  })
}
