// Convert an HTML layout to one SVG drawing: texts, fills, lines under rows, and nested drawings.

const HATCH = "odd-hatch"

/** An SVG of an element as displayed, on the background `page`. Elements with `data-unpictured` are left out. */
function picture(root, page) {
  const box = root.getBoundingClientRect()
  const lines = shape("path", { d: "M0,6 L6,0", stroke: page, "stroke-width": 1.6 })
  const svg = shape("svg", { width: root.scrollWidth, height: root.scrollHeight },
    shape("defs", {}, shape("pattern", { id: HATCH, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, lines)),
    shape("rect", { width: root.scrollWidth, height: root.scrollHeight, fill: page }))
  draw(root, svg, box.left - root.scrollLeft, box.top - root.scrollTop)
  return svg
}

function draw(node, svg, left, top) {
  if (node.nodeType === Node.TEXT_NODE) return write(node, svg, left, top)
  if (node.nodeType !== Node.ELEMENT_NODE || node.hasAttribute("data-unpictured")) return
  const look = getComputedStyle(node)
  if (look.display === "none" || look.visibility === "hidden") return
  const box = node.getBoundingClientRect()
  const at = { x: box.left - left, y: box.top - top, width: box.width, height: box.height }
  if (node instanceof SVGSVGElement) {
    const inner = new DOMParser().parseFromString(standaloneSvg(node), "image/svg+xml").documentElement
    for (const [name, value] of Object.entries(at)) inner.setAttribute(name, value)
    svg.append(document.importNode(inner, true))
    return
  }
  const rounded = { ...at, rx: parseFloat(look.borderRadius) || 0 }
  // striped fills are background images: their colour is in a property
  const fill = node.classList.contains("unsettled") && look.getPropertyValue("--colour") || look.backgroundColor
  if (!/^(transparent|rgba\(.*, 0\))$/.test(fill)) svg.append(shape("rect", { ...rounded, fill }))
  if (node.classList.contains("unsettled")) svg.append(shape("rect", { ...rounded, fill: `url(#${HATCH})` }))
  if (look.outlineStyle === "solid")
    svg.append(shape("rect", { ...rounded, fill: "none", stroke: look.outlineColor, "stroke-width": look.outlineWidth }))
  if (look.borderBottomStyle === "solid" && parseFloat(look.borderBottomWidth))
    svg.append(shape("line", { x1: at.x, x2: at.x + at.width, y1: at.y + at.height, y2: at.y + at.height,
      stroke: look.borderBottomColor }))
  for (const child of node.childNodes) draw(child, svg, left, top)
}

function write(node, svg, left, top) {
  if (!node.data.trim()) return
  const range = document.createRange()
  range.selectNodeContents(node)
  const box = range.getBoundingClientRect(), look = getComputedStyle(node.parentElement)
  if (!box.width) return
  const upright = look.writingMode.startsWith("vertical")
  const y = box.top - top + box.height / 2, x = box.left - left + (upright ? box.width / 2 : 0)
  svg.append(shape("text", { x, y, text: cut(node), fill: look.color, "dominant-baseline": "central",
    "font-family": look.fontFamily, "font-size": look.fontSize, "font-weight": look.fontWeight,
    ...(upright ? { "text-anchor": "middle", transform: `rotate(-90 ${x} ${y})` } : {}), style: { "white-space": "pre" } }))
}

/** The visible part of a text that is cut off by an ellipsis. */
function cut(node) {
  const { clientWidth, scrollWidth } = node.parentElement
  if (getComputedStyle(node.parentElement).textOverflow !== "ellipsis" || scrollWidth <= clientWidth) return node.data
  return `${node.data.slice(0, Math.max(1, Math.floor(node.data.length * clientWidth / scrollWidth) - 1))}…`
}

/** Two buttons that save an element as SVG and PNG; `holder`, by default the element, provides the page's colours. */
function pictureButtons(target, name, holder) {
  const save = (write) => {
    const within = holder ?? target()
    const page = getComputedStyle(within).getPropertyValue("--st-background-color") || "#ffffff"
    const svg = picture(target(), page)
    const place = element("div", { style: { position: "fixed", left: "-100000px" } }, svg)
    within.getRootNode().append(place)
    write(svg, name)
    place.remove()
  }
  return ["SVG", "PNG"].map((kind) => element("button", {
    class: "tool", type: "button", text: kind, title: `Save this picture as ${kind}`, "data-unpictured": true,
    on: { click: () => save(kind === "SVG" ? downloadSvg : downloadPng) },
  }))
}
