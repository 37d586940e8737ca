// A table with clickable rows. The `kind` of a column determines its cells:
//   count, text      a whole number, a text
//   number           a number, with `digits` decimals
//   lines            texts, one per line; the first is emphasised
//   question         {title, text, note}
//   rate             {value, low, high, n}: a probability with its interval
//   bar              {value, low, high, n, few, why, parts}: a bar from 0, to `limit` on either side
//   excerpt          [{text, hit}]: parts of a text; those that were searched for are marked
//   tokens           [{text, mark}]: text around a token, spaces kept
//   tick             true or false
// A column is at least `min` pixels wide and takes `grow` parts of the remaining width; `sort` makes it sortable.
// A row is {key, at, cells}; `at` are the view parameters that its link changes.

const states = new WeakMap()
const GAP = 10

export default function ({ data: { payload }, parentElement, setTriggerValue }) {
  const data = JSON.parse(payload)
  const place = parentElement.querySelector(".odd")
  const state = states.get(parentElement) ?? { seen: null, active: null, columns: null, lines: new Map() }
  states.set(parentElement, state)
  state.emit = setTriggerValue
  const text = JSON.stringify(data)
  if (state.seen === text && place.firstChild) return
  state.seen = text
  const scroll = place.querySelector(".scroll")
  const [top, left] = [scroll?.scrollTop ?? 0, scroll?.scrollLeft ?? 0]
  const focused = place.getRootNode().activeElement
  const focus = focused?.dataset?.sort ?? (focused?.matches?.("a.open") ? "row" : null)
  const view = build(data, state)
  place.replaceChildren(caption(data), view)
  view.scrollTo(left, top)
  if (focus === "row") rowLinks(view).find((link) => link.tabIndex === 0)?.focus()
  else if (focus) view.querySelector(`button.sort[data-sort="${CSS.escape(focus)}"]`)?.focus()
}

function build(data, state) {
  const hint = element("div", { class: "hint", role: "tooltip", hidden: true })
  const style = {
    "--layout": data.columns.map(({ min, grow }) => grow ? `minmax(${min}px, ${grow}fr)` : `${min}px`).join(" "),
    "min-width": `${data.columns.reduce((sum, { min }) => sum + min + GAP, GAP)}px`,
    "--gap": `${GAP}px`,
  }
  const table = element(
    "div", { class: "table", role: "table", "aria-label": data.label, "aria-rowcount": data.rows.length + 1, style },
    element("div", { role: "row", class: "head" }, ...data.columns.map((column) => heading(column, data, state))),
    ...lines(data, state),
  )
  if (!data.rows.length) table.append(element("div", { class: "nothing faint", text: data.nothing }))
  const active = rowLinks(table).find((link) => link.dataset.key === state.active) ?? rowLinks(table)[0]
  if (active) active.tabIndex = 0
  table.addEventListener("pointerover", (event) => showHint(event, data, hint))
  table.addEventListener("pointerleave", () => { hint.hidden = true })
  table.addEventListener("keydown", (event) => moveWithKeys(event, table, state))
  return element("div", { class: "scroll", tabindex: -1, on: { scroll: () => { hint.hidden = true } } }, table, hint)
}

function caption({ columns, caption: text, few }) {
  const swatch = (colour, name, kind = "") =>
    element("span", { class: "swatch" }, element("i", { class: `fill ${kind}`, style: { "--colour": colour } }), element("span", { text: name }))
  const bars = columns.some((column) => column.kind === "bar")
  return element("div", { class: "caption faint" }, element("span", { role: "status", text }), bars ? element(
    "span", { class: "legend" }, swatch(PALETTE.harmful, "harmful"), swatch(PALETTE.helpful, "helpful"),
    few ? swatch(PALETTE.neutral, `fewer than ${few} decision points`, "few") : null) : null)
}

