import type { Attributes, Market, Selection } from '@oddswire/core/internal';

/** Fields that not every view shows, and how many rungs it shows. */
interface Shown {
  readonly rungs: number;
  readonly hasAmounts: boolean;
  readonly isPrices: boolean;
  readonly isFull: boolean;
}

/** A market as the gateway's `/v1/markets/{id}?view=` writes it, without the epoch. */
export function marketJson(market: Market, view: string): unknown {
  const shown = shownBy(view);
  const selections = [...market.selections].sort(
    (a, b) => compare(BigInt(a.id), BigInt(b.id)) || a.thousandths - b.thousandths,
  );
  return {
    market: market.id,
    revision: market.revision,
    status: market.toldStatus(),
    in_play: market.cells[1] !== 0,
    held: market.cells[2] !== 0,
    published_ms: market.publishedMs,
    traded_volume: shown.hasAmounts ? market.cells[3]! / 100 : 0,
    definition: definition(market.texts),
    selections: selections.map((selection) => selectionJson(selection, shown)),
  };
}

function selectionJson(selection: Selection, shown: Shown): unknown {
  const { cells } = selection;
  const ladder = (slot: number, isShown = true): unknown[] => {
    const rungs = selection.ladders[slot];
    const count = isShown && rungs ? Math.min(rungs.count, shown.rungs) : 0;
    return Array.from({ length: count }, (_, at) => [
      Math.abs(rungs!.pairs[2 * at]!) / 10_000,
      shown.hasAmounts ? rungs!.pairs[2 * at + 1]! / 100 : null,
    ]);
  };
  return {
    id: Number(selection.id),
    handicap: selection.handicap,
    status: ['ACTIVE', 'WINNER', 'LOSER', 'PLACED', 'REMOVED', 'REMOVED_VACANT', 'HIDDEN', 'SUSPENDED'][cells[0]!] ?? 'SUSPENDED',
    price: price(cells[1]!),
    last_traded: price(cells[2]!),
    traded_volume: shown.hasAmounts ? cells[3]! / 100 : 0,
    back: ladder(0),
    lay: ladder(1),
    traded: ladder(2, shown.isFull),
    near_price: shown.isPrices ? null : price(cells[4]!),
    far_price: shown.isPrices ? null : price(cells[5]!),
    starting_price: price(cells[6]!),
    reduction_factor: price(cells[7]!),
    sp_back: ladder(3, shown.isFull),
    sp_lay: ladder(4, shown.isFull),
    display_back: ladder(5),
    display_lay: ladder(6),
    definition: definition(selection.texts),
  };
}

function shownBy(view: string): Shown {
  const isPrices = view === 'prices';
  const isFull = view.startsWith('full');
  return {
    rungs: isPrices ? 1 : isFull ? Infinity : parseInt(view.slice(4), 10),
    hasAmounts: !view.endsWith('prices'),
    isPrices,
    isFull,
  };
}

function definition(attributes: Attributes | undefined): Record<string, unknown> {
  const read = (value: string): unknown => {
    const text = value.slice(1);
    if (value[0] === 't') return text;
    if (value[0] === 'i') return Number(text);
    if (value[0] === 'b') return text === '1';
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  };
  return Object.fromEntries([...(attributes ?? [])].map(([name, value]) => [name, read(value)]));
}

function price(units: number): number | string | null {
  return units === 0 ? null : units === 2 ** 32 - 1 ? 'Infinity' : units / 10_000;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
