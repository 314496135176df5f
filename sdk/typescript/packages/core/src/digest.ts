import { Field, MARKET } from './field.js';
import type { Attributes, Mirror } from './mirror.js';
import { utf8 } from './reader.js';

/** Two lanes of 32 bits; sums of hashes [DIG-2]. */
type Lanes = [number, number];

/** Seeds of the two lanes: "odds" and "wire" in ASCII. */
const SEEDS = [0x6f64_6473, 0x7769_7265] as const;
const words: number[] = [];

/** The digest of everything a mirror holds, as 16 hexadecimal digits; `undefined` when it cannot agree [ATTR-3]. */
export function digestOf(mirror: Mirror): string | undefined {
  const definition = (mirror.definitionDigest ??= digestDefinition(mirror));
  if (!definition) return undefined;
  const lanes: Lanes = [definition[0], definition[1]];
  mirror.cells.forEach((value, field) => addCell(lanes, MARKET, field, 0, value));
  for (const { number, cells, ladders } of mirror.runners) {
    cells.forEach((value, slot) => addCell(lanes, number, Field.SelectionStatus + slot, 0, value));
    ladders.forEach((rungs, slot) => {
      for (let at = 0; rungs && at < 2 * rungs.count; at += 2) {
        addCell(lanes, number, Field.Back + slot, Math.abs(rungs.pairs[at]!), rungs.pairs[at + 1]!);
      }
    });
  }
  return lanes.map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
}

function digestDefinition({ runners, attributes }: Mirror): Lanes | null {
  const lanes: Lanes = [0, 0];
  let canAgree = addAttributes(lanes, MARKET, attributes);
  for (const runner of runners) {
    const id = BigInt(runner.id);
    words.length = 4;
    words[0] = runner.number * 256 + 254;
    words[1] = runner.handicap;
    words[2] = Number(id & 0xffff_ffffn);
    words[3] = Number(id >> 32n);
    add(lanes);
    canAgree = addAttributes(lanes, runner.number, runner.attributes) && canAgree;
  }
  return canAgree ? lanes : null;
}

function addAttributes(lanes: Lanes, number: number, attributes: Attributes | undefined): boolean {
  let canAgree = true;
  attributes?.forEach((value, name) => {
    const text = utf8(`${name}\0${value}`);
    words.length = 0;
    words.push(number * 256 + 255, text.length);
    for (let at = 0; at < text.length; at += 4) {
      words.push(text[at]! | (text[at + 1]! << 8) | (text[at + 2]! << 16) | (text[at + 3]! << 24));
    }
    add(lanes);
    // A name of a later version is held under its number.
    if (name[0] === '#') canAgree = false;
  });
  return canAgree;
}

function addCell(lanes: Lanes, number: number, field: number, price: number, value: number): void {
  if (value === 0) return;
  words.length = 4;
  words[0] = number * 256 + field;
  words[1] = price;
  words[2] = value % 2 ** 32;
  words[3] = Math.floor(value / 2 ** 32);
  add(lanes);
}

function add(lanes: Lanes): void {
  lanes[0] = (lanes[0] + murmur3(SEEDS[0], words)) | 0;
  lanes[1] = (lanes[1] + murmur3(SEEDS[1], words)) | 0;
}

/** MurmurHash3_x86_32 (A. Appleby, public domain) over 32-bit words. */
export function murmur3(seed: number, words: readonly number[]): number {
  const { imul } = Math;
  let hash = seed;
  for (let at = 0; at < words.length; at++) {
    const word = imul(words[at]!, 0xcc9e_2d51);
    hash ^= imul((word << 15) | (word >>> 17), 0x1b87_3593);
    hash = (imul((hash << 13) | (hash >>> 19), 5) + 0xe654_6b64) | 0;
  }
  hash ^= words.length * 4;
  hash = imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
