/** Two buttons that save the plotly figure in the page container `place`. */
export default function ({ data: { payload }, parentElement }) {
  const { place, name } = JSON.parse(payload)
  const root = parentElement.querySelector(".odd")
  const figure = () => {
    const found = document.querySelector(`.st-key-${place} .js-plotly-plot`)
    found.querySelector(".modebar-container")?.setAttribute("data-unpictured", "")
    return found
  }
  root.replaceChildren(...pictureButtons(figure, name, root))
}
