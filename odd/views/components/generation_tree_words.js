// Texts of the generation tree: legend, tooltips, the selected branch, and the CSV file.

function treeLegend(data, frame, most) {
  const { legend } = data
  const sizes = [...new Set([1, Math.max(1, Math.round(most / 10)), most])]
  const text = (words) => document.createTextNode(words)
  const height = (n) => `${frame.thickness(n, most).toFixed(1)}px`
  const bar = (n) => element("i", { style: { height: height(n) } })
  const size = (n) => element("span", { class: "size" }, bar(n), text(counted(n)))
  const ramps = {
    diverging: `linear-gradient(90deg, ${PALETTE.harmful}, transparent, ${PALETTE.helpful})`,
    success: `linear-gradient(90deg, ${successColour(0)}, ${successColour(0.5)}, ${successColour(1)})`,
    sequential: `linear-gradient(90deg, transparent, ${PALETTE.teacher})`,
  }
  const ramp = (kind) => element("i", { class: "ramp", style: { background: ramps[kind] } })
  const digits = (end) => (Math.abs(end) < 0.1 && end ? 3 : end % 1 ? 2 : 0)
  const ends = legend.ends.map((end) => number(end, digits(end), legend.ends[0] < 0))
  const item = (title, ...children) => element("span", { class: "item", title }, ...children)
  const path = (name) => element("i", { class: `line ${name}` })
  const muted = element("i", { class: "muted", style: { "--helpful": PALETTE.helpful } })
  const optional = (shown, ...parts) => (shown ? [item(...parts)] : [])
  return [
    item(`${data.counts.name}: ${data.counts.about}`, text("width: "), ...sizes.map(size), text(data.counts.name)),
    item("estimated probability that the student ends correct", text("colour: P_succ 0 "), ramp("success"), text(" 1")),
    item(`decision points on the paths, coloured by ${legend.name}`, text(`chips: ${legend.name} ${ends[0]} `),
      ramp(legend.kind), text(` ${ends[1]}`)),
    ...optional(legend.interval, "the 95% interval contains 0", muted, text("sign not settled")),
    ...optional(data.paths.length, "representative paths", path("chosen"), text("path shown "), path("other"),
      text("other paths")),
    item("siblings with higher P_succ are drawn above those with lower", text("rows: branches, higher P_succ above")),
    ...optional(data.filtered, "they do not match the filters", text(`${data.filtered} decision points filtered out`)),
  ]
}

function successText(branch) {
  return `P_succ ${number(branch.p[0])} ${interval(branch.low, branch.high)}`.trim()
}

function visitsText(branch) {
  const n = branch.n[0]
  return `${counted(n)} visits (${counted(branch.right)} right, ${counted(n - branch.right)} wrong)`
}

/** Tooltip for a branch or a decision point; null where a title is enough. */
function tipContent(target, { tree, data }) {
  const line = (text, name = "") => element("div", { class: name, text })
  const chip = (text) => element("div", { class: "text mono" }, ...legible(text))
  if (target.dataset.act === "select") {
    const branch = tree[Number(target.dataset.at)]
    return [line(`${successText(branch)} · n=${counted(branch.n[0])}`, "strong"),
      line(span(branch) + (known(branch.student) ? ` · P_θ of first token ${number(branch.student, 3)}` : ""), "faint"),
      chip(clipped(words({ data }, branch), 160))]
  }
  if (target.dataset.act !== "pin") return null
  const here = data.decisions.filter((one) => one.child === Number(target.dataset.child))
  const decision = here.find((one) => one.path === data.path) ?? here[0]
  const { legend } = data
  const branch = tree.find((one) => one.nodes.includes(decision.child))
  const [first, ...others] = data.facts.map((one) => ({ ...one, ...written(one, decision) }))
  const said = ({ name, text }) => `${name} ${text}`
  const where = [`token ${decision.position}`, `|S_u| ${decision.children}`, `success range ${number(decision.success_range)}`,
    `n=${counted(decision.visits)}`]
  return [
    chip(data.tokens[branch.tokens[branch.nodes.indexOf(decision.child)]].text),
    line(said(first), "strong"),
    line(others.filter((one) => !one.interval).map(said).join(" · ")),
    ...others.filter((one) => one.interval).map((one) => line(said(one))),
    data.facts.some((one) => one.name === legend.name) ? null
      : line(`${legend.name} ${number(decision.own, 3, legend.ends[0] < 0)}`),
    line(where.join(" · "), "faint"),
    line(decision.settled === false ? "sign not settled · click pins the token" : "click pins the token", "faint"),
  ].filter(Boolean)
}

