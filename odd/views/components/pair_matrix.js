const MANY = 7

function pairCell(found, row, column, end, small) {
  if (!found) return element("td", { class: "self" })
  if (!known(found.value)) return element("td", { class: "faint", text: "–", title: `${row} and ${column} have no node in common` })
  const share = clamp(found.value / end, -1, 1), sure = found.sure
  const title = `${row} minus ${column}: ${number(found.value, 3, true)} ${interval(found.low, found.high, 3, true)}, ` +
    `${found.n} decision points in ${found.clusters} questions`
  return element("td", { title, class: sure ? "sure" : null,
    style: { background: divergingColour(share), color: divergingInk(share) } },
  element("div", { text: number(found.value, small ? 2 : 3, true) }),
  small ? null : element("div", { class: "small", text: interval(found.low, found.high, 2, true) }))
}

/** Mean differences of alignment, row minus column. */
export default function ({ data: { payload }, parentElement }) {
  const data = JSON.parse(payload)
  const { order, cells, end } = data
  const small = order.length > MANY
  const table = element("table", { class: small ? "many" : null, style: { "--teachers": order.length } },
    element("thead", {}, element("tr", {}, element("th", { class: "corner", text: "row minus column" }),
      ...order.map((name) => element("th", { scope: "col", text: name, title: name })))),
    element("tbody", {}, ...order.map((name, row) => element("tr", {},
      element("th", { scope: "row", text: name, title: name }),
      ...cells[row].map((found, column) => pairCell(found, name, order[column], end, small))))))
  const ramp = `linear-gradient(90deg, ${PALETTE.harmful}, transparent, ${PALETTE.helpful})`
  const legend = element("div", { class: "legend" },
    element("span", { text: `column better ${number(-end, 2, true)}` }),
    element("span", { class: "ramp", style: { background: ramp } }),
    element("span", { text: `${number(end, 2, true)} row better` }))
  parentElement.querySelector(".odd").replaceChildren(element("div", { class: "scroll" }, table),
    element("div", { class: "under" }, legend, ...pictureButtons(() => table, data.name)))
}
