import type { Changes } from '../changes.js';
import { fail } from '../error.js';
import { AMOUNT_END, Field, INFINITE, MARKET, RUNGS_MAX } from '../field.js';
import type { Mirror, Rungs, Runner } from '../mirror.js';
import { indexOf, priceAt, stepOf } from '../price-ladder.js';
import { SymbolReader } from './coder.js';
import { Table } from './tables.js';

/** Cells that any piece may hold, for every byte of it, and at most [COMPACT-9]. */
const CELLS_FREE = 64;
const CELLS_PER_BYTE = 32;
const CELLS_MAX = 1 << 20;
/** Amounts that are remembered, and halves of traded amounts. */
const KEPT = 8;
const NONE = -Infinity;

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
/** Ladders of offers in the order in which they are told; each with the bit of `fields`, from 32 on that of `others`. */
const BOOKS = [Field.Back, 2, Field.Lay, 4, Field.DisplayBack, 64, Field.DisplayLay, 128, Field.SpBack, 1024, Field.SpLay, 2048];
/** The selection's own cells that come last, likewise. */
const VALUES = [Field.Price, 32, Field.NearPrice, 256, Field.FarPrice, 512, Field.SelectionStatus, 4096, Field.ReductionFactor, 8192, Field.StartingPrice, 16384];
const ROOMS = [0, 0, 1, 2, 3, 4, 4, 5, 5];
const PLACES = [0, 1, 2, 2, 3, 3, 3, 4];
const HOLES = [0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5];

/**
 * Reads the cells of compact pieces [COMPACT-7] into a mirror. What they count from is the mirror before the piece, so what
 * is still needed of that is noted before it is overwritten. One is enough for all pieces: nothing is left behind.
 */
export class CellReader extends SymbolReader {
  #mirror!: Mirror;
  #changes!: Changes;
  /** 1 for snapshots and catch-ups: they count from nothing. */
  #anew = 0;
  #isCatchUp = false;
  /** Step of the price ladder. */
  #step = 0;
  #cellsLeft = 0;

  /** Amounts by which rungs have changed, the last one first. */
  readonly #seen = new Float64Array(KEPT);
  #seenCount = 0;
  /** Whether amounts are hidden; unknown at first. */
  #hidden = -1;
  /** Bits of the last new rung's amount, and how it was told. */
  #wasBits = 0;
  #wasHow = 0;
  /** Length of the amount that waits for its low bits, or -1; and where they belong. */
  #waits = -1;
  #waitsHeld = 0;
  #waitsSign = 1;
  #waitsRungs!: Rungs;
  #waitsAt = 0;
  #waitsEntry = 0;

  /** Of the selection: its common fields, what was last traded before the piece, and its best offers, as places on the ladder. */
  #fields = 0;
  #last = 0;
  readonly #best = new Float64Array(7);
  /** Where its traded amounts begin among the changes, by how much they grow, and half of what was traded where. */
  #tradedFrom = 0;
  #tradedCount = 0;
  #grows = 0;
  readonly #halfPrices = new Float64Array(KEPT);
  readonly #halves = new Float64Array(KEPT);
  #halfCount = 0;

  /** How many steps before the frame's clock a delta's market was published. */
  age(): number {
    return this.bit(Table.Aged, 0) && this.loose(0);
  }

