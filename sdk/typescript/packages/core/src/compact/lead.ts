import { fail } from '../error.js';
import type { Frame } from '../frame.js';
import { begin, bit, position, raw, readLoose, readNumber, state } from './coder.js';
import type { Model } from './model.js';
import { Table } from './tables.js';

/** The head of a frame that was read together with its first delta [COMPACT-8], and where the delta goes on. */
export interface Lead {
  /** How far the revision advances. */
  readonly step: number;
  /** Sequence and time step, as in the frame's field of this name. */
  readonly advance: number;
  /** None for the only one held. */
  readonly market: number | undefined;
  readonly bytes: Uint8Array;
  readonly state: number;
  readonly pos: number;
  readonly end: number;
}

/** The bytes of a lead that came as a number. */
const scratch = new Uint8Array(7);

/** Reads the head of a frame, in whichever field it came; empty bytes are no lead. */
export function readLead(model: Model, { reader, fields }: Frame): Lead | undefined {
  let { bytes } = reader;
  let number: number | undefined = fields[3];
  const places: number[] | undefined = fields[4] ?? fields[5] ?? fields[14];
  if (number === undefined && !places) return undefined;
  let from = 7;
  let end = 7;
  try {
    if (number !== undefined) {
      for (; from > 0; number = Math.floor(number / 256)) scratch[--from] = number;
      if (scratch[0]! > 1) fail('HEAD');
      bytes = scratch;
    } else {
      end = places!.length;
      from = places![end - 2]!;
      end = places![end - 1]!;
    }
    if (from === end) return undefined;
    begin(model, bytes, from, end);
    const step = bit(Table.OneStep, 0) || readLoose(0);
    const sequence = raw(2);
    const advance = 4 * readNumber(Table.Time, 16, Table.TimeTop) + sequence;
    const market = bit(Table.Sole, 0) ? undefined : readLoose(0);
    if (market && market >= 2 ** 32) fail('HEAD');
    return { step, advance, market, bytes, state: state(), pos: position(), end };
  } catch {
    fail('FRAME_MALFORMED');
  }
}
