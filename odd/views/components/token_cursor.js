// Navigation of tokens by pointer and keys: the current token has a card, and one token can be pinned.

const REST_AFTER = 350 // ms after which a token reached by key is pinned
const ELSEWHERE = 'button, a, summary, canvas, [role="grid"], [role="tab"], [role="radio"], [role="button"]'

/**
 * Base class of components that show tokens in a `field`, each an element with its number in `data-at`.
 * A subclass sets `data.tokens`, by position from `data.first` (0 by default) on, and has `anchor(at)`, the element of a token; `content(at)`, the content of its card;
 * `said(at)`, its text for screen readers; `keys()`, further keys as [step, test]; and `arrange()`, which lays out the
 * tokens for a new width and stores it in `width`.
 */
class TokenCursor {
  constructor(field) {
    Object.assign(this, { field, cursor: null, pointed: null, resting: null, keyed: false })
    this.head = element("div", { class: "top" })
    this.spoken = element("div", { class: "spoken", "data-unpictured": true, "aria-live": "polite" })
    this.card = element("div", { class: "card", popover: "manual", role: "tooltip", "data-unpictured": true })
    field.addEventListener("pointermove", (event) => this.point(tokenAt(event)))
    field.addEventListener("pointerleave", () => this.point(null))
    field.addEventListener("click", (event) => {
      const at = tokenAt(event)
      if (at === null) return
      this.pin(at)
      if (event.pointerType === "touch") this.openCard(at) // fingers do not hover
    })
    field.addEventListener("focus", () => field.matches(":focus-visible") && this.move(this.cursor ?? 0, true))
    field.addEventListener("blur", () => this.hide())
    this.resized = new ResizeObserver(() => field.clientWidth !== this.width && this.arrange())
    this.pressed = (event) => this.press(event)
    this.moved = () => this.placeCard()
    this.fonts = () => this.measure()
    // a pin sent after the user has left would bring this page back: it is sent before, or not at all
    this.going = (event) => {
      if (event.composedPath().includes(field)) return
      if (this.resting !== null) this.pin(this.resting)
      if (event.pointerType === "touch") this.hide()
    }
    this.gone = () => {
      this.resting = null
      this.rest()
    }
  }

  open() {
    this.close()
    this.rest()
    this.resized.observe(this.field)
    document.addEventListener("keydown", this.pressed)
    document.addEventListener("pointerdown", this.going, { capture: true })
    window.addEventListener("popstate", this.gone)
    document.addEventListener("scroll", this.moved, { capture: true, passive: true })
    window.addEventListener("resize", this.moved)
    document.fonts.addEventListener("loadingdone", this.fonts)
  }

  close() {
    clearTimeout(this.timer)
    this.resized.disconnect()
    document.removeEventListener("keydown", this.pressed)
    document.removeEventListener("pointerdown", this.going, { capture: true })
    window.removeEventListener("popstate", this.gone)
    document.removeEventListener("scroll", this.moved, { capture: true })
    window.removeEventListener("resize", this.moved)
    document.fonts.removeEventListener("loadingdone", this.fonts)
  }

  /** Lay out the tokens for another font. */
  measure() {
    this.arrange()
  }

  /** Adopt the server's pinned token if the tokens are new or another panel pinned it; return whether one did. */
  follow(position, anew) {
    const elsewhere = this.position !== undefined && position !== this.position && position !== this.sent
    if (anew || elsewhere) {
      this.resting = null
      this.cursor = this.sent = position
      this.hide()
    }
    this.position = position
    return elsewhere
  }

  /** Highlight the pin, the cursor and the pointer. */
  mark() {
    const lit = this.pointed ?? this.cursor
    for (const part of this.field.querySelectorAll("[data-at]")) {
      part.classList.toggle("pinned", Number(part.dataset.at) === this.sent)
      part.classList.toggle("pointed", Number(part.dataset.at) === lit)
    }
    if (this.cursor !== null) this.field.setAttribute("aria-activedescendant", `token-${this.cursor}`)
  }

  point(at) {
    if (at === this.pointed) return
    this.pointed = at
    this.mark()
    if (at !== null) this.openCard(at)
    else if (this.keyed && this.cursor !== null) this.openCard(this.cursor)
    else this.hide()
  }

