import { fail } from './error.js';
import { type Reader, utf8 } from './reader.js';

/**
 * The fields of a protobuf message in order of their numbers, from 1, one letter each:
 *
 * - `u` integer or boolean, `z` signed integer, `i` 64-bit id as decimal text, `s` text, `f` 64 fixed bits as hexadecimal text
 * - `p` packed integers, `r` repeated texts, `o` integer that is written even if it is 0 (when writing)
 * - more than one letter: messages of that shape
 *
 * A capital says that the field is one of a `oneof`.
 */
export type Shape = string | readonly string[];

/** Values by field number; what did not arrive is missing. At 0 stands the number of the `oneof`'s field that came last. */
export type Values = any[];

/** Reads a message that lies between the reader's position and its end. Unknown fields are passed over [VER-1]. */
export function readMessage(reader: Reader, shape: Shape, values: Values = []): Values {
  while (reader.pos < reader.end) {
    const tag = reader.u();
    const field = Math.floor(tag / 8);
    const kind = shape[field - 1];
    if (!kind) {
      skipField(reader, tag);
      continue;
    }
    const wire = kind.length > 1 || kind === 's' || kind === 'S' ? 2 : kind === 'f' ? 1 : 0;
    if ((tag & 7) !== wire) fail('FRAME_MALFORMED', `field ${field} has wire type ${tag & 7}`);
    if (kind.length > 1) {
      (values[field] ??= []).push(inside(reader, () => readMessage(reader, kind)));
      continue;
    }
    const letter = kind.toLowerCase();
    if (letter !== kind) values[0] = field;
    values[field] =
      letter === 'u' ? reader.u() : letter === 'z' ? reader.s() : letter === 's' ? reader.text() : letter === 'f' ? reader.hex() : readId(reader);
  }
  return values;
}

/** Reads what has its length before it, with the reader's end set there. */
export function inside<T>(reader: Reader, read: () => T): T {
  const { end } = reader;
  const length = reader.u();
  const start = reader.skip(length);
  reader.pos = start;
  reader.end = start + length;
  const value = read();
  reader.pos = reader.end;
  reader.end = end;
  return value;
}

/** Passes over a field whose tag has been read. */
export function skipField(reader: Reader, tag: number): void {
  const wire = tag & 7;
  if (tag < 8) fail('FRAME_MALFORMED', 'a field has number 0');
  if (wire === 0) reader.u();
  else if (wire === 1) reader.skip(8);
  else if (wire === 2) reader.skip(reader.u());
  else if (wire === 5) reader.skip(4);
  else fail('FRAME_MALFORMED', `wire type ${wire}`);
}

function readId(reader: Reader): string {
  const value = reader.u();
  return String(value < 2 ** 53 ? value : (BigInt(reader.high) << 32n) + BigInt(reader.low));
}

/** Writes a message, in the order of its fields. What is missing, 0 or empty is left out, as proto3 says. */
export function writeMessage(shape: Shape, values: Values, out: number[] = []): number[] {
  for (let at = 0; at < shape.length; at++) {
    const kind = shape[at]!;
    const value = values[at];
    const tag = (at + 1) * 8;
    if (kind === 'o' ? value === undefined : !value || value.length === 0) continue;
    if (kind === 'u' || kind === 'o') writeInteger(writeInteger(out, tag), value);
    else if (kind === 'f') writeInteger(out, tag + 1).push(...value.match(/../g).reverse().map((byte: string) => parseInt(byte, 16)));
    else if (kind === 'r') for (const text of value) writeBytes(out, tag, utf8(text));
    else if (kind === 'p') writeBytes(out, tag, value.reduce(writeInteger, []));
    else writeBytes(out, tag, kind === 's' ? utf8(value) : writeMessage(kind, value));
  }
  return out;
}

/** Writes bytes with their length before them. */
export function writeBytes(out: number[], tag: number, bytes: number[]): number[] {
  writeInteger(writeInteger(out, tag + 2), bytes.length);
  for (const byte of bytes) out.push(byte);
  return out;
}

function writeInteger(out: number[], value: number): number[] {
  while (value > 0x7f) {
    out.push((value % 0x80) + 0x80);
    value = Math.floor(value / 0x80);
  }
  out.push(value);
  return out;
}
