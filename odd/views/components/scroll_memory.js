// Back returns to the place on the page that was left. Streamlit draws a page anew and starts at its top.

const TRIED = 5000 // ms during which a page may still grow to the height that it had

class ScrollMemory {
  constructor() {
    this.tops = new Map()
    this.wanted = null
    const save = () => this.wanted === null && this.main && this.tops.set(location.href, this.main.scrollTop)
    const touched = () => { this.wanted = null; save() }
    document.addEventListener("scroll", save, { capture: true, passive: true })
    for (const input of ["pointerdown", "keydown", "wheel"])
      document.addEventListener(input, touched, { capture: true, passive: true })
    window.addEventListener("popstate", () => this.restore(this.tops.get(location.href)))
  }

  get main() {
    return document.querySelector('[data-testid="stMain"]')
  }

  /** Scroll to `top` as soon as the page is high enough, unless the reader scrolls first. */
  restore(top) {
    if (!top) return
    this.wanted = top
    const until = Date.now() + TRIED
    const attempt = () => {
      if (this.wanted !== top) return
      if (this.main) this.main.scrollTop = top
      if (Date.now() < until) setTimeout(attempt, 100)
      else this.wanted = null
    }
    attempt()
  }
}

/** One for the page, however often its components are loaded. */
function keepScroll() {
  window.oddScroll ??= new ScrollMemory()
}
