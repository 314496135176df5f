import type { Market, Selection } from '@oddswire/web';
import type { OddsFormat } from '@oddswire/web/odds';

import { make, setData } from './element.js';
import { isFinished, LABELS, type Look, lookOf, shownPrice } from './look.js';
import { inOrder, labelsOf, type Place, placeOf } from './names.js';
import type { Painted, Painter, Urgency } from './painter.js';
import { PriceCell } from './price-cell.js';

/** More selections than this with two prices each are a list and not tiles. */
const TILES_MAX = 6;

interface Row {
  readonly selection: Selection;
  readonly element: HTMLElement;
  readonly back: PriceCell;
  /** Exchanges have both sides. */
  readonly lay: PriceCell | undefined;
  status: string;
}

/** A market on the board: its name, how it stands, and a price or two for every selection. */
export class MarketView implements Painted {
  readonly element = make('div', 'market');
  readonly button = make('button', 'open');
  readonly #badge = make('span', 'badge');
  readonly #rows = make('ul', 'selections');
  readonly #painter: Painter;
  readonly #format: () => OddsFormat;
  #held: Row[] = [];
  #isExchange = false;
  #shown: Market | undefined;
  #version = -1;
  #definedVersion = -1;
  #shownFormat: OddsFormat | undefined;
  #look: Look | undefined;
  /** Whether somebody can see it, or nearly. */
  isNear = true;
  place: Place;
  /** Width of the board for which it was found out which names have room. */
  fittedWidth = 0;
  /** Those of the selections in the page. */
  names: readonly HTMLElement[] = [];
  /** What a search looks through, in lower case. */
  words = '';
  /** Called when the name or score has changed. */
  onPlace: (() => void) | undefined;
  /** Called when it is finished, or goes on after all. */
  onFinish: (() => void) | undefined;
  isFinished = false;

  constructor(
    /** The market; another object takes its place when the server begins a new epoch. */
    public market: Market,
    painter: Painter,
    format: () => OddsFormat,
  ) {
    this.#painter = painter;
    this.#format = format;
    this.place = placeOf(market);
    this.element.dataset['market'] = market.id;
    this.button.type = 'button';
    this.button.tabIndex = -1;
    this.button.textContent = this.place.name;
    this.element.append(make('div', 'market-head', this.button, this.#badge), this.#rows);
  }

  get isInPlay(): boolean {
    return this.market.inPlay;
  }

  get urgency(): Urgency {
    if (this.#look === 'open' && (lookOf(this.market) !== 'open' || this.#held.some(isOut))) return 'now';
    return this.isNear ? 'soon' : 'later';
  }

  paint(): void {
    const { market } = this;
    const format = this.#format();
    const look = lookOf(market);
    // Silence makes prices stale without a change of the market.
    if (market === this.#shown && market.version === this.#version && look === this.#look && format === this.#shownFormat) return;
    if (!this.isNear || !this.#hasRows()) this.define();
    this.#shown = market;
    this.#version = market.version;
    this.#shownFormat = format;
    if (look !== this.#look) {
      this.#look = look;
      setData(this.element, 'look', look);
      this.#badge.textContent = look === 'open' ? '' : LABELS[look];
      if (isFinished(market) !== this.isFinished) {
        this.isFinished = !this.isFinished;
        this.onFinish?.();
      }
    }
    for (const row of this.#held) {
      const { selection, back, lay } = row;
      const { status } = selection;
      if (status !== row.status) {
        row.status = status;
        setData(row.element, 'status', status.toLowerCase());
      }
      this.#show(back, shownPrice(selection, 'back', look), look, format);
      if (lay) this.#show(lay, shownPrice(selection, 'lay', look), look, format);
    }
  }

  #show(cell: PriceCell, price: number | undefined, look: Look, format: OddsFormat): void {
    // What nobody sees needs no tint.
    cell.show(price, look === 'open' && price !== undefined, format, this.isNear ? this.#painter : undefined);
  }

  /** Whether its name, score and selections have not been looked at since it has changed. */
  get isUndefined(): boolean {
    return this.market.version !== this.#definedVersion;
  }

  /** Names, scores and selections, which seldom change: a market that is near is asked for them a few times a second. */
  define(): void {
    const { market } = this;
    const isFirst = this.#definedVersion < 0;
    this.#definedVersion = market.version;
    const place = placeOf(market);
    if (isFirst || place.score !== this.place.score || place.name !== this.place.name) {
      this.place = place;
      if (this.button.textContent !== place.name) this.button.textContent = place.name;
      this.onPlace?.();
    }
    const { selections } = market;
    const isExchange = this.#isExchange || selections.some((selection) => selection.lay.indicativePrice !== undefined || selection.depth('back', 1).rungs.length > 0);
    if (isExchange === this.#isExchange && this.#hasRows()) return;
    this.#isExchange = isExchange;
    this.#build();
    // What is new is empty.
    this.#version = -1;
    this.#painter.add(this);
  }

  /** Whether the rows are those of the market's selections. */
  #hasRows(): boolean {
    const { selections } = this.market;
    return selections.length === this.#held.length && selections[0] === this.#held[0]?.selection;
  }

  #build(): void {
    const selections = inOrder(this.market);
    const labels = labelsOf(selections);
    this.words = [this.place.name, ...labels].join(' ').toLowerCase();
    this.#held = selections.map((selection, at) => {
      const label = labels[at]!;
      const name = make('span', 'name', label);
      name.title = label;
      const back = new PriceCell('span', this.#isExchange ? 'price back' : 'price');
      const lay = this.#isExchange ? new PriceCell('span', 'price lay') : undefined;
      const element = make('li', '', name, back.element);
      if (lay) element.append(lay.element);
      return { selection, element, back, lay, status: '' };
    });
    // `selections` is in order of numbers elsewhere; here the first row is what tells whether it is another market.
    this.#held.sort((a, b) => a.selection.number - b.selection.number);
    this.fittedWidth = 0;
    this.names = this.#held.map(({ element }) => element.firstElementChild as HTMLElement);
    this.#rows.replaceChildren(...selections.map((selection) => this.#held[selection.number]!.element));
    this.#arrange(selections.length, labels.map((label) => label.length).sort((a, b) => a - b));
  }

  #arrange(count: number, lengths: readonly number[]): void {
    // One name that is much longer than the others may be cut off.
    const longest = lengths[Math.floor(count * 0.9)] ?? 0;
    const isList = this.#isExchange && count > TILES_MAX;
    const isPairs = count > 4 && count % 2 === 0 && longest <= 10 && !this.#isExchange;
    setData(this.element, 'kind', isList ? 'list' : isPairs ? 'pairs' : 'tiles');
    setData(this.element, 'sides', this.#isExchange ? '2' : '1');
    this.element.style.setProperty('--count', String(count));
    setData(this.element, 'columns', String(isPairs ? Math.min(count / 2, 5) : count <= 3 ? count : longest > 12 ? 2 : count === 4 ? 4 : 6));
  }
}

/** Whether its price is shown and the selection has left the market, while the others go on. */
function isOut({ selection, status }: Row): boolean {
  return status === 'ACTIVE' && selection.status !== 'ACTIVE';
}
