/** Why bytes cannot be used, as docs/protocol.md names it [ERR-4]. */
export type ErrorName =
  // A piece: its market is asked for again.
  | 'TRUNCATED'
  | 'OVERLONG'
  | 'HEAD'
  | 'ORDER'
  | 'MASK'
  | 'SELECTION'
  | 'PRICE'
  | 'PRICE_LADDER'
  | 'AMOUNT'
  | 'DEFINITION'
  | 'CODER'
  | 'UNKNOWN_MARKET'
  /** A number over 2^53-1, which JavaScript does not hold exactly. */
  | 'RANGE'
  // A frame: the connection must be given up. What is held stays and can be resumed.
  | 'FRAME_MALFORMED'
  | 'FRAME_TOO_LONG'
  | 'TOO_MANY_JOINED'
  | 'NOT_WELCOMED'
  | 'MODEL'
  | 'LOST'
  // The caller's code is at fault.
  | 'NOT_CONNECTED';

/** Bytes from the gateway that cannot be used. `name` tells tests and logs which clause they break. */
export class ProtocolError extends Error {
  constructor(
    override readonly name: ErrorName,
    message: string = name,
  ) {
    super(message);
  }
}

/** Ends reading. It returns `never`, so that it can stand in an expression. */
export function fail(name: ErrorName, message?: string): never {
  throw new ProtocolError(name, message);
}
