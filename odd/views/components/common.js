// Shared by all components: elements, colours, numbers, downloads. Text is only set through textContent.

const SVG_NAMESPACE = "http://www.w3.org/2000/svg"

/** A new HTML element. `attributes.text` becomes its text, `attributes.on` its listeners. */
function element(name, attributes = {}, ...children) {
  return furnish(document.createElement(name), attributes, children)
}

/** A new SVG element. */
function shape(name, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG_NAMESPACE, name), attributes, children)
}

function furnish(node, { text, on, style, ...attributes }, children) {
  if (text !== undefined) node.textContent = text
  for (const [event, listener] of Object.entries(on ?? {})) node.addEventListener(event, listener)
  for (const [property, value] of Object.entries(style ?? {})) if (value !== null) node.style.setProperty(property, value)
  for (const [key, value] of Object.entries(attributes))
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value)
  node.append(...children.filter((child) => child !== null && child !== undefined))
  return node
}

const known = (value) => value !== null && value !== undefined && Number.isFinite(value)
/** Records of a payload table {columns, rows} as objects; a null row is a missing record. */
const records = ({ columns, rows }) => rows.map((row) => row && Object.fromEntries(columns.map((name, at) => [name, row[at]])))

const clamp = (value, low, high) => Math.min(high, Math.max(low, value))

/** Format a number with `digits` decimals, an en dash if unknown; `signed` adds a plus sign. */
function number(value, digits = 2, signed = false) {
  if (!known(value)) return "–"
  const text = Math.abs(value).toFixed(digits)
  const zero = Number(text) === 0
  return (value < 0 && !zero ? "−" : signed && !zero ? "+" : "") + text
}

/** Format a fact of the payload for the given scores: {value, interval, text}. */
function written({ column, digits, signed, suffix, interval: ends }, scores) {
  const value = number(scores[column], digits, signed) + (suffix ? ` ${suffix}` : "")
  const range = ends ? interval(scores[ends[0]], scores[ends[1]], digits, signed) : ""
  return { value, interval: range, text: range ? `${value} ${range}` : value }
}

function interval(low, high, digits = 2, signed = false) {
  return known(low) && known(high) ? `[${number(low, digits, signed)}, ${number(high, digits, signed)}]` : ""
}

function rgba(hex, alpha) {
  const part = (at) => parseInt(hex.slice(at, at + 2), 16)
  return `rgba(${part(1)},${part(3)},${part(5)},${alpha.toFixed(3)})`
}

function mix(from, to, share) {
  const part = (hex, at) => parseInt(hex.slice(at, at + 2), 16)
  const channel = (at) => Math.round(part(from, at) * (1 - share) + part(to, at) * share)
  return `rgb(${channel(1)},${channel(3)},${channel(5)})`
}

/** Colour of a value between -1 (harmful) and 1 (helpful): transparent at 0. */
function divergingColour(value) {
  if (!known(value)) return "transparent"
  return rgba(value < 0 ? PALETTE.harmful : PALETTE.helpful, Math.min(1, Math.abs(value)) * 0.92)
}

/** Colour of a success probability: red at 0, blue at 1. */
function successColour(value) {
  if (!known(value)) return PALETTE.neutral
  const { failure, half, success } = PALETTE
  return value < 0.5 ? mix(failure, half, value * 2) : mix(half, success, value * 2 - 1)
}

/** Colour of text on a colour painted over the page: null (the theme's) if it is weak, else black or white. */
function ink(hex, alpha) {
  if (alpha <= 0.5) return null
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  const luminance = (page) => [1, 3, 5].reduce((sum, at, i) => {
    const part = (colour) => parseInt(colour.slice(at, at + 2), 16) / 255
    return sum + [0.2126, 0.7152, 0.0722][i] * linear(part(hex) * alpha + part(page) * (1 - alpha))
  }, 0)
  const [light, dark] = PAGES.map((page) => (luminance(page) > 0.179 ? "#000" : "#fff"))
  return `light-dark(${light}, ${dark})`
}

/** Colour of text on a diverging colour. */
function divergingInk(value) {
  return known(value) ? ink(value < 0 ? PALETTE.harmful : PALETTE.helpful, Math.min(1, Math.abs(value)) * 0.92) : null
}

