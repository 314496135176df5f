import { fail, ProtocolError } from './error.js';
import { inside, readMessage, skipField, type Shape, type Values } from './message.js';
import { Reader } from './reader.js';

/** Longest frame. */
export const FRAME_BYTES_MAX = 1024 * 1024;
/** Most frames that may belong together by `more`; with {@link FRAME_BYTES_MAX} it bounds what is kept unread. */
export const FRAMES_JOINED_MAX = 16;

/** How a piece counts. */
export const enum PieceKind {
  Snapshot,
  Delta,
  CatchUp,
}

/** One change of one market in one view; the bytes behind its market number, to be read later. */
export interface Piece {
  readonly kind: PieceKind;
  readonly market: number;
  readonly start: number;
  readonly end: number;
}

/** Messages inside a frame by field number. Their values stand in arrays, at their own field numbers. */
const SHAPES: Record<number, Shape> = {
  1: 'fuuus', // welcome: epoch, revision, encoding, heartbeat interval, session
  2: 'uuuu', // heartbeat: revision, freshness, now, sequence
  3: 'uuuuu', // subscribed: subscription, rate, markets, resume, ended
  4: 'usu', // error: code, message, subscription
  5: 'u', // drain: reconnect after
  8: 'uuuu', // position: revision, sequence, since, time
  9: ['u', 's', 'u', 'iz', 'uusSZUS'], // definition: market, id, first selection, selections, attributes
  18: 'uuu', // status edge: market, revision, status
  19: 'uf', // digest: market, digest
};

/** A frame taken apart. Pieces in it are still encoded, and share its bytes. */
export class Frame {
  /** Singular fields by number; messages as arrays. Missing ones did not arrive. */
  readonly fields: Values = [];
  readonly pieces: Piece[] = [];
  /** Definitions by market; the first one counts. */
  readonly definitions = new Map<number, Values>();
  /** Status edges by market, oldest first. */
  readonly edges = new Map<number, Values[]>();
  readonly digests: Values[] = [];
  readonly removed: number[] = [];
  readonly reader: Reader;

  constructor(bytes: Uint8Array) {
    if (bytes.length > FRAME_BYTES_MAX * FRAMES_JOINED_MAX) fail('FRAME_TOO_LONG');
    this.reader = new Reader(bytes);
    try {
      while (this.reader.pos < bytes.length) this.readField(this.reader);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      fail('FRAME_MALFORMED', `the frame is not a valid message: ${error.message}`);
    }
  }

  private readField(reader: Reader): void {
    const tag = reader.u();
    const field = Math.floor(tag / 8);
    const wire = tag & 7;
    const shape = SHAPES[field];
    if (shape && wire === 2) {
      const isSingular = field < 9;
      const values = inside(reader, () => readMessage(reader, shape, isSingular ? this.fields[field] : []));
      if (isSingular) this.fields[field] = values;
      else if (field === 18) this.edges.set(values[1] ?? 0, [...(this.edges.get(values[1] ?? 0) ?? []), values]);
      else if (field === 19) this.digests.push(values);
      else if (!this.definitions.has(values[1] ?? 0)) this.definitions.set(values[1] ?? 0, values);
    } else if (field > 9 && field < 13 && wire === 2) {
      // Pieces of later encodings will stand in fields 14 and 15.
      inside(reader, () => this.readPiece(reader, field - 10));
    } else if ((field === 6 || field === 7 || field === 13 || field === 16 || field === 17) && wire === 0) {
      this.fields[field] = safe(reader.u());
    } else if (field === 20 && wire === 2) {
      inside(reader, () => {
        while (reader.pos < reader.end) this.removed.push(reader.u());
      });
    } else if (field === 20 && wire === 0) {
      this.removed.push(reader.u());
    } else if (shape || (field > 0 && field < 21 && field !== 14 && field !== 15)) {
      fail('FRAME_MALFORMED', `field ${field} has wire type ${wire}`);
    } else {
      skipField(reader, tag);
    }
  }

  private readPiece(reader: Reader, kind: PieceKind): void {
    reader.isStrict = true;
    const market = reader.u();
    reader.isStrict = false;
    if (market >= 2 ** 32) fail('HEAD');
    this.pieces.push({ kind, market, start: reader.pos, end: reader.end });
  }
}

function safe(value: number): number {
  return value < 2 ** 53 ? value : fail('RANGE', 'a number is over 2^53-1');
}
