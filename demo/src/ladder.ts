import type { Rung, Selection } from '@oddswire/web';
import { formatOdds, type OddsFormat } from '@oddswire/web/odds';

import { make, setData, setText } from './element.js';
import type { Look } from './look.js';

/** Rungs of each side that are shown. */
const SIDE_MAX = 7;

interface Line {
  readonly element: HTMLTableRowElement;
  readonly traded: HTMLElement;
  readonly back: HTMLElement;
  readonly price: HTMLElement;
  readonly lay: HTMLElement;
}

/** The book of a selection as a table: highest price on top, what can be laid above what can be backed. */
export class Ladder {
  readonly element = make('table', 'ladder');
  readonly #caption = make('caption');
  readonly #body = make('tbody');
  readonly #lines: Line[] = [];

  constructor() {
    const heads = ['Back', 'Price', 'Lay', 'Traded'].map((text) => {
      const head = make('th', '', text);
      head.scope = 'col';
      return head;
    });
    this.element.append(this.#caption, make('thead', '', make('tr', '', ...heads)), this.#body);
  }

  /** Shows the book of a selection that is called so. */
  show(selection: Selection, name: string, look: Look, format: OddsFormat): void {
    const back = selection.depth('back', SIDE_MAX);
    const lay = selection.depth('lay', SIDE_MAX);
    const traded = selection.depth('traded');
    const isShown = look === 'open' || look === 'stale' || look === 'syncing';
    const backs = isShown ? back.rungs : [];
    const lays = isShown ? lay.rungs : [];
    const amounts = new Map(traded.rungs.map(({ price, amount }) => [price, amount]));
    const most = Math.max(...[...backs, ...lays].map(({ amount }) => amount ?? 0), 1);
    const mostTraded = Math.max(...traded.rungs.map(({ amount }) => amount ?? 0), 1);
    const last = selection.indicative('lastTraded');
    const rows = [
      ...[...lays].reverse().map((rung) => ({ side: 'lay', rung }) as const),
      ...backs.map((rung) => ({ side: 'back', rung }) as const),
    ];
    setText(this.#caption, [name, rows.length === 0 && 'nothing is offered', last !== undefined && `last traded at ${formatOdds(last, format)}`].filter(Boolean).join(', '));
    rows.forEach(({ side, rung }, at) => {
      const line = (this.#lines[at] ??= newLine());
      setData(line.element, 'side', side);
      setData(line.element, 'last', String(rung.price === last));
      setText(line.price, formatOdds(rung.price, format));
      setAmount(line.back, side === 'back' ? amountOf(rung) : '', (rung.amount ?? 0) / most);
      setAmount(line.lay, side === 'lay' ? amountOf(rung) : '', (rung.amount ?? 0) / most);
      const matched = amounts.get(rung.price);
      setAmount(line.traded, matched === undefined ? '' : money(matched), (matched ?? 0) / mostTraded);
      if (!line.element.parentNode) this.#body.append(line.element);
    });
    for (let at = rows.length; at < this.#lines.length; at++) this.#lines[at]!.element.remove();
  }
}

function newLine(): Line {
  const cell = (name: 'td' | 'th', className: string): HTMLElement => make(name, className);
  const price = make('th', 'at');
  price.scope = 'row';
  const line = { back: cell('td', 'amount back'), price, lay: cell('td', 'amount lay'), traded: cell('td', 'amount traded') };
  return { ...line, element: make('tr', '', line.back, line.price, line.lay, line.traded) };
}

function setAmount(cell: HTMLElement, text: string, share: number): void {
  setText(cell, text);
  const scale = text ? String(Math.round(share * 100)) : '0';
  if (cell.dataset['share'] !== scale) {
    cell.dataset['share'] = scale;
    cell.style.setProperty('--share', `${scale}%`);
  }
}

function amountOf({ amount }: Rung): string {
  return amount === undefined ? '•' : money(amount);
}

/** Money without decimals where they say little. */
export function money(amount: number): string {
  return amount >= 100_000 ? `${(amount / 1000).toFixed(0)}k` : amount >= 100 ? amount.toFixed(0) : amount.toFixed(2);
}
