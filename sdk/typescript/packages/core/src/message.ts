import { fail } from './error.js';
import { type Reader, utf8 } from './reader.js';

/**
 * The fields of a protobuf message in order of their numbers, from 1; a letter, or blank, for each:
 *
 * - `u` integer or boolean, `z` signed integer, `i` 64-bit id as decimal text, `f` 64 fixed bits as hexadecimal text, `s` text
 * - `p` packed integers; `r` repeated texts and `o` an integer that is written even if it is 0 (when writing)
 * - `b` bytes to be read later: where they begin and end
 * - more than one letter: messages of that shape
 */
export type Shape = string | readonly Shape[];

/** Values by field number; what did not arrive is missing. Messages, `b` and `p` stand in lists. */
export type Values = any[];

/** Reads a message that lies between the reader's position and its end. Unknown fields are passed over [VER-1]. */
export function readMessage(reader: Reader, shape: Shape): Values {
  const values: Values = [];
  while (reader.pos < reader.end) {
    const tag = reader.u();
    const field = Math.floor(tag / 8);
    const kind = shape[field - 1] ?? ' ';
    const wire = tag & 7;
    if (field < 1) fail('FRAME_MALFORMED');
    if (wire === 2 && kind !== 's') {
      const length = reader.u();
      const start = reader.skip(length);
      if (kind === ' ') continue;
      const { end } = reader;
      const list: Values = (values[field] ??= []);
      reader.end = reader.pos;
      reader.pos = start;
      if (kind === 'p') while (reader.pos < reader.end) list.push(reader.u());
      else if (kind === 'b') list.push(start, reader.end);
      else if (kind.length > 1) list.push(readMessage(reader, kind));
      else fail('FRAME_MALFORMED', `field ${field} has wire type 2`);
      reader.pos = reader.end;
      reader.end = end;
    } else if (kind === 's' && wire === 2) values[field] = reader.text();
    else if (kind === 'f' && wire === 1) values[field] = reader.hex();
    else if (kind === ' ' && wire === 0) reader.u();
    else if (kind === ' ' && (wire === 1 || wire === 5)) reader.skip(wire === 1 ? 8 : 4);
    else if (kind === 'p' && wire === 0) (values[field] ??= []).push(reader.u());
    else if (kind === 'z' && wire === 0) values[field] = reader.s();
    else if (kind === 'u' && wire === 0) {
      if ((values[field] = reader.u()) >= 2 ** 53) fail('RANGE');
    } else if (kind === 'i' && wire === 0) values[field] = readId(reader);
    else fail('FRAME_MALFORMED', `field ${field} has wire type ${wire}`);
  }
  return values;
}

function readId(reader: Reader): string {
  const value = reader.u();
  return String(value < 2 ** 53 ? value : (BigInt(reader.high) << 32n) + BigInt(reader.low));
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
    else writeBytes(out, tag, kind === 's' ? utf8(value) : kind === 'p' ? value.reduce(writeInteger, []) : writeMessage(kind, value));
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
