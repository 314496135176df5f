import type { Changes } from './changes.js';
import type { Encoding } from './encoding.js';
import { fail } from './error.js';
import { AMOUNT_END, Field, INFINITE, MARKET, SELECTIONS_MAX } from './field.js';
import type { Mirror, Runner } from './mirror.js';
import { indexOf, priceAt, stepOf } from './price-ladder.js';
import type { Reader } from './reader.js';

/** Fields of a market's mask, lowest bit first [PLAIN-4]. */
const MARKET_BITS = [Field.MarketTradedVolume, Field.Status, Field.InPlay, Field.Held, Field.PriceLadder];
/** Fields of a selection's mask, lowest bit first [PLAIN-5]. */
const SELECTION_BITS = [
  Field.Back,
  Field.Lay,
  Field.Traded,
  Field.LastTraded,
  Field.TradedVolume,
  Field.Price,
  Field.DisplayBack,
  Field.DisplayLay,
  Field.NearPrice,
  Field.FarPrice,
  Field.SpBack,
  Field.SpLay,
  Field.SelectionStatus,
  Field.ReductionFactor,
  Field.StartingPrice,
];
const CLEARED = 1 << 15;
/**
 * Most rungs of a ladder, and of a ladder in one piece: twice what a producer may send at once [ING-14]. Putting a rung in
 * its place moves those behind it, so without a limit a frame of 1 MiB could take minutes.
 */
const RUNGS_MAX = 4096;
const LAST_TRADED = Field.LastTraded - Field.SelectionStatus;

/** The plain encoding [PLAIN-1] to [PLAIN-9]. Every gateway speaks it. */
export const plain: Encoding = {
  number: 1,

  decode(reader, mirror, changes, isRelative) {
    let step = stepOf(mirror.cells[Field.PriceLadder]!);
    let number = -1;
    for (let isFirst = true; reader.pos < reader.end; isFirst = false) {
      const leap = reader.u();
      if (leap === 0) {
        if (!isFirst) fail('ORDER');
        decodeMarket(reader, mirror, changes, isRelative);
        step = stepOf(mirror.cells[Field.PriceLadder]!);
      } else {
        number += leap;
        const runner = number < SELECTIONS_MAX && mirror.runners[number];
        if (!runner) fail('SELECTION');
        decodeRunner(reader, runner, changes, isRelative, step);
      }
    }
  },
};

function decodeMarket(reader: Reader, { cells }: Mirror, changes: Changes, isRelative: boolean): void {
  const mask = reader.u();
  if (mask === 0 || mask > 0x1f) fail('MASK');
  for (let bit = 0; bit < 5; bit++) {
    if (!(mask & (1 << bit))) continue;
    const field = MARKET_BITS[bit]!;
    const old = cells[field]!;
    const value = bit === 0 ? amount(isRelative ? old : 0, reader.s()) : code(reader.u());
    cells[field] = value;
    changes.push(MARKET, field, 0, old, value);
  }
}

function decodeRunner(reader: Reader, runner: Runner, changes: Changes, isRelative: boolean, step: number): void {
  const mask = reader.u();
  if (mask === 0 || mask > 0xffff) fail('MASK');
  const { cells } = runner;
  // Ladders count from what was last traded before the piece.
  const lastTraded = isRelative ? cells[LAST_TRADED]! : 0;
  if (mask & CLEARED) clear(reader.u(), runner, changes);
  for (let bit = 0; bit < 15; bit++) {
    if (!(mask & (1 << bit))) continue;
    const field = SELECTION_BITS[bit]!;
    if (field >= Field.Back) {
      decodeRungs(reader, runner, field, changes, isRelative, step, lastTraded);
      continue;
    }
    const slot = field - Field.SelectionStatus;
    const old = cells[slot]!;
    const held = isRelative ? old : 0;
    const value =
      field === Field.TradedVolume
        ? amount(held, reader.s())
        : field === Field.SelectionStatus || field === Field.ReductionFactor
          ? code(reader.u())
          : price(held, reader.u(), step);
    cells[slot] = value;
    changes.push(runner.number, field, 0, old, value);
  }
}

