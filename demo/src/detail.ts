import type { Market, Selection } from '@oddswire/web';
import type { OddsFormat } from '@oddswire/web/odds';

import { byId, make, setData, setText } from './element.js';
import { Ladder, money } from './ladder.js';
import { LABELS, type Look, lookOf, shownPrice } from './look.js';
import { inOrder, namesOf, placeOf } from './names.js';
import type { Painted, Painter, Urgency } from './painter.js';
import { PriceCell } from './price-cell.js';
import { moveFocus } from './roving.js';

/** What each look means to somebody who wants to bet. */
const MEANINGS: Record<Look, string> = {
  open: 'Prices can be bet on.',
  suspended: 'No bets: the market is suspended.',
  closed: 'No bets: the market is closed.',
  settled: 'No bets: the market is settled.',
  void: 'No bets: the market is void.',
  stale: 'No bets: these prices are old, nothing is heard from the server.',
  syncing: 'No bets: the market is on its way.',
};

interface Row {
  readonly selection: Selection;
  readonly name: string;
  readonly element: HTMLElement;
  readonly button: HTMLButtonElement;
  readonly back: PriceCell;
  readonly lay: PriceCell | undefined;
  readonly chance: HTMLElement | undefined;
}

/** The chosen market: how it stands, its selections, and the ladder of one of them. */
export class Detail implements Painted {
  readonly #painter: Painter;
  readonly #format: () => OddsFormat;
  readonly #title = byId('market-title');
  readonly #body = byId('market-body');
  readonly #figures = new Map<string, HTMLElement>();
  readonly #where = make('p', 'where', make('span'), make('span', 'nowrap'), make('span'));
  readonly #standing = make('p', 'standing');
  readonly #selections = make('table', 'runners');
  readonly #ladder = new Ladder();
  #rows: Row[] = [];
  #market: Market | undefined;
  #chosen: Row | undefined;
  #look: Look | undefined;

  constructor(painter: Painter, format: () => OddsFormat) {
    this.#painter = painter;
    this.#format = format;
    // Whoever listens to the chosen market hears when it is suspended.
    this.#standing.ariaLive = 'polite';
  }

  get market(): Market | undefined {
    return this.#market;
  }

  get urgency(): Urgency {
    return this.#market && lookOf(this.#market) !== this.#look ? 'now' : 'soon';
  }

  /** Shows a market, or that there is none. */
  open(market: Market | undefined): void {
    if (this.#market === market) return;
    this.#market = market;
    this.#rows = [];
    this.#chosen = undefined;
    if (!market) {
      setText(this.#title, 'No market chosen');
      this.#body.replaceChildren(make('p', 'hint', 'Choose a market on the board to see its ladders.'));
      return;
    }
    const figures = make('dl', 'figures');
    for (const name of ['Age', 'Revision', 'Published', 'Traded']) {
      const value = make('dd', '', '–');
      this.#figures.set(name, value);
      figures.append(make('div', '', make('dt', '', name), value));
    }
    this.#body.replaceChildren(this.#where, this.#standing, figures, this.#selections, this.#ladder.element);
    this.tick();
    this.paint();
  }

  paint(): void {
    const market = this.#market;
    if (!market) return;
    const format = this.#format();
    const look = (this.#look = lookOf(market));
    const place = placeOf(market);
    setText(this.#title, place.name);
    [place.fixtureName, place.score, place.competition].forEach((text, at) => setText(this.#where.children[at] as HTMLElement, text));
    setData(this.#body, 'look', look);
    setText(this.#standing, `${LABELS[look]}${market.inPlay && look === 'open' ? ', in play' : ''}. ${MEANINGS[look]}`);
    if (market.selections.length !== this.#rows.length) this.#build(market);
    let sum = 0;
    for (const row of this.#rows) {
      const { selection, back, lay, chance } = row;
      setData(row.element, 'status', selection.status.toLowerCase());
      const price = shownPrice(selection, 'back', look);
      back.show(price, look === 'open' && price !== undefined, format, this.#painter);
      if (lay) {
        const layPrice = shownPrice(selection, 'lay', look);
        lay.show(layPrice, look === 'open' && layPrice !== undefined, format, this.#painter);
      }
      if (chance) setText(chance, price === undefined ? '–' : `${(100 / price).toFixed(1)} %`);
      if (price !== undefined) sum += 100 / price;
    }
    const isExchange = this.#rows.some(({ lay }) => lay);
    this.#ladder.element.hidden = !isExchange;
    if (isExchange && this.#chosen) this.#ladder.show(this.#chosen.selection, this.#chosen.name, look, format);
    const caption = this.#selections.caption;
    if (caption) setText(caption, isExchange || sum === 0 ? 'Selections' : `Selections, ${sum.toFixed(1)} % in all`);
  }

  /** What changes without a message, or so often that it could not be read. */
  tick(): void {
    const market = this.#market;
    if (!market) return;
    const { ageMs, tradedVolume } = market;
    this.#figure('Age', ageMs === undefined ? '–' : `${(Math.max(ageMs, 0) / 1000).toFixed(1)} s`);
    this.#figure('Revision', market.revision.toLocaleString('en'));
    this.#figure('Published', new Date(market.publishedMs).toLocaleTimeString('en-GB'));
    this.#figure('Traded', tradedVolume ? money(tradedVolume) : '–');
  }

  #figure(name: string, text: string): void {
    setText(this.#figures.get(name)!, text);
  }

  #build(market: Market): void {
    const selections = inOrder(market);
    const isExchange = selections.some((selection) => selection.lay.indicativePrice !== undefined || selection.depth('back', 1).rungs.length > 0);
    const names = namesOf(selections);
    this.#rows = selections.map((selection, at) => {
      const name = names[at]!;
      const button = make('button', 'runner', name);
      button.type = 'button';
      button.tabIndex = -1;
      const back = new PriceCell('td', isExchange ? 'price back' : 'price');
      const lay = isExchange ? new PriceCell('td', 'price lay') : undefined;
      const chance = isExchange ? undefined : make('td', 'chance', '–');
      const head = make('th', '', isExchange ? button : name);
      head.scope = 'row';
      const row = { selection, name, button, back, lay, chance, element: make('tr', '', head, back.element, lay?.element ?? chance!) };
      button.addEventListener('click', () => this.#choose(row));
      return row;
    });
    const heads = ['Selection', ...(isExchange ? ['Back', 'Lay'] : ['Price', 'Implied'])].map((text) => {
      const head = make('th', '', text);
      head.scope = 'col';
      return head;
    });
    const body = make('tbody', '', ...this.#rows.map(({ element }) => element));
    body.addEventListener('keydown', (event) => moveFocus(event, this.#rows.map(({ button }) => button)));
    this.#selections.replaceChildren(make('caption', '', 'Selections'), make('thead', '', make('tr', '', ...heads)), body);
    const first = this.#rows.find(({ selection }) => selection.status === 'ACTIVE') ?? this.#rows[0];
    if (first) this.#choose(first);
  }

  #choose(chosen: Row): void {
    this.#chosen = chosen;
    for (const { button } of this.#rows) {
      const isChosen = button === chosen.button;
      button.setAttribute('aria-pressed', String(isChosen));
      button.tabIndex = isChosen ? 0 : -1;
    }
    if (this.#market) this.#ladder.show(chosen.selection, chosen.name, lookOf(this.#market), this.#format());
  }
}

/** For the page's title. */
export function titleOf(market: Market | undefined): string {
  if (!market) return 'Oddswire live board';
  const { name, fixtureName } = placeOf(market);
  return `${name}, ${fixtureName} · Oddswire`;
}

