import { fail } from '../error.js';
import { begin, bit, mark, raw, readLoose, readNumber } from './coder.js';
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
  readonly state: number;
  readonly pos: number;
  readonly end: number;
}

/** Reads the head of a frame. `places` says where the last of its leads stands; an empty one is none. */
export function readLead(model: Model, bytes: Uint8Array, places: readonly number[] = []): Lead | undefined {
  const [from, end] = places.slice(-2);
  if (from === end) return undefined;
  try {
    begin(model, bytes, from!, end!);
    const step = bit(Table.OneStep, 0) || readLoose(0);
    const sequence = raw(2);
    const advance = 4 * readNumber(Table.Time, 16, Table.TimeTop) + sequence;
    const market = bit(Table.Sole, 0) ? undefined : readLoose(0);
    if (market && market >= 2 ** 32) fail('HEAD');
    const [state, pos] = mark();
    return { step, advance, market, state, pos, end: end! };
  } catch (error) {
    fail('FRAME_MALFORMED', `the head of the frame is not valid (${(error as Error).message})`);
  }
}
