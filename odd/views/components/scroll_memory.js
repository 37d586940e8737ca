// Back returns to the place on the page that was left. Streamlit draws a page anew and starts at its top.

const HELD = 5000 // ms during which a page that is high enough and drawn is kept at its place, as more may follow
const SETTLED = 300 // ms after which a place that was scrolled to counts as one where the reader stays
const LONGEST = 60000 // ms during which a page may grow to the height that it had, however slow the server

class ScrollMemory {
  constructor() {
    this.tops = new Map()
    this.wanted = null
    const save = () => this.wanted === null && this.main && this.tops.set(location.href, this.main.scrollTop)
    const touched = () => { this.wanted = null; save() }
    const scrolled = () => { // leaving a page scrolls to its top, too, a moment before the address changes
      const left = location.href
      clearTimeout(this.saving)
      this.saving = setTimeout(() => location.href === left && save(), SETTLED)
    }
    document.addEventListener("scroll", scrolled, { capture: true, passive: true })
    for (const input of ["pointerdown", "keydown", "wheel"])
      document.addEventListener(input, touched, { capture: true, passive: true })
    window.addEventListener("popstate", () => this.restore(this.tops.get(location.href)))
  }

  get main() {
    return document.querySelector('[data-testid="stMain"]')
  }

  /** Scroll to `top` as soon as the page is high enough, unless the reader scrolls or leaves the page first. */
  restore(top) {
    const wanted = (this.wanted = top ? { top } : null)
    const giveUp = Date.now() + LONGEST
    let until = Date.now() + HELD
    const attempt = () => {
      if (this.wanted !== wanted) return
      const main = this.main
      if (main) main.scrollTop = top
      const busy = document.querySelector('[data-test-script-state]:not([data-test-script-state="notRunning"])')
      // still too short, or still the page that was left, which may be high enough
      if (!main || main.scrollTop < top - 1 || busy) until = Math.min(Date.now() + HELD, giveUp)
      if (Date.now() < until) setTimeout(attempt, 100)
      else this.wanted = null
    }
    if (wanted) attempt()
  }
}

/** One for the page, however often its components are loaded. */
function keepScroll() {
  window.oddScroll ??= new ScrollMemory()
}
