/** One question without a server: the pages Tree and Compare, drawn from packed parts in the document. */

const READ = ["path", "teacher", "colour", "token", "node", "folded", "unfolded"]

export default function () {
  const stored = document.getElementById("payload")
  if (!stored) return
  const page = new OfflineQuestion(JSON.parse(stored.textContent), document.getElementById("question"))
  window.addEventListener("hashchange", () => page.show())
  page.show()
}

/** Parts of the document by key, unpacked when they are asked for. */
class Parts {
  constructor(packed) {
    Object.assign(this, { packed, read: new Map() })
  }

  async get(key) {
    if (!(key in this.packed)) return null
    if (!this.read.has(key)) this.read.set(key, this.unpack(this.packed[key]))
    return this.read.get(key)
  }

  async unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))
    return new Response(stream).json()
  }

  /** The payload of a part in a colour: that of the first colour, with what differs; null if it is left out. */
  async coloured(key, colour, first) {
    const [base, other] = await Promise.all([this.get(key), colour === first ? {} : this.get(`${key}/${colour}`)])
    return base && other && { ...base, ...other }
  }
}

/** A panel in whose shadow root a component draws, with the component's style. */
function panel(component, title, content = "") {
  const place = element("section", { class: "panel", "aria-label": title, hidden: true })
  const style = document.getElementById(`style-${component}`).content.cloneNode(true)
  const still = element("style", { text: ".odd.card { position: static; display: block; border: 0; padding: 0; box-shadow: none; } .odd.card .hint { display: none; }" })
  place.attachShadow({ mode: "open" }).append(style, still, element("div", { class: `odd ${content}` }))
  return place
}

class OfflineQuestion {
  constructor({ about, parts }, place) {
    Object.assign(this, { about, place, parts: new Parts(parts) })
    this.tree = panel("generation_tree", "Generation tree")
    this.path = panel("token_path", "Path")
    this.pinned = panel("token_path", "Pinned token", "card")
    this.more = panel("continuations", "Continuations")
    this.strips = panel("token_strips", "Teachers side by side")
    this.scale = element("div", { class: "legend" })
    this.said = element("p", { class: "faint", role: "status" })
    this.left = about.left.length ? element("p", { class: "faint", text: `Not in this file, which has a size limit: ${about.left.join(", ")}.` }) : null
    const head = element("h2", { class: "odd", text: "The same path under each teacher" })
    place.classList.add("odd")
    place.replaceChildren(this.header(), this.scale, this.said, this.path, this.pinned, this.more, head, this.strips, this.tree,
      ...[this.left].filter(Boolean), element("p", { class: "faint", text: `run ${about.run} · ODD ${about.version}` }))
  }

  header() {
    const { about } = this
    const choose = (name, label, options) => element("label", {}, document.createTextNode(`${label} `),
      element("select", { name, on: { change: (event) => this.go({ [name]: event.target.value,
        ...(name === "path" ? { token: null } : {}) }) } },
      ...options.map(([value, text]) => element("option", { value, text }))))
    this.choices = [choose("path", "response", about.paths), choose("teacher", "teacher",
      about.teachers.map((name) => [name ?? "", name ?? "no teacher"])), choose("colour", "colour by", about.colours)]
    const button = (text, act) => element("button", { class: "tool", type: "button", text, on: { click: act } })
    const copy = button("Copy link", () => navigator.clipboard.writeText(location.href).then(
      () => { copy.textContent = "Copied" }, () => { copy.textContent = "Copy the address above" }))
    const turn = button("Light / dark", () => {
      const root = document.documentElement
      root.dataset.theme = getComputedStyle(root).colorScheme === "dark" ? "light" : "dark"
    })
    const asked = about.asked ? [element("p", { class: "asked", text: about.asked.text }),
      element("p", { class: "faint", text: `answer: ${about.asked.answer}` })] : []
    return element("header", {}, element("h1", { text: `Question ${about.question}` }), ...asked,
      element("p", { class: "faint", text: about.measure }), element("div", { class: "bar" }, ...this.choices, copy, turn))
  }

  /** The view that the address names, completed and limited to what the file has. */
  view() {
    const { about } = this
    const asked = new URLSearchParams(location.hash.slice(1))
    const whole = (name) => (/^\d{1,9}$/.test(asked.get(name) ?? "") ? Number(asked.get(name)) : null)
    const within = (value, values, other) => (values.includes(value) ? value : other)
    const paths = about.paths.map(([path]) => path)
    const named = ["path", "token"].some((name) => asked.has(name))
    return {
      path: within(whole("path"), paths, about.first.path),
      teacher: within(asked.get("teacher") || null, about.teachers, about.first.teacher),
      colour: within(asked.get("colour"), about.colours.map(([name]) => name), about.first.colour),
      token: named ? whole("token") : about.first.token,
      node: whole("node"),
      folded: asked.getAll("folded").map(Number).filter(Number.isInteger),
    }
  }

  /** Change the view through the address, so that Back undoes it. */
  go(changes) {
    const view = { ...this.view(), ...changes }
    const parameters = new URLSearchParams()
    for (const name of READ) for (const value of [view[name] ?? []].flat()) parameters.append(name, value)
    location.hash = parameters.toString()
  }

  async show() {
    const view = this.view()
    const { about, parts } = this
    const rank = about.teachers.indexOf(view.teacher)
    const first = about.first.colour
    this.choices.forEach((label, at) => { label.querySelector("select").value = view[["path", "teacher", "colour"][at]] ?? "" })
    this.scale.replaceChildren(document.getElementById("legends").content.querySelector(`[data-colour="${CSS.escape(view.colour)}"]`).cloneNode(true))
    this.scale.firstChild.hidden = false
    const [tree, decisions, path, strips, more] = await Promise.all([parts.get("tree"),
      parts.coloured(`decisions/${rank}`, view.colour, first), parts.coloured(`path/${view.path}/${rank}`, view.colour, first),
      parts.coloured(`strips/${view.path}`, view.colour, first), parts.get(`continuations/${view.path}`)])
    if (JSON.stringify(view) !== JSON.stringify(this.view())) return // the next call draws the newer view
    const orNull = (at) => (at < 0 ? null : at)
    const acts = {
      position: (at) => this.go({ token: orNull(at) }),
      select: (node) => this.go({ node: orNull(node) }),
      fold: (folded) => this.go({ folded }),
      pin: ([to, at]) => this.go({ path: to, token: orNull(at) }),
      unfold: () => { this.said.textContent = "Rarer branches are not in this file: open the run in ODD to see them." },
      start: () => {},
      part: () => {},
    }
    const draw = (name, place, data) => {
      place.hidden = !data
      if (data) window.ODD[name]({ data: { payload: JSON.stringify(data) }, parentElement: place.shadowRoot,
        setTriggerValue: (act, value) => acts[act](value) })
    }
    const drawn = tree?.branches.length ? { ...tree, ...decisions, question: about.number, path: view.path,
      position: view.token, node: view.node, folded: view.folded, unfolded: [], name: about.tree } : null
    this.said.textContent = drawn ? "" : about.no_tree
    draw("generation_tree", this.tree, drawn)
    draw("token_path", this.path, path && { ...path, position: view.token })
    draw("token_strips", this.strips, strips && { ...strips, position: view.token })
    draw("continuations", this.more, more?.[view.token] ?? null)
    const card = view.token === null || !path ? null : window.ODD.token_path.card(this.path.shadowRoot, view.token)
    this.pinned.hidden = !card
    this.pinned.shadowRoot.querySelector(".card").replaceChildren(...(card ?? []))
    document.documentElement.dataset.drawn = location.hash
  }
}
