import { formatOdds, type OddsFormat } from '@oddswire/web/odds';

import type { Painter, Tint, Tinted } from './painter.js';

/** One price in the page. It writes what has changed, and shows which way the price went. */
export class PriceCell implements Tinted {
  readonly element: HTMLElement;
  readonly #text = document.createTextNode('–');
  readonly #className: string;
  #price: number | undefined;
  #format: OddsFormat = 'decimal';
  #isOffered = false;
  #tint: Tint = '';

  constructor(name: 'span' | 'td', className: string) {
    this.element = document.createElement(name);
    this.#className = this.element.className = className;
    this.element.append(this.#text);
  }

  /**
   * Shows a price. `isOffered` says that it may be bet on: only then a change is a movement, which the painter shows if
   * there is one.
   */
  show(price: number | undefined, isOffered: boolean, format: OddsFormat, painter: Painter | undefined): void {
    const held = this.#price;
    const isSame = price === held && format === this.#format;
    if (isSame && isOffered === this.#isOffered) return;
    const isMovement = price !== held && isOffered && this.#isOffered && held !== undefined && price !== undefined;
    if (isOffered !== this.#isOffered) {
      this.#isOffered = isOffered;
      this.#write();
    }
    if (isMovement && painter) painter.tint(this, price > held ? 'up' : 'down');
    this.#price = price;
    this.#format = format;
    if (!isSame) this.#text.data = price === undefined ? '–' : short(formatOdds(price, format));
  }

  tint(tint: Tint): void {
    if (tint === this.#tint) return;
    this.#tint = tint;
    this.#write();
  }

  fade(): void {
    if (this.#tint === 'up' || this.#tint === 'down') this.tint(`${this.#tint} fading`);
  }

  /** All classes at once: each write of one has the browser look for its rules. */
  #write(): void {
    this.element.className = `${this.#className}${this.#isOffered ? ' offered' : ''}${this.#tint && ` ${this.#tint}`}`;
  }
}

/** Three digits say enough without decimals that are zeros. */
function short(odds: string): string {
  return odds.length > 5 && odds.endsWith('.00') ? odds.slice(0, -3) : odds;
}
