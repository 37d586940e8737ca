/** The text of a rollout: its thinking part, which folds, and its answer. Found parts are marked. */
const READ = new WeakMap()

export default function ({ data: { payload }, parentElement }) {
  const data = JSON.parse(payload)
  const place = parentElement.querySelector(".odd")
  if (READ.get(parentElement) === payload) return
  READ.set(parentElement, payload)
  const words = (parts) => element("div", { class: "words" }, ...parts.map(({ text, hit }) => element(hit ? "mark" : "span", { text })))
  const found = (parts) => parts.filter(({ hit }) => hit).length
  const hits = found(data.thinking) ? ` · ${found(data.thinking)} found` : ""
  const thinking = data.thinking.length ? element("details", { open: found(data.thinking) > 0 },
    element("summary", { text: `thinking part${hits}` }), words(data.thinking)) : ""
  const answer = data.answer.length ? words(data.answer) : element("p", { class: "faint", text: "no text after the thinking part" })
  const text = element("div", { class: "text", tabindex: 0, role: "region", "aria-label": `text of rollout ${data.rollout}` }, thinking, answer,
    data.cut ? element("p", { class: "faint", text: "The text is longer; the rest is not shown." }) : "")
  place.replaceChildren(text)
  const first = text.querySelector("mark")
  if (first) text.scrollTop = first.getBoundingClientRect().top - text.getBoundingClientRect().top - 60
}
