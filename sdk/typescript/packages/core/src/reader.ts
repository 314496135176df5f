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

  /** Eight bytes, lowest first, as 16 hexadecimal digits. */
  hex(): string {
    let text = '';
    const start = this.skip(8);
    for (let at = start + 7; at >= start; at--) text += (this.bytes[at]! | 0x100).toString(16).slice(1);
    return text;
  }

  /** Passes over bytes; returns where they begin. */
  skip(count: number): number {
    const { pos } = this;
    if (count > this.end - pos) fail('TRUNCATED');
    this.pos = pos + count;
    return pos;
  }

  /** A text in UTF-8 with its length before it. Written out because not every JavaScript engine has a TextDecoder. */
  text(): string {
    const { bytes } = this;
    let at = this.skip(this.u());
    let text = '';
    while (at < this.pos) {
      let code = bytes[at++]!;
      if (code > 0x7f) {
        let more = code > 0xef ? 3 : code > 0xdf ? 2 : 1;
        const least = [0, 0x80, 0x800, 0x10000][more]!;
        if (code < 0xc2 || code > 0xf4 || at + more > this.pos) fail('FRAME_MALFORMED', 'a text is not UTF-8');
        for (code &= 0x3f >> more; more > 0; more--) {
          const next = bytes[at++]!;
          if (next >> 6 !== 2) fail('FRAME_MALFORMED', 'a text is not UTF-8');
          code = (code << 6) | (next & 0x3f);
        }
        if (code < least || code > 0x10ffff || code >> 11 === 27) fail('FRAME_MALFORMED', 'a text is not UTF-8');
      }
      text += String.fromCodePoint(code);
    }
    return text;
  }

  private long(): number {
    const { bytes, end } = this;
    let { pos } = this;
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      if (pos >= end) fail('TRUNCATED');
      const byte = bytes[pos++]!;
      const bits = byte & 0x7f;
      if (shift < 28) {
        low |= bits << shift;
      } else if (shift === 28) {
        low |= bits << 28;
        high = bits >> 4;
      } else {
        if (shift === 63 && byte > 1) fail('OVERLONG');
        high |= bits << (shift - 32);
      }
      if (byte < 0x80) {
        if (byte === 0 && this.isStrict) fail('OVERLONG');
        break;
      }
    }
    this.pos = pos;
    this.low = low >>> 0;
    this.high = high >>> 0;
    return this.high * TWO_32 + this.low;
  }
}

/** The bytes of a text in UTF-8; see {@link Reader.text}. */
export function utf8(text: string): number[] {
  const bytes: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (code < 0x80) {
      bytes.push(code);
      continue;
    }
    let more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    bytes.push(((0xff00 >> (more + 1)) & 0xff) | (code >> (6 * more)));
    while (more-- > 0) bytes.push(0x80 | ((code >> (6 * more)) & 0x3f));
  }
  return bytes;
}