  openCard(at) {
    this.card.replaceChildren(...this.content(at))
    this.carded = at
    if (!this.card.matches(":popover-open")) this.card.showPopover()
    this.placeCard()
  }

  placeCard() {
    const target = this.card.matches(":popover-open") && this.anchor(this.carded)
    if (target) placeCard(this.card, target, this.explained(target))
  }

  /** What the card of a token explains, which it does not cover. */
  explained(target) {
    return target
  }

  hide() {
    this.keyed = false
    if (this.card.matches(":popover-open")) this.card.hidePopover()
  }

  /** Move the cursor to a token by key: open its card at once, and pin it if the user stays there. */
  move(at, stay = false) {
    this.cursor = at
    this.pointed = null
    this.keyed = true
    this.mark()
    this.anchor(at).scrollIntoView({ block: "nearest" })
    this.openCard(at)
    this.spoken.textContent = this.said(at)
    this.resting = stay ? null : at
    this.rest()
  }

  /** Pin the token reached by key once the user has stayed there. */
  rest() {
    clearTimeout(this.timer)
    if (this.resting !== null) this.timer = setTimeout(() => this.pin(this.resting), REST_AFTER)
  }

  pin(at) {
    this.resting = null
    clearTimeout(this.timer)
    if (at !== null) this.cursor = at
    if (at === this.sent) return
    this.sent = at
    this.mark()
    this.send(at ?? -1)
  }

  unpin() {
    this.hide()
    this.pin(null)
    this.cursor = null
    this.mark()
  }

  press(event) {
    const target = event.composedPath()[0]
    if (event.defaultPrevented || isTyping(event) || !this.field.isConnected) return
    if (event.key.length === 1 && remembered("letters") === "off") return
    const act = this.action(event.key)
    if (!act || (target?.closest?.(ELSEWHERE) && event.key.length > 1 && event.key !== "Escape")) return
    if (event.key === "Enter" && target !== this.field) return
    event.preventDefault()
    act()
  }

  action(key) {
    const every = () => true
    const way = { ArrowLeft: [-1, every], ArrowRight: [1, every], ...this.keys() }[key]
    if (way) return () => this.go(...way)
    return { Enter: () => this.cursor !== null && this.pin(this.cursor), Escape: () => this.unpin() }[key]
  }

  /** Move to the next token in the direction of `step` that passes the test, if there is one. */
  go(step, test) {
    const { tokens, first = 0 } = this.data
    let at = this.cursor === null ? (step > 0 ? first : tokens.length - 1) : this.cursor + step
    while (at in tokens && !test(tokens[at], at)) at += step
    if (at in tokens) this.move(at)
    else this.beyond(at, step, test)
  }

  /** Pin a token that may be outside the window: the server then shows the window around it. */
  jump(at) {
    if (at in this.data.tokens) return this.move(at)
    Object.assign(this, { cursor: at, far: at })
    this.pin(at)
  }

  /** Look for a token outside the window that is shown; a component that has such tokens overrides it. */
  beyond() {}
}

/** A list whose first entry is at `first`; the places before it are empty. */
function placed(list, first) {
  const found = []
  list.forEach((one, at) => (found[first + at] = one))
  return found
}

/** Number of the token of an event; null if none. */
function tokenAt(event) {
  const part = event.target.closest?.("[data-at]")
  return part ? Number(part.dataset.at) : null
}

/** Hints for keys, given as [names, text, title]. */
function keyHints(keys) {
  return keys.map(([names, text, title]) => element("span", { class: "keys", title },
    ...names.map((name) => element("kbd", { text: name })), document.createTextNode(` ${text}`)))
}

/** Place the card next to its target: below what it explains if there is room, else above, and never outside the window. */
function placeCard(card, target, explained) {
  const [box, own, margin] = [target.getBoundingClientRect(), card.getBoundingClientRect(), 8]
  const below = Math.max(box.bottom, explained.getBoundingClientRect().bottom) + margin
  const above = box.top - margin - own.height
  const fits = below + own.height <= window.innerHeight - margin
  const top = fits || above < margin ? Math.min(below, window.innerHeight - own.height - margin) : above
  const left = clamp(box.left - 40, margin, Math.max(margin, window.innerWidth - own.width - margin))
  card.style.left = `${left}px`
  card.style.top = `${Math.max(margin, top)}px`
}
