import type { Attributes } from './attribute.js';
import { Field, MARKET } from './field.js';
import type { Market } from './market.js';
import { utf8 } from './reader.js';

/** Two lanes of 32 bits; sums of hashes [DIG-2]. */
type Lanes = [number, number];

/** Seeds of the two lanes: "odds" and "wire" in ASCII. */
const SEEDS = [0x6f64_6473, 0x7769_7265] as const;
const TWO_32 = 2 ** 32;

/** The digest of everything a market holds, as 16 hexadecimal digits; `undefined` when it cannot agree [ATTR-3]. */
export function digestOf(market: Market): string | undefined {
  const definition = (market.definitionDigest ??= digestDefinition(market));
  if (!definition) return undefined;
  const lanes: Lanes = [...definition];
  const addCell = (number: number, field: number, price: number, value: number): void => {
    if (value) add(lanes, [number * 256 + field, price, value % TWO_32, Math.floor(value / TWO_32)]);
  };
  market.cells.forEach((value, field) => addCell(MARKET, field, 0, value));
  for (const { number, cells, ladders } of market.selections) {
    cells.forEach((value, slot) => addCell(number, Field.SelectionStatus + slot, 0, value));
    ladders.forEach((rungs, slot) => {
      for (let at = 0; rungs && at < 2 * rungs.count; at += 2) {
        addCell(number, Field.Back + slot, Math.abs(rungs.pairs[at]!), rungs.pairs[at + 1]!);
      }
    });
  }
  return lanes.map((lane) => lane.toString(16).padStart(8, '0')).join('');
}

function digestDefinition({ selections, texts }: Market): Lanes | null {
  const lanes: Lanes = [0, 0];
  let canAgree = true;
  const addAttributes = (number: number, attributes: Attributes): void =>
    attributes.forEach((value, name) => {
      const text = utf8(`${name}\0${value}`);
      const words = [number * 256 + 255, text.length];
      for (let at = 0; at < text.length; at++) words[2 + (at >> 2)]! |= text[at]! << (8 * (at & 3));
      add(lanes, words);
      // A name of a later version is held under its number.
      canAgree &&= name[0] !== '#';
    });
  addAttributes(MARKET, texts);
  for (const { number, id, thousandths, texts } of selections) {
    const key = BigInt(id);
    add(lanes, [number * 256 + 254, thousandths, Number(key % BigInt(TWO_32)), Number(key / BigInt(TWO_32))]);
    addAttributes(number, texts);
  }
  return canAgree ? lanes : null;
}

function add(lanes: Lanes, words: number[]): void {
  lanes.forEach((lane, at) => (lanes[at] = (lane + murmur3(SEEDS[at]!, words)) >>> 0));
}

/** MurmurHash3_x86_32 (A. Appleby, public domain) over 32-bit words. */
export function murmur3(seed: number, words: readonly number[]): number {
  const { imul } = Math;
  let hash = seed;
  for (const word of words) {
    const mixed = imul(word, 0xcc9e_2d51);
    hash ^= imul((mixed << 15) | (mixed >>> 17), 0x1b87_3593);
    hash = (imul((hash << 13) | (hash >>> 19), 5) + 0xe654_6b64) | 0;
  }
  hash ^= words.length * 4;
  hash = imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