function heading(column, data, state) {
  const current = data.sort.replace(/^-/, "") === column.sort
  const falling = data.sort.startsWith("-")
  const order = !column.sort ? null : current ? (falling ? "descending" : "ascending") : "none"
  const cell = element("div", { role: "columnheader", class: `cell ${column.kind}`, "aria-sort": order })
  if (column.sort) {
    const next = current ? (falling ? "" : "-") + column.sort : (column.rising ? "" : "-") + column.sort
    const arrow = current ? (falling ? " ↓" : " ↑") : ""
    cell.append(element("button", {
      class: "sort", type: "button", "data-sort": column.sort, title: `Sort by ${column.title}`,
      on: { click: () => state.emit("sort", next) },
    }, element("span", { class: "name", text: column.title }), element("span", { text: arrow })))
  } else cell.append(element("span", { class: "name", text: column.title, title: column.title }))
  if (column.kind === "bar") cell.append(axis(column))
  if (column.note) cell.append(element("small", { class: "faint", text: column.note }))
  return cell
}

function axis({ limit }) {
  const label = (value) => element("span", { text: number(value, limit < 0.1 ? 2 : 1, true) })
  return element("small", { class: "axis faint", "aria-hidden": "true" }, label(-limit), element("span", { text: "0" }), label(limit))
}

/** All rows in order. Existing row elements are reused, so sorting thousands is fast. */
function lines(data, state) {
  const columns = JSON.stringify([data.columns, data.linked, data.action])
  if (columns !== state.columns) state.lines.clear()
  state.columns = columns
  const before = state.lines
  state.lines = new Map()
  const nodes = []
  const names = Object.keys(data.rows[0]?.at ?? {})
  const target = new URL(data.link.page, window.location.href)
  target.search = new URLSearchParams(data.link.query.filter(([name]) => !names.includes(name)))
  for (const row of data.rows) {
    const text = JSON.stringify(row)
    const old = before.get(row.key)
    before.delete(row.key) // a duplicate key gets a row of its own
    const kept = old?.text === text ? old : { text, ...line(row, data, state) }
    kept.node.classList.toggle("chosen", row.key === data.chosen)
    kept.link.tabIndex = -1
    kept.link.href = `${target.href}&${new URLSearchParams(Object.entries(row.at))}`
    state.lines.set(row.key, kept)
    nodes.push(kept.node)
  }
  return nodes
}

function line(row, data, state) {
  const open = () => { state.active = row.key; state.emit("open", row.key) }
  const cells = data.columns.map((column, at) => {
    const value = row.cells[at]
    const cell = element("div", { role: "cell", class: `cell ${column.kind}`, "data-column": at })
    cell.append(...CELLS[column.kind](value, column))
    const said = column.kind === "bar" || column.kind === "rate" ? hintLines(value, column).join("; ") : null
    if (said) cell.setAttribute("aria-label", said)
    return cell
  })
  const link = element("a", {
    class: "open", "data-key": row.key, title: data.action,
    on: { click: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) { event.stopPropagation(); return }
      event.preventDefault()
    } },
  })
  link.append(...cells[data.linked].childNodes)
  cells[data.linked].append(link)
  const node = element("div", {
    role: "row", class: "row", "data-key": row.key, on: { click: () => { if (!String(window.getSelection())) open() } },
  }, ...cells)
  return { node, link }
}

