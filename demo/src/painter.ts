/** What can be brought up to date in the page. */
export interface Painted {
  /** Whether somebody can see it now, or nearly. */
  readonly isNear: boolean;
  paint(): void;
}

/** Of what nobody can see, this many are painted in each animation frame, so that find-in-page and readers find today's prices. */
const FAR_PER_FRAME = 6;
/** How long a price is tinted after it has moved. */
const TINT_MS = 900;

/**
 * Writes to the page once per animation frame, however many frames the server has sent since. It only writes: whatever is
 * measured in the page is measured elsewhere, so no write makes the browser lay out early.
 */
export class Painter {
  readonly #near = new Set<Painted>();
  readonly #far = new Set<Painted>();
  /** Elements that show a movement, the oldest first, with the end of it. */
  readonly #tinted = new Map<HTMLElement, number>();
  #isAwaited = false;

  /** Paints this in the next animation frame, or soon if nobody can see it. */
  add(painted: Painted): void {
    if (painted.isNear) {
      this.#near.add(painted);
      this.#far.delete(painted);
    } else if (!this.#near.has(painted)) this.#far.add(painted);
    this.#await();
  }

  /** Never mind. */
  remove(painted: Painted): void {
    this.#near.delete(painted);
    this.#far.delete(painted);
  }

  /** Shows that a price went up or down. */
  tint(element: HTMLElement, direction: 'up' | 'down'): void {
    element.classList.remove('up', 'down');
    element.classList.add(direction);
    // Deleted first, so that the map stays in order of the ends.
    this.#tinted.delete(element);
    this.#tinted.set(element, performance.now() + TINT_MS);
    this.#await();
  }

  #await(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    requestAnimationFrame(this.#frame);
  }

  readonly #frame = (nowMs: number): void => {
    this.#isAwaited = false;
    for (const [element, endMs] of this.#tinted) {
      if (endMs > nowMs) break;
      this.#tinted.delete(element);
      element.classList.remove('up', 'down');
    }
    for (const painted of this.#near) {
      this.#near.delete(painted);
      painted.paint();
    }
    let left = FAR_PER_FRAME;
    for (const painted of this.#far) {
      if (left-- === 0) break;
      this.#far.delete(painted);
      painted.paint();
    }
    if (this.#tinted.size + this.#near.size + this.#far.size > 0) this.#await();
  };
}
