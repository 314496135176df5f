import { fail } from './error.js';
import { readMessage, type Values } from './message.js';
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

/** The fields of a `ServerFrame`. */
const SERVER_FRAME = [
  'fuuus', // 1 welcome: epoch, revision, encoding, heartbeat interval, session
  'uuuu', // 2 heartbeat: revision, freshness, now, sequence
  'uuuuu', // 3 subscribed: subscription, rate, markets, resume, ended
  'usu', // 4 error: code, message, subscription
  'u ', // 5 drain: reconnect after
  'u', // 6 advance
  'u', // 7 cursor
  'uuuu', // 8 position: revision, sequence, since, time
  ['u', 's', 'u', 'iz', 'uusszus'], // 9 definition: market, id, first selection, selections, attributes
  'b', // 10 snapshots
  'b', // 11 deltas
  'b', // 12 catch-ups
  'u', // 13 time step
  ' ', // 14 and 15 are kept for pieces in the compact encoding
  ' ',
  'u', // 16 conflated
  'u', // 17 more
  'uuu', // 18 status edges: market, revision, status
  'uf', // 19 digests: market, digest
  'p', // 20 removed
];

/** A frame taken apart. Pieces in it are still encoded, and share its bytes. */
export interface Frame {
  readonly reader: Reader;
  /** Fields by number, as {@link readMessage} gives them. */
  readonly fields: Values;
  /** For each piece four numbers: kind, market number, where what follows begins and where it ends. */
  readonly pieces: number[];
}

/** Takes a frame apart. */
export function readFrame(bytes: Uint8Array): Frame {
  const reader = new Reader(bytes);
  const pieces: number[] = [];
  try {
    const fields = readMessage(reader, SERVER_FRAME);
    reader.isStrict = true;
    for (let kind = 0; kind < 3; kind++) {
      const places: number[] = fields[10 + kind] ?? [];
      for (let at = 0; at < places.length; at += 2) {
        reader.pos = places[at]!;
        reader.end = places[at + 1]!;
        const market = reader.u();
        if (market >= 2 ** 32) fail('HEAD');
        pieces.push(kind, market, reader.pos, reader.end);
      }
    }
    return { reader, fields, pieces };
  } catch (error) {
    fail('FRAME_MALFORMED', `the frame is not a valid message (${(error as Error).message})`);
  }
}
