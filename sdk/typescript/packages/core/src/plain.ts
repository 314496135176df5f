import type { Changes } from './changes.js';
import { fail } from './error.js';
import { AMOUNT_END, Field, INFINITE, MARKET, RUNGS_MAX, SELECTIONS_MAX } from './field.js';
import type { Market } from './market.js';
import { indexOf, priceAt, stepOf } from './price-ladder.js';
import type { Reader } from './reader.js';
import type { Selection } from './selection.js';

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
const VOLUME_BIT = 4;
const LAST_TRADED = Field.LastTraded - Field.SelectionStatus;

/**
 * Reads what follows a piece's head in the plain encoding [PLAIN-1] to [PLAIN-10], to the reader's end, and sets the cells of
 * `market`. Every cell that it sets goes into `changes`, which takes them back if reading fails.
 *
 * `isRelative` says that values count from what `market` holds (deltas); else they are absolute.
 */
export function readPlain(reader: Reader, market: Market, changes: Changes, isRelative: boolean): void {
  const { cells, selections } = market;
  const volume = isRelative ? cells[Field.MarketTradedVolume]! : 0;
  let step = stepOf(cells[Field.PriceLadder]!);
  let number = -1;
  let grows = 0;
  let isTold = false;
  for (let isFirst = true; reader.pos < reader.end; isFirst = false) {
    const leap = reader.u();
    if (leap === 0) {
      if (!isFirst) fail('ORDER');
      isTold = decodeMarket(reader, market, changes, isRelative);
      step = stepOf(cells[Field.PriceLadder]!);
    } else {
      number += leap;
      const selection = number < SELECTIONS_MAX && selections[number];
      if (!selection) fail('SELECTION');
      grows += decodeSelection(reader, selection, changes, isRelative, step);
    }
  }
  if (volume && grows && !isTold) {
    changes.push(MARKET, Field.MarketTradedVolume, 0, volume, (cells[Field.MarketTradedVolume] = amount(volume, grows)));
  }
}

/** Returns whether the traded volume is told. */
function decodeMarket(reader: Reader, { cells }: Market, changes: Changes, isRelative: boolean): boolean {
  const mask = reader.u();
  if (mask === 0 || mask > 0x1f) fail('MASK');
  for (let bit = 0; bit < 5; bit++) {
    if (!(mask & (1 << bit))) continue;
    const field = MARKET_BITS[bit]!;
    const old = cells[field]!;
    const value = bit === 0 ? amount(isRelative ? old : 0, reader.s()) : code(reader.u());
    // It is told only because it does not follow.
    if (bit === 0 && isRelative && old && old === value) continue;
    cells[field] = value;
    changes.push(MARKET, field, 0, old, value);
  }
  return (mask & 1) === 1;
}

/** Returns by how much the traded volume grows. */
function decodeSelection(reader: Reader, selection: Selection, changes: Changes, isRelative: boolean, step: number): number {
  const mask = reader.u();
  if (mask === 0 || mask > 0xffff) fail('MASK');
  const { cells } = selection;
  // Ladders count from what was last traded before the piece.
  const lastTraded = isRelative ? cells[LAST_TRADED]! : 0;
  if (mask & CLEARED) {
    const ladders = reader.u();
    if (ladders === 0 || ladders > 0x7f) fail('MASK');
    changes.clear(selection, ladders);
  }
  let traded = 0;
  let grows = 0;
  for (let bit = 0; bit < 15; bit++) {
    const field = SELECTION_BITS[bit]!;
    const slot = field - Field.SelectionStatus;
    if (!(mask & (1 << bit))) {
      // What is not told follows from what was traded.
      if (bit === VOLUME_BIT && isRelative && cells[slot] && traded) {
        const old = cells[slot];
        grows = traded;
        changes.push(selection.number, field, 0, old, (cells[slot] = amount(old, traded)));
      }
      continue;
    }
    if (field >= Field.Back) {
      const grown = decodeRungs(reader, selection, field, changes, isRelative, step, lastTraded);
      if (field === Field.Traded) traded = grown;
      continue;
    }
    const old = cells[slot]!;
    const held = isRelative ? old : 0;
    const value =
      field === Field.TradedVolume
        ? amount(held, reader.s())
        : field === Field.SelectionStatus || field === Field.ReductionFactor
          ? code(reader.u())
          : price(held, reader.u(), step);
    if (bit === VOLUME_BIT) {
      grows = value - held;
      if (held && !grows) continue;
    }
    cells[slot] = value;
    changes.push(selection.number, field, 0, old, value);
  }
  return grows;
}

/** Returns by how much the amounts grow together. */
function decodeRungs(
  reader: Reader,
  selection: Selection,
  field: number,
  changes: Changes,
  isRelative: boolean,
  step: number,
  lastTraded: number,
): number {
  const rungs = selection.ladder(field);
  const away = rungs.isHighestFirst ? -1 : 1;
  const from = changes.length;
  let index = isRelative ? firstIndex(field, rungs.count && Math.abs(rungs.pairs[0]!), lastTraded, step) : 0;
  let isFirst = true;
  let isBeside = false;
  let place = -1;
  let head: number;
  let grows = 0;
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
    grows += value - held;
    rungs.setAt(place, key, old, value);
    changes.push(selection.number, field, price, old, value);
    if (rungs.count > RUNGS_MAX || changes.length - from > RUNGS_MAX) fail('RANGE');
  } while (head & 1);
  return grows;
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
