import { fail } from './error.js';

const TWO_32 = 2 ** 32;

/**
 * Reads protobuf's variable-length integers and texts off a byte string, up to `end`.
 *
 * Integers are JS numbers. Those of 2^53 and more come out inexact but never below 2^53, so a check of the range finds
 * them; `low` and `high` hold the exact halves of the last one that was longer than one byte.
 */
export class Reader {
  pos: number;
  end: number;
  low = 0;
  high = 0;

  /** In a piece an integer must be as short as possible [PLAIN-1]; protobuf itself does not ask for that. */
  isStrict = false;

  constructor(readonly bytes: Uint8Array) {
    this.pos = 0;
    this.end = bytes.length;
  }

  /** An unsigned integer. */
  u(): number {
    const { bytes, pos } = this;
    if (pos < this.end) {
      const first = bytes[pos]!;
      if (first < 0x80) {
        this.pos = pos + 1;
        return first;
      }
    }
    return this.long();
  }

  /** A signed integer: 0, -1, 1, -2 travel as 0, 1, 2, 3. */
  s(): number {
    const value = this.u();
    if (value < TWO_32) return (value >>> 1) ^ -(value & 1);
    const half = this.high * 2 ** 31 + (this.low >>> 1);
    return this.low & 1 ? -half - 1 : half;
  }

  /** Bytes, lowest first, as hexadecimal digits. */
  hex(count: number): string {
    const start = this.skip(count);
    let digits = '';
    while (count > 0) digits += (this.bytes[start + --count]! | 256).toString(16).slice(1);
    return digits;
  }

  /** Passes over bytes; returns where they begin. */
  skip(count: number): number {
    const { pos } = this;
    if (count > this.end - pos) fail('TRUNCATED');
    this.pos = pos + count;
    return pos;
  }

  /** The rest, up to the end, as a text in UTF-8. Not every JavaScript engine has a TextDecoder; all of them have `escape`. */
  text(): string {
    let text = '';
    while (this.pos < this.end) text += String.fromCharCode(this.bytes[this.pos++]!);
    return decodeURIComponent(escape(text));
  }

  private long(): number {
    let low = 0;
    let high = 0;
    let shift = 0;
    let byte: number;
    do {
      if (this.pos >= this.end) fail('TRUNCATED');
      byte = this.bytes[this.pos++]!;
      if (shift > 62 && byte > 1) fail('OVERLONG');
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift > 27) high |= shift < 32 ? bits >> 4 : bits << (shift - 32);
      shift += 7;
    } while (byte > 0x7f);
    if (byte === 0 && this.isStrict) fail('OVERLONG');
    this.low = low >>> 0;
    this.high = high >>> 0;
    return this.high * TWO_32 + this.low;
  }
}

/** The bytes of a text in UTF-8. */
export function utf8(text: string): number[] {
  return [...unescape(encodeURIComponent(text))].map((char) => char.charCodeAt(0));
}