const LONGEST_TOKEN = 400 // characters of a token that are drawn

/** Nodes of a text in which every blank is visible (styled by `.blank`) and is still copied as it is; very long ones are cut. */
function legible(text) {
  if (text.length > LONGEST_TOKEN)
    return [...legible(text.slice(0, LONGEST_TOKEN)),
      element("small", { class: "faint", text: ` … ${text.length.toLocaleString("en-US")} characters` })]
  return text.split(/([^\S\n])/u).filter((piece) => piece !== "").map((piece) => {
    if (!/^[^\S\n]$/u.test(piece)) return document.createTextNode(piece)
    return element("span", { class: piece === " " ? "blank" : "blank odd-blank", text: piece })
  })
}

/** Download text as a file. */
function download(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }))
  const link = element("a", { href: address, download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 10000)
}

/** The drawing with the computed style of each element inlined, so it is self-contained. */
function standaloneSvg(svg) {
  const copy = svg.cloneNode(true)
  const properties = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-family",
    "font-weight", "text-anchor", "dominant-baseline", "fill-opacity", "stroke-opacity", "display", "paint-order", "white-space",
    "stroke-linecap", "stroke-linejoin"]
  const originals = [svg, ...svg.querySelectorAll("*")]
  const copies = [copy, ...copy.querySelectorAll("*")]
  originals.forEach((original, i) => {
    const look = getComputedStyle(original)
    for (const property of properties) copies[i].style.setProperty(property, look.getPropertyValue(property))
    // the file does not include the page's fonts: texts keep their width in another font
    const wide = original instanceof SVGTextContentElement && !original.children.length && original.getComputedTextLength()
    if (wide) {
      copies[i].setAttribute("textLength", wide)
      copies[i].setAttribute("lengthAdjust", "spacingAndGlyphs")
    }
  })
  const box = svg.getBoundingClientRect()
  copy.setAttribute("xmlns", SVG_NAMESPACE)
  copy.setAttribute("width", box.width)
  copy.setAttribute("height", box.height)
  return new XMLSerializer().serializeToString(copy)
}

function downloadSvg(svg, name) {
  download(`${name}.svg`, standaloneSvg(svg), "image/svg+xml")
}

function downloadPng(svg, name) {
  const box = svg.getBoundingClientRect()
  const image = new Image()
  const background = getComputedStyle(svg).getPropertyValue("--st-background-color") || "#ffffff"
  image.onload = () => {
    const canvas = element("canvas", { width: box.width * 2, height: box.height * 2 })
    const context = canvas.getContext("2d")
    context.fillStyle = background
    context.fillRect(0, 0, canvas.width, canvas.height)
    context.scale(2, 2)
    context.drawImage(image, 0, 0)
    const link = element("a", { href: canvas.toDataURL("image/png"), download: `${name}.png` })
    link.click()
  }
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(standaloneSvg(svg))
}

const CHOICES = {}

/** What the reader chose: "on", "off" or null. The browser keeps it, except in sandboxed frames, which have no storage. */
function remembered(name) {
  try { CHOICES[name] ??= localStorage.getItem(`odd-${name}`) } catch (refused) { CHOICES[name] ??= null }
  return CHOICES[name]
}

function remember(name, on) {
  CHOICES[name] = on ? "on" : "off"
  try { localStorage.setItem(`odd-${name}`, CHOICES[name]) } catch (refused) { console.info("not kept:", refused.message) }
}

/** A check box that switches the single-letter keys on and off, in this browser. */
function letterSwitch() {
  const box = element("input", { type: "checkbox", on: { change: () => remember("letters", box.checked) } })
  box.checked = remembered("letters") !== "off"
  return element("label", { class: "letters", title: "Switch off if they get in the way of speech input or a screen reader" },
    box, document.createTextNode(" single-letter keys"))
}

/** Whether a key press belongs to an element the user is typing into or choosing from. */
function isTyping(event) {
  const target = event.composedPath()[0]
  return Boolean(event.ctrlKey || event.metaKey || event.altKey || target?.isContentEditable ||
    target?.closest?.('input, textarea, select, [role="combobox"], [role="listbox"], [role="slider"], [role="dialog"]'))
}