  /** Reads all cells. */
  read(mirror: Mirror, changes: Changes, isDelta: boolean, isCatchUp: boolean): void {
    this.#mirror = mirror;
    this.#changes = changes;
    this.#anew = isDelta ? 0 : 1;
    this.#isCatchUp = isCatchUp;
    this.#step = stepOf(mirror.cells[Field.PriceLadder]!);
    this.#cellsLeft = Math.min(CELLS_FREE + CELLS_PER_BYTE * (this.end - this.pos), CELLS_MAX);
    this.#seenCount = this.#wasBits = this.#wasHow = 0;
    this.#hidden = this.#waits = -1;
    const { cells, runners } = mirror;
    if (this.bit(Table.MarketFields, 0)) {
      for (let at = 0; at < 4; at++) {
        // Status, InPlay, Held; and the ladder, whose code is 4.
        if (this.bit(Table.MarketField, at)) this.#setMarket(at < 3 ? at : Field.PriceLadder, this.loose(1));
      }
      this.#step = stepOf(cells[Field.PriceLadder]!);
    }
    const grows = this.#selections(runners);
    const held = this.#anew ? 0 : cells[Field.MarketTradedVolume]!;
    const how = this.symbol(Table.MarketVolume + 4 * ((grows ? 1 : 0) + (held > 0 ? 2 : 0)));
    if (how) {
      let value = how < 3 ? (how < 2 ? held : 0) + grows : this.#difference(4, Table.Odd, 24, held);
      // What they were and what they grow by is what they are.
      if (how === 2 && !this.#anew) value = runners.reduce((sum, { cells }) => sum + cells[3]!, 0);
      this.#setMarket(Field.MarketTradedVolume, amount(value));
    }
    this.#settle();
    this.finish();
  }

  #selections(runners: readonly Runner[]): number {
    const count = runners.length;
    let left = this.count(Table.Selections + 16 * (this.#anew ? 7 : Math.min(bits(count), 6)));
    if (left > count) fail('SELECTION');
    let kind = left === 1 ? 7 : 0;
    let grows = 0;
    for (let number = 0; left > 0; number++) {
      const rest = count - number;
      const runner = runners[number]!;
      if (rest > left) {
        const share = Math.min(Math.floor((8 * left) / rest), 7);
        if (!this.bit(Table.Touched, (2 * share + (left > 1 ? 1 : 0)) * 7 + this.#priceKind(runner))) continue;
      }
      left--;
      grows += this.#selection(runner, kind);
      kind = CLASSES[this.#fields & 7]!;
    }
    return grows;
  }

  /** Where the selection's price stands, roughly. */
  #priceKind(runner: Runner): number {
    if (this.#anew || !hasOffers(runner)) return 0;
    const price = runner.cells[2]!;
    return price ? 2 + Math.min(Math.floor(Math.max(indexOf(this.#step, price), 0) / 64), 4) : 1;
  }

  /** Returns by how much its traded volume grows. */
  #selection(runner: Runner, kind: number): number {
    const { cells, ladders } = runner;
    const anew = this.#anew;
    const held = anew ? 4 : (count(ladders[2]) ? 1 : 0) + (hasOffers(runner) ? 2 : 0);
    let fields = (this.#fields = this.symbol(Table.Fields + 32 * (8 * held + kind)));
    const isAny = fields ? 1 : 0;
    const context = anew ? 32 : 2 * held + 1 - isAny + (count(ladders[5]) ? 8 : 0) + (cells[4] ? 16 : 0);
    if (this.bit(Table.Other, context)) {
      let before = 0;
      for (let at = 0; at < OTHERS.length; at++) {
        before = this.bit(Table.OtherField, 40 * anew + 4 * at + 2 * isAny + before);
        fields |= before << (5 + at);
      }
    }
    if (this.#isCatchUp && this.bit(Table.Cleared, 0)) this.#changes.clear(runner, this.raw(7));
    this.#last = anew ? -1 : indexOf(this.#step, cells[2]!);
    if (fields & 7) this.#noteBest(ladders, 0);
    if (fields & 192) this.#noteBest(ladders, 5);
    this.#tradedCount = this.#grows = this.#halfCount = 0;
    let grows = 0;
    if (fields & 1) this.#traded(runner);
    if (fields & 8) this.#set(runner, 2, this.#lastTraded());
    if (fields & 16) {
      const held = anew ? 0 : cells[3]!;
      const value = amount(this.#volume(runner, held));
      grows = value - held;
      this.#set(runner, 3, value);
    }
    for (let at = 0; at < BOOKS.length; at += 2) if (fields & BOOKS[at + 1]!) this.#book(runner, BOOKS[at]!);
    for (let at = 0; at < VALUES.length; at += 2) if (fields & VALUES[at + 1]!) this.#set(runner, VALUES[at]! - 16, this.#value(runner, VALUES[at]!));
    return grows;
  }

  /** Notes where the best offers of both sides stand, before one of them changes. */
  #noteBest(ladders: Runner['ladders'], from: number): void {
    for (let slot = from; slot < from + 2; slot++) {
      this.#best[slot] = this.#anew || !count(ladders[slot]) ? -1 : indexOf(this.#step, Math.abs(ladders[slot]!.pairs[0]!));
    }
  }

  #value({ cells }: Runner, field: number): number {
    const held = this.#anew ? 0 : cells[field - 16]!;
    if (field === Field.SelectionStatus) return this.loose(2);
    if (field >= Field.StartingPrice) return this.loose(3);
    if (field === Field.Price) {
      const how = this.symbol(Table.Price + (held ? 3 : 0));
      return how ? (how < 2 ? 0 : this.#whole()) : this.#stepped(1, indexOf(this.#step, held));
    }
    const kind = held ? (held === INFINITE ? 2 : 1) : 0;
    const how = this.symbol(Table.Near + 4 * kind);
    if (how < 2) return how && INFINITE;
    if (how > 2) return this.#whole();
    return price(100 * this.#difference(2, kind === 1 ? Table.NearBy + 16 : Table.NearBy, 16, kind === 1 ? Math.floor(held / 100) : 100));
  }

  #traded(runner: Runner): void {
    const anew = this.#anew;
    const rungs = runner.ladder(Field.Traded);
    const back = this.#best[0]!;
    const lay = this.#best[1]!;
    const three = this.#fields & 7;
    let index = Math.max(this.#last < 0 ? (back < 0 ? lay : back) : this.#last, 0);
    const context = anew ? 16 : 4 * sideOf(back, index) + sideOf(lay, index);
    const step = this.symbol(Table.TradedAt + 16 * context);
    if (step < 15) index += step - 7;
    else {
      const isDown = this.bit(Table.Down, 5);
      const far = 8 + this.number(Table.TradedFar, 16);
      index += isDown ? -far : far;
    }
    this.#tradedFrom = this.#changes.length;
    let fell = 2;
    let place = -1;
    for (let told = 1; ; told++) {
      const price = priceAt(this.#step, index);
      if (place < 0) place = rungs.find(price);
      else while (place < rungs.count && rungs.pairs[2 * place]! < price) place++;
      const old = rungs.amountAt(place, price);
      const held = anew ? 0 : old;
      fell = this.bit(Table.TradedLess, 8 * fell + three);
      const value = amount(fell ? held - this.number(Table.TradedFall, 24) : held + this.#tradedAmount(runner, price));
      this.#grows += value - held;
      this.#put(runner, rungs, Field.Traded, place, price, price, old, value);
      this.#tradedCount++;
      if (!this.bit(Table.TradedMore, anew ? 0 : Math.min(told, 7))) return;
      index += 1 + this.number(Table.TradedGap + 16 * (anew ? 0 : Math.min(told, 3)), 16);
    }
  }

  #tradedAmount({ ladders }: Runner, price: number): number {
    this.#settle();
    const anew = this.#anew;
    const back = anew ? 0 : amountOf(ladders[0], -price);
    const lay = anew ? 0 : amountOf(ladders[1], price);
    const offer = back || lay;
    if (offer && this.bit(Table.TradedOffer, this.#fields & 7)) {
      const half = back && lay && this.bit(Table.TradedLay, 0) ? lay : offer;
      this.#noteHalf(price, half);
      return 2 * half;
    }
    const isEven = this.bit(Table.TradedEven, anew);
    const count = this.#seenCount;
    let value: number;
    if (count && this.bit(Table.TradedAgain, Math.min(count, 4) - 1)) value = this.#again();
    else if (this.bit(Table.TradedRound, anew)) value = amount(100 * this.number(Table.TradedUnits, 16));
    else {
      const length = this.length(Table.TradedCents + 24 * (anew ? 5 : Math.min(bits(offer) >> 2, 4)), 24);
      value = this.rest(length);
    }
    this.#note(value);
    if (!isEven) return value;
    this.#noteHalf(price, value);
    return 2 * value;
  }

  #noteHalf(price: number, half: number): void {
    const at = this.#halfCount;
    if (at === KEPT) return;
    this.#halfPrices[at] = price;
    this.#halves[at] = half;
    this.#halfCount++;
  }

  #lastTraded(): number {
    const count = this.#tradedCount;
    const how = this.symbol(Table.Last + (count ? 3 : 0));
    if (how === 1) return this.#stepped(0, this.#last);
    if (how) return this.#whole();
    const at = count > 1 ? this.symbol(Table.LastAt + 16 * (Math.min(count, 8) - 1)) : 0;
    return at < count ? this.#changes.entries[5 * (this.#tradedFrom + at) + 2]! : fail('PRICE');
  }

  #volume({ ladders }: Runner, held: number): number {
    const how = this.symbol(Table.Volume + (this.#tradedCount ? 4 : 0));
    if (how === 0) return held + this.#grows;
    if (how > 2) return this.#difference(3, Table.Odd, 24, held);
    let sum = 0;
    if (how === 1) {
      for (let at = 0; at < this.#tradedCount; at++) sum += this.#changes.entries[5 * (this.#tradedFrom + at) + 4]!;
    } else if (this.#anew) {
      return this.#grows;
    } else {
      // What stood there and what has grown is what stands there.
      for (let at = 0; at < count(ladders[2]); at++) sum += ladders[2]!.pairs[2 * at + 1]!;
    }
    return sum;
  }

  #book(runner: Runner, field: number): void {
    const rungs = runner.ladder(field);
    const anew = this.#anew;
    const sign = rungs.isHighestFirst ? -1 : 1;
    const slot = field - Field.Back;
    // Back and Lay are 0 and 1, DisplayBack and DisplayLay 5 and 6; starting-price ladders have no other side.
    const other = slot < 2 ? this.#best[1 - slot]! : slot > 4 ? this.#best[11 - slot]! : -1;
    const opposite = other < 0 ? NaN : other * sign;
    const side = anew ? 2 : slot < 2 ? 0 : 1;
    const one = side ? 1 : 0;
    const three = this.#fields & 7;
    const size = this.count(Table.Count + 16 * (side ? 7 + side : three));
    if (size === 0) fail('MASK');
    const crowd = 9 * (3 * one + (size < 2 ? 0 : size < 4 ? 1 : 2));
    let at = 0;
    let left = anew ? 0 : rungs.count;
    const best = left && rungs.pairs[1]!;
    let rung = 0;
    let passed = NONE;
    let last = NONE;
    let step = 0;
    for (let told = 0; told < size; told++) {
      if (left) {
        let gap = this.symbol(Table.Gap + 16 * (crowd + (told ? 2 + PLACES[Math.min(rung, 7)]! : three & 1)));
        if (gap === 15) gap += this.number(Table.GapFar, 16);
        if (gap > left) fail('CODER');
        at += gap;
        left -= gap;
        rung += gap;
        if (gap) passed = this.#placeOf(rungs, at - 1, sign);
      }
      const behind = Math.max(passed, last);
      const down = Math.min(rung, 1);
      let held = 0;
      let place: number;
      if (left) {
        place = this.#placeOf(rungs, at, sign);
        const hole = place - behind - 1;
        const isFirst = told ? 0 : 1;
        if (hole > 0 && this.bit(Table.Enters, ((2 * one + isFirst) * 3 + Math.min(rung, 2)) * 5 + Math.min(hole, 5) - 1)) {
          place = this.#enters(place, behind, hole, opposite, one);
        } else {
          held = rungs.pairs[2 * at + 1]!;
        }
      } else if (behind > NONE) {
        step = 1 + this.number(Table.Behind + 16 * (3 * side + Math.min(step, 2)), 16);
        place = behind + step;
      } else {
        place = Number.isNaN(opposite) ? Math.max(this.#last, 0) * sign : opposite;
        const isDown = this.bit(Table.Down, 6);
        const far = this.number(Table.First + 16 * side, 16);
        place += isDown ? -far : far;
      }
      last = place;
      const price = held ? Math.abs(rungs.pairs[2 * at]!) : priceAt(this.#step, sign * place);
      this.#settle();
      const value = held ? this.#changed(held, price, side, down, size) : this.#new(best, side, down, size);
      const key = held ? rungs.pairs[2 * at]! : price * sign;
      // A catch-up counts from nothing, but there may be something.
      if (anew) while (at < rungs.count && rungs.pairs[2 * at]! < key) at++;
      const old = held || rungs.amountAt(at, key);
      if (this.#waits >= 0) {
        this.#waitsRungs = rungs;
        this.#waitsAt = at;
        this.#waitsEntry = this.#changes.length;
      }
      this.#put(runner, rungs, field, at, key, price, old, value);
      if (held) {
        passed = place;
        left--;
        rung++;
      }
      if (value) at++;
    }
  }

  /** Where a new rung stands before the next one. */
  #enters(next: number, behind: number, hole: number, opposite: number, one: number): number {
    if (hole === Infinity) {
      const room = Number.isNaN(opposite) ? 8 : Math.min(Math.max(next - opposite, 0), 8);
      return next - 1 - this.number(Table.Beats + 16 * ROOMS[room]!, 16);
    }
    let at = 0;
    if (hole > 16) at = this.number(Table.EntersFar + 16 * one, 16);
    else if (hole > 1) at = this.symbol(Table.EntersAt + 16 * HOLES[hole]!);
    return at < hole ? behind + 1 + at : fail('PRICE');
  }

  #new(best: number, side: number, down: number, size: number): number {
    if (this.#isCatchUp && this.bit(Table.Gone, 0)) return 0;
    if (this.#hidden < 0) this.#hidden = this.bit(Table.Hidden, best ? (best === 1 ? 1 : 0) : 2);
    if (this.#hidden) return 1;
    const some = this.#seenCount ? 1 : 0;
    const context = side === 2 ? 16 + 2 * this.#wasHow + some : ((2 * side + down) * 2 + some) * 2 + (size > 1 ? 1 : 0);
    const how = this.symbol(Table.New + 3 * context);
    const by = this.#by(how, side, 0, 0);
    this.#wasHow = how;
    this.#wasBits = how < 2 ? bits(by) : 0;
    return stake(by);
  }

  #changed(held: number, price: number, side: number, down: number, size: number): number {
    const half = side ? -1 : this.#halfAt(price);
    const context =
      held === 1
        ? 84
        : half >= 0 && half <= held
          ? (half === held ? 80 : 82) + down
          : (((side ? 2 : 0) + (size > 1 ? 1 : 0)) * 2 + down) * 10 + 2 * Math.min(Math.floor(Math.max(bits(held) - 5, 0) / 3), 4) + (this.#seenCount ? 1 : 0);
    const how = this.symbol(Table.Changes + 8 * context);
    if (how === 0) {
      this.#note(held);
      return 0;
    }
    if (how === 1) return half < 0 ? fail('AMOUNT') : stake(held - half);
    const by = how < 5 ? -this.#by(how - 2, side, held, 1) : this.#by(how - 5, side, held, 0);
    // What waits is not known yet.
    return this.#waits < 0 ? stake(held + by) : held;
  }

  #halfAt(price: number): number {
    for (let at = 0; at < this.#halfCount; at++) if (this.#halfPrices[at] === price) return this.#halves[at]!;
    return -1;
  }

  /** An amount told in one of three ways: seen before, in whole units, in cents. Of those the low bits wait, and 1 stands for them. */
  #by(how: number, side: number, held: number, falls: number): number {
    const size = Math.min(Math.floor(this.#wasBits / 3), 6);
    if (how > 1) {
      const context = side === 2 ? 21 + size : held ? 3 + 2 * Math.min(Math.max(bits(held) - 2, 0) >> 1, 8) + falls : side;
      this.#waits = this.length(Table.Cents + 24 * context, 24);
      this.#waitsHeld = held;
      this.#waitsSign = falls ? -1 : 1;
      return 1;
    }
    const by = how ? amount(100 * this.number(Table.Units + 16 * (side === 2 ? 2 + size : held ? 0 : 1), 16)) : this.#again();
    this.#note(by);
    return by;
  }

  #settle(): void {
    if (this.#waits < 0) return;
    const by = this.rest(this.#waits);
    this.#waits = -1;
    this.#note(by);
    if (!this.#waitsHeld) this.#wasBits = bits(by);
    const value = stake(this.#waitsHeld + this.#waitsSign * by);
    this.#waitsRungs.pairs[2 * this.#waitsAt + 1] = value;
    this.#changes.entries[5 * this.#waitsEntry + 4] = value;
  }

  /** Sets a rung whose place is known. */
  #put(runner: Runner, rungs: Rungs, field: number, at: number, key: number, price: number, old: number, value: number): void {
    this.#push(runner.number, field, price, old, value);
    rungs.setAt(at, key, old, value);
    if (rungs.count > RUNGS_MAX) fail('RANGE');
  }

  #again(): number {
    const count = this.#seenCount;
    const at = count > 1 ? this.symbol(Table.Again + 8 * (Math.min(count, 4) - 2)) : 0;
    return at < count ? this.#seen[at]! : fail('AMOUNT');
  }

  #note(amount: number): void {
    const seen = this.#seen;
    let at = 0;
    while (at < this.#seenCount && seen[at] !== amount) at++;
    if (at === KEPT) at--;
    else if (at === this.#seenCount) this.#seenCount++;
    for (; at > 0; at--) seen[at] = seen[at - 1]!;
    seen[0] = amount;
  }

  #difference(what: number, at: number, size: number, held: number): number {
    const isDown = this.bit(Table.Down, what);
    const by = this.number(at, size);
    return amount(isDown ? held - by : held + by);
  }

  #stepped(what: number, from: number): number {
    const isDown = this.bit(Table.Down, what);
    const steps = this.number(Table.Steps + 16 * what, 16);
    return priceAt(this.#step, Math.max(from, 0) + (isDown ? -steps : steps));
  }

  #whole(): number {
    return price(this.loose(0));
  }

  #placeOf({ pairs }: Rungs, at: number, sign: number): number {
    const index = indexOf(this.#step, Math.abs(pairs[2 * at]!));
    return index < 0 ? fail('PRICE') : index * sign;
  }

  #set({ number, cells }: Runner, slot: number, value: number): void {
    this.#push(number, 16 + slot, 0, cells[slot]!, value);
    cells[slot] = value;
  }

  #setMarket(field: number, value: number): void {
    const { cells } = this.#mirror;
    this.#push(MARKET, field, 0, cells[field]!, value);
    cells[field] = value;
  }

  #push(selection: number, field: number, price: number, old: number, value: number): void {
    if (this.#cellsLeft-- === 0) fail('CODER');
    this.#changes.push(selection, field, price, old, value);
  }
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

function amount(value: number): number {
  return value < 0 || value >= AMOUNT_END ? fail('AMOUNT') : value;
}

/** An amount of a rung, which is there. */
function stake(value: number): number {
  return value ? amount(value) : fail('AMOUNT');
}
