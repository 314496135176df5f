/** What can be brought up to date in the page. */
export interface Painted {
  /** Whether it may not wait: somebody can see it now, or nearly, or it shows as a price what is none any more. */
  readonly isUrgent: boolean;
  paint(): void;
}

/** Of what may wait, this many are painted in each animation frame, so that find-in-page and readers find today's prices. */
const PATIENT_PER_FRAME = 6;
/** How long a price is tinted after it has moved. */
const TINT_MS = 900;

/**
 * Writes to the page once per animation frame, however many frames the server has sent since. It only writes: whatever is
 * measured in the page is measured elsewhere, so no write makes the browser lay out early.
 */
export class Painter {
  readonly #urgent = new Set<Painted>();
  readonly #patient = new Set<Painted>();
  /** Elements that show a movement, the oldest first, with the end of it. */
  readonly #tinted = new Map<HTMLElement, number>();
  #isAwaited = false;

  /** Paints this in the next animation frame, or soon if it may wait. */
  add(painted: Painted): void {
    if (painted.isUrgent) {
      this.#urgent.add(painted);
      this.#patient.delete(painted);
    } else if (!this.#urgent.has(painted)) this.#patient.add(painted);
    this.#await();
  }

  /** Never mind. */
  remove(painted: Painted): void {
    this.#urgent.delete(painted);
    this.#patient.delete(painted);
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
    for (const painted of this.#urgent) {
      this.#urgent.delete(painted);
      painted.paint();
    }
    let left = PATIENT_PER_FRAME;
    for (const painted of this.#patient) {
      if (left-- === 0) break;
      this.#patient.delete(painted);
      painted.paint();
    }
    if (this.#tinted.size + this.#urgent.size + this.#patient.size > 0) this.#await();
  };
}