const CELLS = {
  count: (value) => [element("span", { class: known(value) ? "" : "faint", text: known(value) ? String(value) : "–" })],
  number: (value, { digits }) => [element("span", { class: known(value) ? "" : "faint", text: number(value, digits) })],
  text: (value) => [element("span", { class: value ? "" : "faint", text: value || "–" })],
  lines: ([first, ...more]) => first ? [
    element("span", { class: "first", text: first }), ...more.map((text) => element("small", { class: "more faint", text })),
  ] : [element("span", { class: "faint", text: "–" })],
  excerpt: (parts) => parts.map(({ text, hit }) => element(hit ? "mark" : "span", { text })),
  tick: (value) => [element("span", {
    text: value ? "✓" : "✗", "aria-label": value ? "correct" : "incorrect",
    style: { color: value ? PALETTE.success : PALETTE.failure, "font-weight": "700" },
  })],
  question: ({ title, text, note }) => [
    element("span", { class: "title", text: title }),
    element("span", { class: "asked", text }),
    note ? element("span", { class: "note", text: note, title: note }) : element("span"),
  ],
  tokens: (parts) => parts.map(({ text, mark }) => element("span", { class: mark ? `token ${mark}` : "token" }, ...legible(text))),
  rate: ({ value, low, high, n }) => known(value) ? [
    element("span", { class: "value" }, number(value), element("small", { class: "faint", text: ` n ${n}` })),
    element("span", { class: "track" },
      element("i", { class: "range", style: { left: `${low * 100}%`, width: `${(high - low) * 100}%` } }),
      element("i", { class: "dot", style: { left: `${value * 100}%`, background: successColour(value) } })),
  ] : [element("span", { class: "faint", text: "–" })],
  bar: (cell, column) => {
    const share = known(cell.value) ? clamp(cell.value / column.limit, -1, 1) * 50 : 0
    const colour = column.plain ? PALETTE.neutral : cell.value < 0 ? PALETTE.harmful : PALETTE.helpful
    const bar = element("i", {
      class: cell.few ? "fill few" : "fill",
      style: { left: `${Math.min(50, 50 + share)}%`, width: `${Math.abs(share)}%`, "--colour": colour },
    })
    const whisker = known(cell.low) && known(cell.high) ? element("i", { class: "whisker", style: {
      left: `${50 + clamp(cell.low / column.limit, -1, 1) * 50}%`,
      width: `${(clamp(cell.high / column.limit, -1, 1) - clamp(cell.low / column.limit, -1, 1)) * 50}%`,
    } }) : null
    const track = element("span", { class: "track" }, element("i", { class: "zero" }), known(cell.value) ? bar : null, whisker)
    const muted = !known(cell.value) || cell.few
    return [element("span", { class: muted ? "value faint" : "value", text: number(cell.value, 2, true) }), track]
  },
}

/** Full text of a cell. */
function hintLines(cell, column) {
  if (column.kind === "rate") {
    if (!known(cell.value)) return [`${column.title}: not known yet`]
    return [`${column.title} ${number(cell.value, 3)} ${interval(cell.low, cell.high, 3)}`, column.meaning, `n = ${cell.n}`]
  }
  if (column.kind !== "bar") return []
  const value = `${column.title}: ${number(cell.value, 3, true)} ${interval(cell.low, cell.high, 3, true)}`.trim()
  const parts = (cell.parts ?? []).map((part, at) => `${column.parts[at]}: ${number(part, 3, true)}`)
  const few = cell.few && known(cell.value) ? "few: interpret with care" : null
  return [value, column.meaning, known(cell.n) ? `n = ${cell.n} ${column.unit}` : null, cell.why, few, ...parts].filter(Boolean)
}

function showHint(event, data, hint) {
  const cell = event.target.closest(".row .cell")
  const row = cell && data.rows.find((one) => one.key === cell.closest(".row").dataset.key)
  const at = cell && Number(cell.dataset.column)
  const lines = row ? hintLines(row.cells[at], data.columns[at]) : []
  hint.hidden = !lines.length
  if (hint.hidden) return
  hint.replaceChildren(...lines.map((text, i) => element("div", { class: i ? "faint" : "", text })))
  const box = cell.getBoundingClientRect()
  const size = hint.getBoundingClientRect()
  const below = box.bottom + size.height + 8 < window.innerHeight
  hint.style.left = `${clamp(box.left, 8, Math.max(8, window.innerWidth - size.width - 8))}px`
  hint.style.top = `${below ? box.bottom + 4 : box.top - size.height - 4}px`
}

const rowLinks = (table) => [...table.querySelectorAll("a.open")]

function moveWithKeys(event, table, state) {
  const links = rowLinks(table)
  const at = links.indexOf(event.target)
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1, PageDown: at + 10, PageUp: at - 10 }
  if (at < 0 || !(event.key in steps)) return
  event.preventDefault()
  event.stopPropagation()
  const next = links[clamp(steps[event.key], 0, links.length - 1)]
  links[at].tabIndex = -1
  next.tabIndex = 0
  state.active = next.dataset.key
  next.focus()
}
