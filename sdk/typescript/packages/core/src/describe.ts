import type { Changes } from './changes.js';
import type { SessionEvent } from './event.js';
import { Field, INFINITE } from './field.js';
import type { Market } from './market.js';
import type { Selection } from './selection.js';

/** Names of fields by code; those of ladders as in `Selection.depth`. */
const NAMES: readonly string[] = [
  ...['status', 'inPlay', 'held', 'tradedVolume', 'priceLadder', , , , , , , , , , , ,],
  ...['selectionStatus', 'price', 'lastTraded', 'selectionTradedVolume', 'near', 'far', 'starting', 'reductionFactor', , , , , , , , ,],
  ...['back', 'lay', 'traded', 'spBack', 'spLay', 'displayBack', 'displayLay'],
] as string[];

/** One cell that has changed. */
export interface CellChange {
  readonly market: Market;
  /** The selection; none for the market's own cells. */
  readonly selection: Selection | undefined;
  /** For example `status`, `lastTraded`, or a ladder's name: `back`. */
  readonly field: string;
  /** For ladders: at which price the amount has changed. */
  readonly price: number | undefined;
  /** What it was and what it is: prices as decimal odds, amounts as money, codes as they are; none when the cell is absent. */
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** What a `changed` event has changed, cell by cell; for showing what moves. Empty when there was too much to keep. */
export function describeChanges(changes: Changes, event: SessionEvent & { readonly type: 'changed' }): CellChange[] {
  const described: CellChange[] = [];
  const { market } = event;
  for (let at = event.from; at < Math.min(event.to, changes.length); at++) {
    const [number, code, price, from, to] = changes.entries.subarray(5 * at, 5 * at + 5) as unknown as number[] & { length: 5 };
    described.push({
      market,
      selection: market.selections[number!],
      field: NAMES[code!] ?? String(code),
      price: price ? price / 10_000 : undefined,
      from: inUnits(code!, from!),
      to: inUnits(code!, to!),
    });
  }
  return described;
}

function inUnits(code: number, value: number): number | undefined {
  if (value === 0) return undefined;
  if (code >= Field.Back || code === Field.TradedVolume || code === Field.MarketTradedVolume) return value / 100;
  if (code <= Field.SelectionStatus) return value;
  return value === INFINITE ? Infinity : value / 10_000;
}