/** The selected branch: numbers, its text with the text before it, and its actions. */
function branchDetails(branch, component) {
  const { data, tree } = component
  const before = []
  for (let at = branch.parent; at !== null; at = tree[at].parent) before.unshift(tree[at])
  const tool = (text, act) => element("button", { class: "tool", type: "button", text, on: { click: act } })
  const names = data.paths.filter(({ path }) => branch.paths.includes(path))
  const shown = names.some(({ path }) => path === data.path)
  const paths = names.filter(({ path }) => path !== data.path)
    .map(({ path, name }) => tool(`show its path: ${name}`, () => component.send("pin", [path, -1])))
  const hidden = branch.hidden.reduce((sum, { branches }) => sum + branches, 0)
  const fullest = branch.hidden.toSorted((one, other) => other.rollouts - one.rollouts).slice(0, AT_ONCE)
  const rarer = fullest.map(({ at }) => branch.nodes[at])
  const folding = branch.children.length && branch.nodes.length
    ? tool(branch.collapsed ? "expand its subtree" : "collapse its subtree", () => component.fold(branch)) : null
  const kind = branch.rollout === undefined ? "" : ` · rollout ${branch.rollout}, the only one on this branch${branch.missing ? `; ${branch.missing.toLocaleString("en")} more tokens are not kept` : ""}`
  const student = known(branch.student) ? `P_θ of the first token ${number(branch.student, 3)}` : null
  const facts = [successText(branch), visitsText(branch), student, `${span(branch)}${kind}`].filter(Boolean)
  return [
    element("div", { class: "facts" },
      element("i", { class: "swatch", style: { background: successColour(branch.p[0]) } }),
      element("b", { text: branch.parent === null ? "Root" : "Branch" }), element("span", { text: facts.join(" · ") }),
      element("span", { class: "tools" }, shown ? element("span", { class: "faint", text: "on the path shown" }) : null,
        ...paths, folding,
        hidden ? tool(`unfold rarer branches (${counted(hidden)})`, () => component.unfold(rarer)) : null,
        tool("close", () => component.deselect()))),
    element("div", { class: "reading mono", tabindex: 0, role: "region", "aria-label": "text of the branch" },
      element("span", { class: "faint" }, ...before.flatMap((one) => reading(one, data))),
      element("mark", { class: "own-text" }, ...reading(branch, data))),
  ]
}

/** Tokens of a branch, each with its own text direction; line breaks are both marked and rendered. */
function reading(branch, data) {
  return branch.tokens.map((token) => {
    const { text, mark } = data.tokens[token]
    const breaks = !mark && text.endsWith("⏎") ? [document.createTextNode("\n")] : []
    return element("span", { class: mark ? "piece own" : "piece" }, ...legible(text), ...breaks)
  })
}

/** The visible branches as CSV. Texts are JSON strings: exact, and never read as formulas. */
function treeCsv(visible, data) {
  const names = ["branch", "parent", "node", "rollout", "first_token", "last_token", "visits", "right", "p_succ", "low",
    "high", "p_student", "paths", "ended", "cut", "rarer_branches_folded", "rollouts_folded", "text"]
  const cell = (value) => (typeof value === "string" ? `"${value.replaceAll('"', '""')}"` : value ?? "")
  const sum = (branch, part) => branch.hidden.reduce((total, entry) => total + entry[part], 0)
  const text = (branch) => JSON.stringify(branch.tokens.map((token) => data.tokens[token].text).join(""))
  const rows = visible.map((branch) => [branch.at, branch.parent, branch.nodes[0], branch.rollout, branch.depth,
    branch.depth + branch.length - 1, branch.n[0], branch.right, branch.p[0], branch.low, branch.high, branch.student,
    branch.paths.join(" "), Number(branch.ended), Number(branch.cut), sum(branch, "branches"), sum(branch, "rollouts"), text(branch)])
  return [names, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n"
}
