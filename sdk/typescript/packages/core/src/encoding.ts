import type { Changes } from './changes.js';
import type { Mirror } from './mirror.js';
import type { Reader } from './reader.js';

/**
 * How cells are coded inside pieces. The client lists what it understands in its hello, and the gateway chooses one in
 * its welcome [HELLO-2].
 */
export interface Encoding {
  /** Its number in `proto/oddswire/wire/v1/wire.proto`. */
  readonly number: number;
  /**
   * Reads what follows a piece's head, to the reader's end, and sets the cells of `mirror`. Every cell that it sets goes
   * into `changes`, which takes them back if reading fails.
   *
   * `isRelative` says that values count from what `mirror` holds (deltas); else they are absolute.
   */
  decode(reader: Reader, mirror: Mirror, changes: Changes, isRelative: boolean): void;
}
