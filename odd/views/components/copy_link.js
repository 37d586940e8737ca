/** A button that copies the URL of the page, which contains the whole view. */
export default function ({ parentElement }) {
  keepScroll()
  const place = parentElement.querySelector(".odd")
  const button = element("button", {
    class: "tool", text: "Copy link", type: "button", title: "Copy a link to exactly this view",
    on: { click: () => copy() },
  })
  async function copy() {
    try {
      await navigator.clipboard.writeText(window.location.href)
      button.textContent = "Copied"
      setTimeout(() => { button.textContent = "Copy link" }, 1500)
    } catch {
      // browsers block the clipboard without a secure connection: show the URL for copying by hand
      const field = element("input", { value: window.location.href, readonly: true, "aria-label": "Link to this view" })
      place.replaceChildren(field)
      field.select()
    }
  }
  place.replaceChildren(button)
}
