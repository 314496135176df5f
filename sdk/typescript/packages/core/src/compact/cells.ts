import type { Changes } from '../changes.js';
import { fail } from '../error.js';
import { Field, INFINITE, MARKET, RUNGS_MAX } from '../field.js';
import type { Market } from '../market.js';
import type { Rungs } from '../rungs.js';
import type { Selection as Runner } from '../selection.js';
import { indexOf, priceAt, stepOf } from '../price-ladder.js';
import { amount, bit, few, finish, raw, readCount, readLength, readLoose, readNumber, readRest, remaining, symbol } from './coder.js';
import { Table } from './tables.js';

/** Cells that any piece may hold, for every byte of it, and at most [COMPACT-9]. */
const CELLS_FREE = 64;
const CELLS_PER_BYTE = 32;
const CELLS_MAX = 1 << 20;
/** Amounts that are remembered, and halves of traded amounts. */
const KEPT = 8;
/** A hole in front of the best rung, as wide as any. */
const WIDE = 99;

/** Classes of the common fields, for the selection that follows. */
const CLASSES = [1, 2, 3, 6, 3, 6, 4, 5];
/** Fields without a bit of their own. */
const OTHERS = [
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
/** Their places in that list, in the order in which they are told: ladders first. */
const TOLD = [1, 2, 5, 6, 0, 3, 4, 7, 8, 9];
const ROOMS = [0, 0, 1, 2, 3, 4, 4, 5, 5];
const PLACES = [0, 1, 2, 2, 3, 3, 3, 4];
const HOLES = [0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5];

// Reads the cells of compact pieces [COMPACT-7] into a mirror. What they count from is the mirror before the piece, so what
// is still needed of that is noted before it is overwritten. As with the coder, what reading is at stands in this module.

let target: Market;
let log: Changes;
/** 1 for snapshots and catch-ups: they count from nothing. */
let anew = 0;
let isCatchUp = false;
/** Step of the price ladder. */
let ladder = 0;
let cellsLeft = 0;

/** Amounts by which rungs have changed, the last one first. Twice as long as it has to be, like others here: engines find short ones slower. */
const seen = new Float64Array(2 * KEPT);
let seenCount = 0;
/** Whether amounts are hidden; unknown at first. */
let isHidden = -1;
/** Bits of the last new rung's amount, and how it was told. */
let wasBits = 0;
let wasHow = 0;
/** Length of the amount that waits for its low bits, or -1; and where they belong. */
let waits = -1;
let waitsHeld = 0;
let waitsSign = 1;
let waitsRungs: Rungs;
let waitsAt = 0;
let waitsEntry = 0;

/** Of the selection: its common fields, what was last traded before the piece, and its best offers, as places on the ladder. */
let common = 0;
let lastIndex = 0;
const bests = [0, 0, 0, 0, 0, 0, 0];
/** Where its traded amounts begin among the changes, by how much they grow, and half of what was traded where. */
let tradedFrom = 0;
let tradedCount = 0;
let tradedGrows = 0;
const halfPrices = new Float64Array(2 * KEPT);
const halves = new Float64Array(2 * KEPT);
let halfCount = 0;

/** How many steps before the frame's clock a delta's market was published. */
export function readAge(): number {
  return bit(Table.Aged, 0) && readLoose(0);
}

/** Reads all cells. */
export function readCells(mirror: Market, changes: Changes, isDelta: boolean, catchesUp: boolean): void {
  target = mirror;
  log = changes;
  anew = isDelta ? 0 : 1;
  isCatchUp = catchesUp;
  ladder = stepOf(mirror.cells[Field.PriceLadder]!);
  cellsLeft = Math.min(CELLS_FREE + CELLS_PER_BYTE * remaining(), CELLS_MAX);
  seenCount = wasBits = wasHow = 0;
  isHidden = waits = -1;
  const { cells, selections: runners } = mirror;
  if (bit(Table.MarketFields, 0)) {
    for (let at = 0; at < 4; at++) {
      // Status, InPlay, Held; and the ladder, whose code is 4.
      if (bit(Table.MarketField, at)) setMarket(at < 3 ? at : Field.PriceLadder, readLoose(1));
    }
    ladder = stepOf(cells[Field.PriceLadder]!);
  }
  const grows = readSelections(runners);
  const held = anew ? 0 : cells[Field.MarketTradedVolume]!;
  const how = few(Table.MarketVolume + 4 * ((grows ? 1 : 0) + (held > 0 ? 2 : 0)));
  if (how) {
    let value = how < 3 ? (how < 2 ? held : 0) + grows : readDifference(4, Table.Odd, 24, held);
    // What they were and what they grow by is what they are.
    if (how === 2 && !anew) value = runners.reduce((sum, { cells }) => sum + cells[3]!, 0);
    setMarket(Field.MarketTradedVolume, amount(value));
  }
  settle();
  readStrays(runners);
  finish();
}

/** Rungs beside the ladder's ticks, which are told by their price. */
function readStrays(runners: readonly Runner[]): void {
  while (bit(Table.Stray, 0)) {
    const runner = runners[readLoose(0)] ?? fail('SELECTION');
    const field = Field.Back + raw(3);
    if (field > Field.DisplayLay) fail('MASK');
    const rungs = runner.ladder(field);
    do {
      const price = readWhole();
      if (price % INFINITE === 0) fail('PRICE');
      const key = rungs.isHighestFirst ? -price : price;
      const at = rungs.find(key);
      put(runner, rungs, field, at, key, price, rungs.amountAt(at, key), readNumber(Table.Odd, 24));
    } while (bit(Table.Stray, 1));
  }
}

function readSelections(runners: readonly Runner[]): number {
  const count = runners.length;
  let left = readCount(Table.Selections + 16 * (anew ? 7 : Math.min(bits(count), 6)));
  if (left > count) fail('SELECTION');
  let kind = left === 1 ? 7 : 0;
  let grows = 0;
  for (let number = 0; left > 0; number++) {
    const rest = count - number;
    const runner = runners[number]!;
    if (rest > left) {
      const share = Math.min(((8 * left) / rest) | 0, 7);
      if (!bit(Table.Touched, (2 * share + (left > 1 ? 1 : 0)) * 7 + priceKind(runner))) continue;
    }
    left--;
    grows += readSelection(runner, kind);
    kind = CLASSES[common & 7]!;
  }
  return grows;
}

/** Where the selection's price stands, roughly. */
function priceKind(runner: Runner): number {
  if (anew || !hasOffers(runner)) return 0;
  const price = runner.cells[2]!;
  return price ? (2 + Math.min(Math.max(indexOf(ladder, price), 0) / 64, 4)) | 0 : 1;
}

/** Returns by how much its traded volume grows. */
function readSelection(runner: Runner, kind: number): number {
  const { cells, ladders } = runner;
  const held = anew ? 4 : (count(ladders[2]) ? 1 : 0) + (hasOffers(runner) ? 2 : 0);
  let fields = (common = symbol(Table.Fields + 32 * (8 * held + kind)));
  const isAny = fields ? 1 : 0;
  const context = anew ? 32 : 2 * held + 1 - isAny + (count(ladders[5]) ? 8 : 0) + (cells[4] ? 16 : 0);
  if (bit(Table.Other, context)) {
    let before = 0;
    for (let at = 0; at < OTHERS.length; at++) {
      before = bit(Table.OtherField, 40 * anew + 4 * at + 2 * isAny + before);
      fields |= before << (5 + at);
    }
  }
  if (isCatchUp && bit(Table.Cleared, 0)) log.clear(runner, raw(7));
  lastIndex = anew ? -1 : indexOf(ladder, cells[2]!);
  if (fields & 7) noteBest(ladders, 0);
  if (fields & 192) noteBest(ladders, 5);
  tradedCount = tradedGrows = halfCount = 0;
  let grows = 0;
  if (fields & 1) readTraded(runner);
  if (fields & 8) setCell(runner, 2, readLastTraded());
  if (fields & 16) {
    const held = anew ? 0 : cells[3]!;
    const value = amount(readVolume(runner, held));
    grows = value - held;
    setCell(runner, 3, value);
  }
  if (fields & 2) readBook(runner, Field.Back);
  if (fields & 4) readBook(runner, Field.Lay);
  if (fields < 32) return grows;
  for (const at of TOLD) {
    const field = OTHERS[at]!;
    if (!(fields & (32 << at))) continue;
    if (field < Field.Back) setCell(runner, field - 16, readValue(runner, field));
    else readBook(runner, field);
  }
  return grows;
}

/** Notes where the best offers of both sides stand, before one of them changes. */
function noteBest(ladders: Runner['ladders'], from: number): void {
  for (let slot = from; slot < from + 2; slot++) {
    bests[slot] = anew || !count(ladders[slot]) ? -1 : indexOf(ladder, Math.abs(ladders[slot]!.pairs[0]!));
  }
}

function readValue({ cells }: Runner, field: number): number {
  const held = anew ? 0 : cells[field - 16]!;
  if (field === Field.SelectionStatus) return readLoose(2);
  if (field >= Field.StartingPrice) return readLoose(3);
  if (field === Field.Price) {
    const how = few(Table.Price + (held ? 3 : 0));
    return how ? (how < 2 ? 0 : readWhole()) : readStepped(1, indexOf(ladder, held));
  }
  const kind = held ? (held === INFINITE ? 2 : 1) : 0;
  const how = few(Table.Near + 4 * kind);
  if (how < 2) return how && INFINITE;
  if (how > 2) return readWhole();
  return price(100 * readDifference(2, kind === 1 ? Table.NearBy + 16 : Table.NearBy, 16, kind === 1 ? Math.floor(held / 100) : 100));
}

function readTraded(runner: Runner): void {
  const rungs = runner.ladder(Field.Traded);
  const back = bests[0]!;
  const lay = bests[1]!;
  const three = common & 7;
  let index = Math.max(lastIndex < 0 ? (back < 0 ? lay : back) : lastIndex, 0);
  const context = anew ? 16 : 4 * sideOf(back, index) + sideOf(lay, index);
  const step = symbol(Table.TradedAt + 16 * context);
  if (step < 15) index += step - 7;
  else {
    const isDown = bit(Table.Down, 5);
    const far = 8 + readNumber(Table.TradedFar, 16);
    index += isDown ? -far : far;
  }
  tradedFrom = log.length;
  let fell = 2;
  let place = -1;
  for (let told = 1; ; told++) {
    const price = priceAt(ladder, index);
    if (place < 0) place = rungs.find(price);
    else while (place < rungs.count && rungs.pairs[2 * place]! < price) place++;
    const old = rungs.amountAt(place, price);
    const held = anew ? 0 : old;
    fell = bit(Table.TradedLess, 8 * fell + three);
    const value = amount(fell ? held - readNumber(Table.TradedFall, 24) : held + readTradedAmount(runner, price));
    tradedGrows += value - held;
    put(runner, rungs, Field.Traded, place, price, price, old, value);
    tradedCount++;
    if (!bit(Table.TradedMore, anew ? 0 : Math.min(told, 7))) return;
    index += 1 + readNumber(Table.TradedGap + 16 * (anew ? 0 : Math.min(told, 3)), 16);
  }
}

function readTradedAmount({ ladders }: Runner, price: number): number {
  settle();
  const back = anew ? 0 : amountOf(ladders[0], -price);
  const lay = anew ? 0 : amountOf(ladders[1], price);
  const offer = back || lay;
  if (offer && bit(Table.TradedOffer, common & 7)) {
    const half = back && lay && bit(Table.TradedLay, 0) ? lay : offer;
    noteHalf(price, half);
    return 2 * half;
  }
  const isEven = bit(Table.TradedEven, anew);
  const count = seenCount;
  let value: number;
  if (count && bit(Table.TradedAgain, Math.min(count, 4) - 1)) value = readAgain();
  else if (isEven && bit(Table.TradedRound, anew)) value = amount(100 * readNumber(Table.TradedUnits, 16));
  else {
    const context = anew ? 5 + third(count && bits(seen[0]!), 6) : Math.min(bits(offer) >> 2, 4);
    value = readRest(readLength(Table.TradedCents + 24 * context, 24));
    // The last bit of an odd one is known.
    if (!isEven) value = amount(2 * value + 1);
  }
  note(value);
  if (!isEven) return value;
  noteHalf(price, value);
  return 2 * value;
}

function noteHalf(price: number, half: number): void {
  const at = halfCount;
  if (at === KEPT) return;
  halfPrices[at] = price;
  halves[at] = half;
  halfCount++;
}

function readLastTraded(): number {
  const count = tradedCount;
  const how = few(Table.Last + (count ? 3 : 0));
  if (how === 1) return readStepped(0, lastIndex);
  if (how) return readWhole();
  const at = count > 1 ? symbol(Table.LastAt + 16 * (Math.min(count, 8) - 1)) : 0;
  return at < count ? log.entries[5 * (tradedFrom + at) + 2]! : fail('PRICE');
}

function readVolume({ ladders }: Runner, held: number): number {
  const how = few(Table.Volume + (tradedCount ? 4 : 0));
  if (how === 0) return held + tradedGrows;
  if (how > 2) return readDifference(3, Table.Odd, 24, held);
  let sum = 0;
  if (how === 1) {
    for (let at = 0; at < tradedCount; at++) sum += log.entries[5 * (tradedFrom + at) + 4]!;
  } else if (anew) {
    return tradedGrows;
  } else {
    // What stood there and what has grown is what stands there.
    for (let at = 0; at < count(ladders[2]); at++) sum += ladders[2]!.pairs[2 * at + 1]!;
  }
  return sum;
}

function readBook(runner: Runner, field: number): void {
  const rungs = runner.ladder(field);
  const isDown = rungs.isHighestFirst;
  const slot = field - Field.Back;
  // Back and Lay are 0 and 1, DisplayBack and DisplayLay 5 and 6; starting-price ladders have no other side.
  const opposite = slot < 2 ? bests[1 - slot]! : slot > 4 ? bests[11 - slot]! : -1;
  const side = anew ? 2 : slot < 2 ? 0 : 1;
  const one = side ? 1 : 0;
  const three = common & 7;
  const size = readCount(Table.Count + 16 * (side ? 7 + side : three));
  if (size === 0) fail('MASK');
  const crowd = 9 * (3 * one + (size < 2 ? 0 : size < 4 ? 1 : 2));
  let at = 0;
  let left = anew ? 0 : rungs.count;
  const best = left && rungs.pairs[1]!;
  let rung = 0;
  /** Place of the last rung that was told or passed, if any was. */
  let behind = 0;
  let isFirst = true;
  let step = 0;
  for (let told = 0; told < size; told++) {
    if (left) {
      let gap = symbol(Table.Gap + 16 * (crowd + (told ? 2 + PLACES[Math.min(rung, 7)]! : three & 1)));
      if (gap === 15) gap += readNumber(Table.GapFar, 16);
      if (gap > left) fail('CODER');
      if (gap) {
        at += gap;
        left -= gap;
        rung += gap;
        behind = placeOf(rungs, at - 1);
        isFirst = false;
      }
    }
    const down = rung ? 1 : 0;
    let held = 0;
    let place: number;
    if (left) {
      place = placeOf(rungs, at);
      const hole = isFirst ? WIDE : place - behind - 1;
      if (hole > 0 && bit(Table.Enters, ((2 * one + (told ? 0 : 1)) * 3 + Math.min(rung, 2)) * 5 + Math.min(hole, 5) - 1)) {
        if (isFirst) {
          const room = opposite < 0 ? 8 : Math.min(Math.max(place - turned(opposite, isDown), 0), 8);
          place -= 1 + readNumber(Table.Beats + 16 * ROOMS[room]!, 16);
        } else place = behind + 1 + readHole(hole, one);
      } else {
        held = rungs.pairs[2 * at + 1]!;
      }
    } else if (isFirst) {
      place = turned(opposite < 0 ? Math.max(lastIndex, 0) : opposite, isDown);
      const isDownwards = bit(Table.Down, 6);
      const far = readNumber(Table.First + 16 * side, 16);
      place += isDownwards ? -far : far;
    } else {
      step = 1 + readNumber(Table.Behind + 16 * (3 * side + Math.min(step, 2)), 16);
      place = behind + step;
    }
    behind = place;
    isFirst = false;
    settle();
    if (held) {
      const key = rungs.pairs[2 * at]!;
      const price = Math.abs(key);
      const value = readChanged(held, price, side, down, size);
      putBook(runner, rungs, field, at, key, price, held, value);
      left--;
      rung++;
      if (value) at++;
    } else {
      const price = priceAt(ladder, turned(place, isDown));
      const value = readNew(best, side, down, size);
      const key = isDown ? -price : price;
      // A catch-up counts from nothing, but there may be something.
      if (anew) while (at < rungs.count && rungs.pairs[2 * at]! < key) at++;
      putBook(runner, rungs, field, at, key, price, rungs.amountAt(at, key), value);
      if (value) at++;
    }
  }
}

/** Sets a rung of an offer, whose amount may still wait. */
function putBook(runner: Runner, rungs: Rungs, field: number, at: number, key: number, price: number, old: number, value: number): void {
  if (waits >= 0) {
    waitsRungs = rungs;
    waitsAt = at;
    waitsEntry = log.length;
  }
  put(runner, rungs, field, at, key, price, old, value);
}

/** The place of an index on a ladder whose best price is the highest, and the other way round. Without a negative 0. */
function turned(index: number, isDown: boolean): number {
  return isDown ? 0 - index : index;
}

/** Where in a hole between two rungs a new one stands. */
function readHole(hole: number, one: number): number {
  let at = 0;
  if (hole > 16) at = readNumber(Table.EntersFar + 16 * one, 16);
  else if (hole > 1) at = symbol(Table.EntersAt + 16 * HOLES[hole]!);
  return at < hole ? at : fail('PRICE');
}

function readNew(best: number, side: number, down: number, size: number): number {
  if (isCatchUp && bit(Table.Gone, 0)) return 0;
  if (isHidden < 0) isHidden = bit(Table.Hidden, best ? (best === 1 ? 1 : 0) : 2);
  if (isHidden) return 1;
  const some = seenCount ? 1 : 0;
  const context = side === 2 ? 16 + 2 * wasHow + some : ((2 * side + down) * 2 + some) * 2 + (size > 1 ? 1 : 0);
  const how = few(Table.New + 3 * context);
  const by = readBy(how, side, 0, 0);
  wasHow = how;
  wasBits = how < 2 ? bits(by) : 0;
  return stake(by);
}

function readChanged(held: number, price: number, side: number, down: number, size: number): number {
  const half = side ? -1 : halfAt(price);
  const context =
    held === 1
      ? 84
      : half >= 0 && half <= held
        ? (half === held ? 80 : 82) + down
        : (((side ? 2 : 0) + (size > 1 ? 1 : 0)) * 2 + down) * 10 + 2 * third(Math.max(bits(held) - 5, 0), 4) + (seenCount ? 1 : 0);
  const how = symbol(Table.Changes + 8 * context);
  if (how === 0) {
    note(held);
    return 0;
  }
  if (how === 1) return half < 0 ? fail('AMOUNT') : stake(held - half);
  const by = how < 5 ? -readBy(how - 2, side, held, 1) : readBy(how - 5, side, held, 0);
  // What waits is not known yet.
  return waits < 0 ? stake(held + by) : held;
}

function halfAt(price: number): number {
  for (let at = 0; at < halfCount; at++) if (halfPrices[at] === price) return halves[at]!;
  return -1;
}

/** An amount told in one of three ways: seen before, in whole units, in cents. Of those the low bits wait, and 1 stands for them. */
function readBy(how: number, side: number, held: number, falls: number): number {
  const size = third(wasBits, 6);
  if (how > 1) {
    const context = side === 2 ? 21 + size : held ? 3 + 2 * Math.min(Math.max(bits(held) - 2, 0) >> 1, 8) + falls : side;
    waits = readLength(Table.Cents + 24 * context, 24);
    waitsHeld = held;
    waitsSign = falls ? -1 : 1;
    return 1;
  }
  const by = how ? amount(100 * readNumber(Table.Units + 16 * (side === 2 ? 2 + size : held ? 0 : 1), 16)) : readAgain();
  note(by);
  return by;
}

function settle(): void {
  if (waits < 0) return;
  const by = readRest(waits);
  waits = -1;
  note(by);
  if (!waitsHeld) wasBits = bits(by);
  const value = stake(waitsHeld + waitsSign * by);
  waitsRungs.pairs[2 * waitsAt + 1] = value;
  log.entries[5 * waitsEntry + 4] = value;
}

/** Sets a rung whose place is known. */
function put(runner: Runner, rungs: Rungs, field: number, at: number, key: number, price: number, old: number, value: number): void {
  push(runner.number, field, price, old, value);
  rungs.setAt(at, key, old, value);
  if (rungs.count > RUNGS_MAX) fail('RANGE');
}

function readAgain(): number {
  const count = seenCount;
  const at = count > 1 ? symbol(Table.Again + 8 * (Math.min(count, 4) - 2)) : 0;
  return at < count ? seen[at]! : fail('AMOUNT');
}

function note(amount: number): void {
  let at = 0;
  let moved = amount;
  while (at < seenCount) {
    const here = seen[at]!;
    seen[at++] = moved;
    if (here === amount) return;
    moved = here;
  }
  if (at === KEPT) return;
  seen[at] = moved;
  seenCount++;
}

function readDifference(what: number, at: number, size: number, held: number): number {
  const isDown = bit(Table.Down, what);
  const by = readNumber(at, size);
  return amount(isDown ? held - by : held + by);
}

function readStepped(what: number, from: number): number {
  const isDown = bit(Table.Down, what);
  const steps = readNumber(Table.Steps + 16 * what, 16);
  return priceAt(ladder, Math.max(from, 0) + (isDown ? -steps : steps));
}

function readWhole(): number {
  return price(readLoose(0));
}

function placeOf({ pairs, isHighestFirst }: Rungs, at: number): number {
  const index = indexOf(ladder, Math.abs(pairs[2 * at]!));
  return index < 0 ? fail('PRICE') : turned(index, isHighestFirst);
}

function setCell({ number, cells }: Runner, slot: number, value: number): void {
  push(number, 16 + slot, 0, cells[slot]!, value);
  cells[slot] = value;
}

function setMarket(field: number, value: number): void {
  const { cells } = target;
  push(MARKET, field, 0, cells[field]!, value);
  cells[field] = value;
}

function push(selection: number, field: number, price: number, old: number, value: number): void {
  if (cellsLeft-- === 0) fail('CODER');
  log.push(selection, field, price, old, value);
}

/** A third of a number of bits, at most `most`. */
function third(bits: number, most: number): number {
  return Math.min((bits / 3) | 0, most);
}

/** How many binary digits a number has. */
function bits(value: number): number {
  return value < 2 ** 32 ? 32 - Math.clz32(value) : 64 - Math.clz32(value / 2 ** 32);
}

function count(rungs: Rungs | undefined): number {
  return rungs ? rungs.count : 0;
}

function hasOffers({ ladders }: Runner): boolean {
  return count(ladders[0]) + count(ladders[1]) > 0;
}

function amountOf(rungs: Rungs | undefined, key: number): number {
  return rungs ? rungs.amountAt(rungs.find(key), key) : 0;
}

/** Whether an offer is missing (3), or below, at or above the last price. */
function sideOf(index: number, from: number): number {
  return index < 0 ? 3 : Math.sign(index - from) + 1;
}

function price(value: number): number {
  return value > INFINITE ? fail('PRICE') : value;
}

/** An amount of a rung, which is there. */
function stake(value: number): number {
  return value ? amount(value) : fail('AMOUNT');
}
