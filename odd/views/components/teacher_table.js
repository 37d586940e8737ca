const TABLES = new WeakMap()
const ROW = 40
const NUMBERS = 720
const TICK = 40
/** Widths of the two plots in a table of this width: the space left by the numbers; no second plot if it is small. */
function plotWidths(width) {
  const left = width - NUMBERS
  return left < 240 ? { mean: clamp(left, 130, 300), difference: 0 }
    : { mean: Math.min(300, left * 0.56), difference: Math.min(230, left * 0.44) }
}

/** Ticks at round numbers in a range, as many as are readable in a width. */
function ticks([low, high], width) {
  const raw = (high - low) / Math.max(1, Math.min(4, Math.floor(width / TICK))), power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 4, 5, 10].map((times) => times * power).find((size) => size >= raw)
  const first = Math.ceil(low / step - 1e-9)
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step)
}

/** A range that contains 0 and all of the estimates, with a margin. */
function range(estimates) {
  const ends = estimates.filter(Boolean).flatMap(({ value, low, high }) => [value, low, high]).filter(known)
  const low = Math.min(0, ...ends), high = Math.max(0, ...ends), air = Math.max(0.02, (high - low) * 0.06)
  return [low - air, high + air]
}

const along = ([low, high], width) => (value) => ((value - low) / (high - low)) * width

/** A mean as a dot with its interval; filled where its sign is certain. */
function dot(found, domain, width) {
  const x = along(domain, width), middle = ROW / 2
  const svg = shape("svg", { width, height: ROW, class: "plot" },
    ...ticks(domain, width).map((tick) =>
      shape("line", { class: Math.abs(tick) < 1e-9 ? "zero" : "grid", x1: x(tick), x2: x(tick), y1: 0, y2: ROW })))
  if (!known(found?.value)) return svg
  const sure = found.sure
  const colour = !sure ? "var(--st-text-color)" : found.value < 0 ? PALETTE.harmful : PALETTE.helpful
  if (known(found.low)) {
    svg.append(shape("line", { class: "whisker", x1: x(found.low), x2: x(found.high), y1: middle, y2: middle,
      style: { stroke: colour } }))
  }
  const fill = sure ? colour : "var(--st-background-color)"
  svg.append(shape("circle", { cx: x(found.value), cy: middle, r: 5, style: { fill, stroke: colour } }))
  return svg
}

function axis(domain, width) {
  const x = along(domain, width), marks = ticks(domain, width), digits = Math.abs(marks[1] - marks[0]) < 0.1 ? 2 : 1
  return shape("svg", { width, height: 16, class: "axis" }, ...marks.map((tick) =>
    shape("text", { x: clamp(x(tick), 14, width - 14), y: 12, "text-anchor": "middle", text: number(tick, digits, true) })))
}

function estimate(found, { digits = 3, signed = true, percent = false } = {}) {
  const times = percent ? 100 : 1
  const scaled = (value) => (known(value) ? value * times : null)
  const written = number(scaled(found?.value), digits, signed)
  const cell = element("td", { class: "number" },
    element("div", { text: percent && written !== "–" ? `${written}%` : written }))
  if (!known(found?.value)) return cell
  cell.append(element("div", { class: "faint small", text: interval(scaled(found.low), scaled(found.high), digits, signed) }))
  cell.title = `${found.n} decision points in ${found.clusters} questions` +
    (known(found.low) ? "; 95% interval over questions" : "; an interval needs at least three questions")
  return cell
}

function name(row, data, choose) {
  const own = row.teacher === data.baseline
  const label = element("button", { class: "name", type: "button", text: row.teacher, disabled: own,
    title: own ? `${row.teacher} is the baseline` : `Make ${row.teacher} the baseline`, on: { click: choose } })
  return element("th", { scope: "row" }, label,
    element("div", { class: "faint small", text: row.mean.n ? `${row.mean.n} decision points` : "no alignment" }))
}

const HEADINGS = [["teacher"], ["mean alignment (cosine)", "mean"], ["positive"], ["range-weighted"], ["mean gain"], ["advantage"],
  ["difference from baseline", "difference"], ["best at"]]

const EXPLAINED = {
  positive: "Share of decision points with alignment > 0",
  "range-weighted": "Alignment weighted by the success range of each decision point",
  "mean gain": "First-order change of success per unit step along the teacher's gradient",
  advantage: "Success under the teacher minus success under the student, on the visited children",
  "difference from baseline": "Mean of alignment minus the baseline's, over nodes where both are defined",
  "best at": "Share of the common decision points at which no compared teacher is better aligned; ties are split",
}

/** Teachers in rows: dots with intervals, the numbers, and the difference from the baseline. */
export default function ({ data: { payload }, parentElement, setTriggerValue }) {
  const data = JSON.parse(payload)
  TABLES.get(parentElement)?.disconnect()
  const place = parentElement.querySelector(".odd")
  let width = 0
  const resized = new ResizeObserver(() => {
    if (place.clientWidth === width) return
    width = place.clientWidth
    const draw = (wide) => place.replaceChildren(
      ...build(data, plotWidths(wide), (teacher) => setTriggerValue("baseline", teacher)))
    draw(width)
    // shrink the plots if names and numbers are wider than usual
    const excess = place.querySelector("table").offsetWidth - width
    if (excess > 0) draw(width - excess)
  })
  resized.observe(place)
  TABLES.set(parentElement, resized)
  return () => resized.disconnect()
}

function build(data, widths, choose) {
  const domains = Object.fromEntries(Object.keys(widths).map((part) => [part, range(data.rows.map((row) => row[part]))]))
  const drawn = (part, content) => (widths[part] ? [element("td", { class: "drawn" }, content)] : [])
  const plot = (row, part) => drawn(part, widths[part] ? dot(row[part], domains[part], widths[part]) : null)
  const span = { mean: 2, difference: widths.difference ? 2 : 1 }
  const difference = (row) => row.teacher === data.baseline
    ? [element("td", { class: "faint centred", colspan: span.difference, text: "baseline" })]
    : [...plot(row, "difference"), estimate(row.difference)]
  const table = element("table", {},
    element("thead", {}, element("tr", {}, ...HEADINGS.map(([text, part]) =>
      element("th", { scope: "col", colspan: span[part] ?? 1, text, title: EXPLAINED[text] })))),
    element("tbody", {}, ...data.rows.map((row) => element("tr", { "data-teacher": row.teacher },
      name(row, data, () => choose(row.teacher)),
      ...plot(row, "mean"), estimate(row.mean), estimate(row.positive, { digits: 2, signed: false }),
      estimate(row.weighted), estimate(row.gain), estimate(row.advantage), ...difference(row),
      estimate(row.best, { digits: 0, signed: false, percent: true })))),
    element("tfoot", {}, element("tr", {}, element("td"), ...drawn("mean", axis(domains.mean, widths.mean)),
      element("td", { colspan: 5 }),
      ...drawn("difference", widths.difference ? axis(domains.difference, widths.difference) : null),
      element("td", { colspan: 2 }))))
  const note = element("span", { class: "faint small", text:
    "dot: mean, line: 95% interval over questions; filled where it excludes 0 and there are six questions" })
  return [element("div", { class: "scroll" }, table),
    element("div", { class: "under" }, note, ...pictureButtons(() => table, data.name))]
}
