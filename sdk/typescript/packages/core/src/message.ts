import { fail } from './error.js';
import { type Reader, utf8 } from './reader.js';

/**
 * The fields of a protobuf message in order of their numbers, from 1; a letter, or blank, for each:
 *
 * - `u` integer or boolean, `z` signed integer, `i` 64-bit id as decimal text, `f` 64 fixed bits as hexadecimal text, `s` text
 * - `p` packed integers; `r` repeated texts and `o` an integer that is written even if it is 0 (when writing)
 * - `x` 32 fixed bits; `q` and `Q` 32 and 64 of them, to be read later as bytes: where they begin and end
 * - `b` bytes to be read later: where they begin and end (when writing: bytes)
 * - more than one letter: messages of that shape
 */
export type Shape = string | readonly Shape[];

/** Values by field number; what did not arrive is missing. Messages, `b` and `p` stand in lists. */
export type Values = any[];

/** Reads a message that lies between the reader's position and its end. Unknown fields are passed over [VER-1]. */
export function readMessage(reader: Reader, shape: Shape): Values {
  const values: Values = Array(shape.length + 1);
  while (reader.pos < reader.end) {
    const tag = reader.u();
    const wire = tag & 7;
    const field = Math.floor(tag / 8);
    const kind = shape[field - 1] ?? ' ';
    const isPacked = kind === 'p' && wire === 2;
    if (field < 1 || (kind !== ' ' && !isPacked && wire !== (kind === 'u' ? 0 : kind === 'b' ? 2 : (WIRES[kind as string] ?? 2)))) fail('FRAME_MALFORMED');
    const value = wire === 2 ? readInside(reader, kind) : readNumber(reader, kind, wire);
    if (kind === ' ') continue;
    if (kind.length > 1 || (kind === 'p' && !isPacked)) (values[field] ??= []).push(value);
    else if (values[field] && (kind === 'b' || isPacked)) for (const one of value) values[field].push(one);
    else values[field] = value;
  }
  return values;
}

/** Wire types of fields that do not have their length before them, by their letters. */
const WIRES: Record<string, number> = { z: 0, i: 0, p: 0, f: 1, Q: 1, x: 5, q: 5 };

function readNumber(reader: Reader, kind: Shape, wire: number): any {
  if (wire & 1) {
    const length = wire < 2 ? 8 : wire === 5 ? 4 : fail('FRAME_MALFORMED');
    if (kind === 'q' || kind === 'Q') return [reader.skip(length), reader.pos];
    const digits = reader.hex(length);
    return kind === 'x' ? parseInt(digits, 16) : digits;
  }
  if (wire) fail('FRAME_MALFORMED');
  if (kind === 'z') return reader.s();
  const value = reader.u();
  if (kind === 'i') return String(value < 2 ** 53 ? value : (BigInt(reader.high) << 32n) + BigInt(reader.low));
  return kind === 'u' && value >= 2 ** 53 ? fail('RANGE') : value;
}

/** Reads what has its length before it, with the reader's end set there. */
function readInside(reader: Reader, kind: Shape): any {
  const { end } = reader;
  const length = reader.u();
  const start = reader.skip(length);
  reader.end = reader.pos;
  reader.pos = start;
  let value: any = [start, reader.end];
  if (kind === 's') value = reader.text();
  else if (kind.length > 1) value = readMessage(reader, kind);
  else if (kind === 'p') for (value = []; reader.pos < reader.end; ) value.push(reader.u());
  reader.pos = reader.end;
  reader.end = end;
  return value;
}

/** Writes a message, in the order of its fields. What is missing, 0 or empty is left out, as proto3 says. */
export function writeMessage(shape: Shape, values: Values): number[] {
  const out: number[] = [];
  values.forEach((value, at) => {
    const kind = shape[at]!;
    const tag = (at + 1) * 8;
    if (kind === 'o' ? value === undefined : !value || value.length === 0) return;
    if (kind === 'u' || kind === 'o') writeInteger(writeInteger(out, tag), value);
    else if (kind === 'f') writeInteger(out, tag + 1).push(...value.match(/../g).reverse().map((byte: string) => parseInt(byte, 16)));
    else if (kind === 'r') for (const text of value) writeBytes(out, tag, utf8(text));
    else writeBytes(out, tag, kind === 's' ? utf8(value) : kind === 'p' ? value.reduce(writeInteger, []) : kind === 'b' ? value : writeMessage(kind, value));
  });
  return out;
}

/** Writes bytes with their length before them. */
export function writeBytes(out: number[], tag: number, bytes: number[]): number[] {
  writeInteger(writeInteger(out, tag + 2), bytes.length);
  for (const byte of bytes) out.push(byte);
  return out;
}

function writeInteger(out: number[], value: number): number[] {
  for (; value > 0x7f; value = Math.floor(value / 0x80)) out.push((value % 0x80) + 0x80);
  out.push(value);
  return out;
}
