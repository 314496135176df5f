import { formatOdds, type OddsFormat } from '@oddswire/web/odds';

import type { Painter } from './painter.js';

/** One price in the page. It writes what has changed, and shows which way the price went. */
export class PriceCell {
  readonly element: HTMLElement;
  readonly #text = document.createTextNode('–');
  #price: number | undefined;
  #format: OddsFormat = 'decimal';
  #isOffered = false;

  constructor(name: 'span' | 'td', className: string) {
    this.element = document.createElement(name);
    this.element.className = className;
    this.element.append(this.#text);
  }

  /** Shows a price. `isOffered` says that it may be bet on: only then a change is a movement. */
  show(price: number | undefined, isOffered: boolean, format: OddsFormat, painter: Painter): void {
    const held = this.#price;
    const isSame = price === held && format === this.#format;
    if (isSame && isOffered === this.#isOffered) return;
    if (price !== held && isOffered && this.#isOffered && held !== undefined && price !== undefined) {
      painter.tint(this.element, price > held ? 'up' : 'down');
    }
    if (isOffered !== this.#isOffered) this.element.classList.toggle('offered', isOffered);
    this.#price = price;
    this.#format = format;
    this.#isOffered = isOffered;
    if (!isSame) this.#text.data = price === undefined ? '–' : short(formatOdds(price, format));
  }
}

/** Three digits say enough without decimals that are zeros. */
function short(odds: string): string {
  return odds.length > 5 && odds.endsWith('.00') ? odds.slice(0, -3) : odds;
}
