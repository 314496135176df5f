/**
 * When something must be painted: in the next animation frame, because it shows as a price what is none any more; with the
 * next prices, because somebody can see it, or nearly; or when there is time.
 */
export type Urgency = 'now' | 'soon' | 'later';

/** What can be brought up to date in the page. */
export interface Painted {
  readonly urgency: Urgency;
  paint(): void;
}

/** How a price that has moved looks. */
export type Tint = '' | 'up' | 'down' | 'up fading' | 'down fading';

/** What can show a movement. */
export interface Tinted {
  tint(tint: Tint): void;
  /** Shows the movement more lightly. */
  fade(): void;
}

/**
 * Prices are written in every second animation frame, which nobody can tell from every one: each frame with writes costs a
 * layout and a paint of its own, however little it writes.
 */
const WRITES_EVERY_MS = 30;
/** Of what may wait, this many are painted with the others, so that find-in-page and readers find today's prices. */
const PATIENT_PER_WRITE = 2;
/** How long a price is tinted after it has moved. */
const TINT_MS = 900;
/** For so long at the end the tint is lighter. A step costs one write; a transition would paint every frame anew. */
const FADE_MS = 400;

/** Writes to the page, however many frames the server has sent since it did so last. It only writes: whatever is
 * measured in the page is measured elsewhere, so no write makes the browser lay out early. */
export class Painter {
  readonly #waiting = { now: new Set<Painted>(), soon: new Set<Painted>(), later: new Set<Painted>() };
  #writtenMs = 0;
  /** What shows a movement, and what shows it more lightly already: the oldest first, with the end of it. */
  readonly #tinted = new Map<Tinted, number>();
  readonly #fading = new Map<Tinted, number>();
  #isAwaited = false;

  /** Paints this when it is due. */
  add(painted: Painted): void {
    const { now, soon, later } = this.#waiting;
    const { urgency } = painted;
    if (now.has(painted) || (urgency !== 'now' && soon.has(painted))) return;
    if (urgency === 'now') {
      soon.delete(painted);
      later.delete(painted);
      now.add(painted);
    } else if (urgency === 'soon') {
      later.delete(painted);
      soon.add(painted);
    } else later.add(painted);
    this.#await();
  }

  /** Never mind. */
  remove(painted: Painted): void {
    for (const waiting of Object.values(this.#waiting)) waiting.delete(painted);
  }

  /** Shows that a price went up or down. */
  tint(tinted: Tinted, direction: 'up' | 'down'): void {
    tinted.tint(direction);
    this.#fading.delete(tinted);
    // Deleted first, so that the map stays in order of the ends.
    this.#tinted.delete(tinted);
    this.#tinted.set(tinted, this.#writtenMs + TINT_MS);
    this.#await();
  }

  #await(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    requestAnimationFrame(this.#frame);
  }

  readonly #frame = (nowMs: number): void => {
    this.#isAwaited = false;
    const { now, soon, later } = this.#waiting;
    // A frame that is written to anyway takes what would be written to the next one.
    if (now.size > 0 || nowMs - this.#writtenMs >= WRITES_EVERY_MS) {
      this.#writtenMs = nowMs;
      paint(now, Infinity);
      for (const [tinted, endMs] of this.#tinted) {
        if (endMs - FADE_MS > nowMs) break;
        this.#tinted.delete(tinted);
        this.#fading.set(tinted, endMs);
        tinted.fade();
      }
      for (const [tinted, endMs] of this.#fading) {
        if (endMs > nowMs) break;
        this.#fading.delete(tinted);
        tinted.tint('');
      }
      paint(soon, Infinity);
      paint(later, PATIENT_PER_WRITE);
    }
    if (this.#tinted.size + this.#fading.size + soon.size + later.size > 0) this.#await();
  };
}

function paint(waiting: Set<Painted>, most: number): void {
  for (const painted of waiting) {
    if (most-- === 0) return;
    waiting.delete(painted);
    painted.paint();
  }
}
