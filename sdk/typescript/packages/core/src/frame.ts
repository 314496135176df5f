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
/** Added to the kind of a piece in the compact encoding. */
export const COMPACT = 4;
/** Added to the kind of a plain delta that tells its age. */
export const AGED = 8;
/** Fields of snapshots, deltas and catch-ups, in both encodings, in the order in which they are read. */
const PIECE_FIELDS = [
  ...[10, PieceKind.Snapshot, 21, COMPACT + PieceKind.Snapshot],
  ...[11, PieceKind.Delta, 15, COMPACT + PieceKind.Delta],
  ...[12, PieceKind.CatchUp, 22, COMPACT + PieceKind.CatchUp],
];

/** The fields of a `ServerFrame`. */
const SERVER_FRAME = [
  'fuuusxb', // 1 welcome: epoch, revision, encoding, heartbeat interval, session, model and its bytes
  'uuuu', // 2 heartbeat: revision, freshness, now, sequence
  'u', // 3 lead, as a number
  'q', // 4 lead, in four bytes
  'Q', // 5 lead, in eight bytes
  'u', // 6 advance
  'u', // 7 cursor
  'uuuuu', // 8 position: revision, sequence, since, time, answer frames
  ['u', 's', 'u', 'iz', 'uusszus'], // 9 definition: market, id, first selection, selections, attributes
  'b', // 10 snapshots
  'b', // 11 deltas
  'b', // 12 catch-ups
  'u', // 13 revision step
  'b', // 14 lead
  'b', // 15 compact deltas
  'u', // 16 conflated
  'u', // 17 more
  'uuu', // 18 status edges: market, revision, status
  'uf', // 19 digests: market, digest
  'p', // 20 removed
  'b', // 21 compact snapshots
  'b', // 22 compact catch-ups
  ' ', // 23 compressed: not offered
  'uuuuu', // 24 subscribed: subscription, rate, markets, resume, ended
  'usu', // 25 error: code, message, subscription
  'u ', // 26 drain: reconnect after
];

/** A frame taken apart. Pieces in it are still encoded, and share its bytes. */
export interface Frame {
  readonly reader: Reader;
  /** Fields by number, as {@link readMessage} gives them. */
  readonly fields: Values;
  /** For each piece four numbers: kind with what is added to it, market number, where what follows begins and where it ends. */
  readonly pieces: number[];
}

/** Takes a frame apart. */
export function readFrame(bytes: Uint8Array): Frame {
  const reader = new Reader(bytes);
  const pieces: number[] = [];
  try {
    const fields = readMessage(reader, SERVER_FRAME);
    reader.isStrict = true;
    for (let field = 0; field < PIECE_FIELDS.length; field += 2) {
      const places: number[] | undefined = fields[PIECE_FIELDS[field]!];
      for (let at = 0; places && at < places.length; at += 2) {
        let kind = PIECE_FIELDS[field + 1]!;
        reader.pos = places[at]!;
        reader.end = places[at + 1]!;
        let market = reader.u();
        if (kind === PieceKind.Delta) {
          if (market % 2) kind += AGED;
          market = Math.floor(market / 2);
        }
        if (market >= 2 ** 32) fail('HEAD');
        pieces.push(kind, market, reader.pos, reader.end);
      }
    }
    return { reader, fields, pieces };
  } catch {
    fail('FRAME_MALFORMED');
  }
}
