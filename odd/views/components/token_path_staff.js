// The staff under a line of text: V(u) with its band at token boundaries, and the score of each token as a bar.

const STAVES = {
  thin: { gutter: 74, value: { top: 2, height: 11 }, score: { top: 17, height: 14 }, height: 33 },
  lanes: { gutter: 74, value: { top: 6, height: 34 }, score: { top: 54, height: 36 }, height: 96 },
}
let STAFF = STAVES.thin

/** Background colour of a token by its value on the colour scale. */
function tokenColour(kind, value) {
  if (!known(value)) return "transparent"
  if (kind === "success") return `color-mix(in srgb, ${successColour(value)} 50%, transparent)`
  return kind === "sequential" ? rgba(PALETTE.teacher, value * 0.85) : divergingColour(value)
}

/** Colour of text on this background. */
function tokenInk(kind, value) {
  if (!known(value) || kind === "success") return null
  return kind === "sequential" ? ink(PALETTE.teacher, value * 0.85) : divergingInk(value)
}

/** Colour of a bar. Direction shows the sign and length the size, so it is opaque and small ones are visible. */
function barColour(kind, value) {
  if (kind === "success") return successColour(value)
  if (kind === "sequential") return PALETTE.teacher
  return value < 0 ? PALETTE.harmful : PALETTE.helpful
}

const valueHeight = (value) => STAFF.value.top + STAFF.value.height * (1 - value)

function scoreHeight(kind, value) {
  const share = kind === "diverging" ? (1 - value) / 2 : 1 - value
  return STAFF.score.top + STAFF.score.height * share
}

/**
 * The staff of one line.
 * `columns` are its tokens: {at, left, right, token}; `values` the value at each boundary of the path; `width` in pixels;
 * `support` the visits from which a value is drawn.
 */
function staff(columns, values, legend, width, support) {
  const right = columns.at(-1).right
  return shape("svg", { class: "staff", width, height: STAFF.height, "aria-hidden": "true" },
    ...axes(legend, right), ...columns.map((column) => shade(column)),
    ...valueLines(columns, values, support), ...columns.flatMap((column) => scoreBar(column, legend)))
}

function axes(legend, right) {
  const label = (y, text, name = "tick", x = STAFF.gutter - 7) =>
    shape("text", { x, y, class: name, "text-anchor": name === "tick" ? "end" : "start", text })
  const rule = (y, name = "rule") => shape("line", { x1: STAFF.gutter, x2: right, y1: y, y2: y, class: name })
  const { value, score } = STAFF
  const digits = Math.abs(legend.ends[1]) < 0.1 ? 3 : 2
  const end = (at) => number(legend.ends[at], legend.ends[1] === 1 ? 0 : digits, legend.ends[0] < 0)
  const middle = scoreHeight(legend.kind, 0)
  if (STAFF === STAVES.thin)
    return [label(value.top + value.height, "V(u)", "name", 0), label(score.top + score.height, legend.symbol, "name", 0), rule(middle, "zero")]
  return [
    label(value.top + value.height / 2 + 4, "V(u)", "name", 0),
    label(value.top + 4, "1"), label(value.top + value.height + 4, "0"), rule(value.top), rule(value.top + value.height),
    label(score.top + score.height / 2 + 4, legend.symbol, "name", 0),
    label(score.top + 4, (legend.kind === "sequential" ? "≥" : "") + end(1)), label(score.top + score.height + 4, end(0)),
    rule(score.top), rule(score.top + score.height), rule(middle, "zero"),
  ]
}

/** The column of a token, highlighted on hover. */
function shade({ at, left, right }) {
  return shape("rect", { class: "column", "data-at": at, x: left, y: 0, width: right - left, height: STAFF.height })
}

const supported = (value, support) => known(value?.value) && (value.value_visits ?? 0) >= support

/** Whether a line has anything to draw on a staff: a score, or a value that enough visits support. */
function measured(columns, values, support) {
  return columns.some(({ at, token }) => known(token.value) || supported(values[at], support))
}

/** V(u) with its band, in pieces: where too few rollouts support it, it is left out. */
function valueLines(columns, values, support) {
  const ends = [...columns.map(({ at, left }) => [left, values[at]]),
    [columns.at(-1).right, values[columns.at(-1).at + 1]]]
  const pieces = [[]]
  for (const end of ends) {
    if (supported(end[1], support)) pieces.at(-1).push(end)
    else if (pieces.at(-1).length) pieces.push([])
  }
  return pieces.filter((piece) => piece.length).flatMap((piece) => valueLine(piece))
}

function valueLine(found) {
  const point = ([x, value], part) => `${x.toFixed(1)},${valueHeight(value[part]).toFixed(1)}`
  const banded = found.filter(([, value]) => known(value.value_low) && known(value.value_high))
  const band = [...banded.map((end) => point(end, "value_low")),
    ...banded.toReversed().map((end) => point(end, "value_high"))]
  return [
    shape("polygon", { class: "band", points: band.join(" "), fill: PALETTE.success }),
    shape("polyline", { class: "value", points: found.map((end) => point(end, "value")).join(" "), stroke: PALETTE.success }),
  ]
}

function scoreBar({ left, right, token }, { kind }) {
  if (!known(token.value)) return []
  const wide = clamp((right - left) * 0.62, 3, 20)
  const middle = (left + right) / 2
  const [zero, end] = [scoreHeight(kind, 0), scoreHeight(kind, token.value)]
  const colour = barColour(kind, token.value)
  const bar = shape("rect", {
    x: middle - wide / 2, y: Math.min(zero, end), width: wide, height: Math.max(1.5, Math.abs(end - zero)), rx: 1.5,
    fill: colour, stroke: colour, class: token.settled === false ? "bar unsettled" : "bar",
  })
  if (!token.interval) return [bar]
  const [low, high] = token.interval.map((value) => scoreHeight(kind, value))
  return [bar, shape("line", { class: "whisker", x1: middle, x2: middle, y1: low, y2: high })]
}

/** Scores of the tokens as CSV. Tokens are JSON strings: exact, and never read as formulas. */
function pathCsv({ tokens, values, columns, legend }) {
  const names = ["position", "token", "decision_point", legend.symbol, ...columns, "value_before", "value_low",
    "value_high", "value_visits"]
  const cell = (value) => (typeof value === "string" ? `"${value.replaceAll('"', '""')}"` : value ?? "")
  const rows = tokens.flatMap((token, at) => [[at, JSON.stringify(token.text), token.decision ? 1 : 0,
    known(token.value) ? token.value : "", ...columns.map((name) => token.scores[name]), values[at].value,
    values[at].value_low, values[at].value_high, values[at].value_visits]])
  return [names, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n"
}