function clear(ladders: number, runner: Runner, changes: Changes): void {
  if (ladders === 0 || ladders > 0x7f) fail('MASK');
  for (let slot = 0; slot < 7; slot++) {
    const rungs = runner.ladders[slot];
    if (!(ladders & (1 << slot)) || !rungs) continue;
    // The last one first: undoing then puts the best one back first.
    while (rungs.count > 0) {
      const place = rungs.count - 1;
      const key = rungs.pairs[2 * place]!;
      const old = rungs.pairs[2 * place + 1]!;
      rungs.setAt(place, key, old, 0);
      changes.push(runner.number, Field.Back + slot, Math.abs(key), old, 0);
      changes.cleared++;
    }
  }
}

function decodeRungs(
  reader: Reader,
  runner: Runner,
  field: number,
  changes: Changes,
  isRelative: boolean,
  step: number,
  lastTraded: number,
): void {
  const rungs = runner.ladder(field);
  const away = rungs.isHighestFirst ? -1 : 1;
  const from = changes.length;
  let index = isRelative ? firstIndex(field, rungs.count && Math.abs(rungs.pairs[0]!), lastTraded, step) : 0;
  let isFirst = true;
  let isBeside = false;
  let place = -1;
  let head: number;
  do {
    head = reader.u();
    if (head >= AMOUNT_END) fail('PRICE');
    let price: number;
    if (head < 4) {
      // It stands on no tick, so it may come in any order, and twice.
      price = reader.u();
      if (price > INFINITE) fail('PRICE');
      isBeside = true;
    } else {
      const leap = head < 2 ** 31 ? head >>> 2 : Math.floor(head / 4);
      index += away * (isFirst ? unzigzag(leap - 1) : leap);
      isFirst = false;
      price = priceAt(step, index);
    }
    const key = price * away;
    if (place < 0 || isBeside) place = rungs.find(key);
    // Away from the best is further down the list.
    else while (place < rungs.count && rungs.pairs[2 * place]! < key) place++;
    const old = rungs.amountAt(place, key);
    const held = !isRelative ? 0 : isBeside ? changes.before(from, price, old) : old;
    let value = 0;
    if (!(head & 2)) {
      value = held > 0 ? held + reader.s() : reader.u();
      if (value < 1 || value >= AMOUNT_END) fail('AMOUNT');
    }
    rungs.setAt(place, key, old, value);
    changes.push(runner.number, field, price, old, value);
    if (rungs.count > RUNGS_MAX || changes.length - from > RUNGS_MAX) fail('RANGE');
  } while (head & 1);
}

/** Where the first rung counts from [PLAIN-7]. */
function firstIndex(field: number, best: number, lastTraded: number, step: number): number {
  const isTraded = field === Field.Traded;
  const index = indexOf(step, isTraded ? lastTraded : best);
  return index >= 0 ? index : Math.max(indexOf(step, isTraded ? best : lastTraded), 0);
}

function price(held: number, coded: number, step: number): number {
  // Prices have 32 bits; differences of indexes one more, and another one for the sign.
  if (coded >= 2 ** 35) fail('PRICE');
  const rest = Math.floor(coded / 2);
  if (coded % 2 === 0) return priceAt(step, Math.max(indexOf(step, held), 0) + unzigzag(rest));
  return rest > INFINITE ? fail('PRICE') : rest;
}

function amount(held: number, difference: number): number {
  const value = held + difference;
  return value < 0 || value >= AMOUNT_END ? fail('AMOUNT') : value;
}

function code(value: number): number {
  return value >= AMOUNT_END ? fail('RANGE') : value;
}

function unzigzag(value: number): number {
  return value % 2 ? -(value + 1) / 2 : value / 2;
}
