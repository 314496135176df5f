/** A WebSocket whose other end is the test. */
export class FakeSocket {
  static readonly made: FakeSocket[] = [];
  binaryType = '';
  readyState = 0;
  readonly sent: Uint8Array[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    FakeSocket.made.push(this);
  }

  /** The newest one. */
  static get last(): FakeSocket {
    return FakeSocket.made.at(-1)!;
  }

  send(message: Uint8Array): void {
    this.sent.push(message);
  }

  close(): void {
    this.readyState = 3;
  }

  /** The gateway takes the connection. */
  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  /** The gateway says frames. */
  say(...frames: (Uint8Array | string)[]): void {
    for (const frame of frames) {
      const bytes = typeof frame === 'string' ? Uint8Array.from(Buffer.from(frame, 'hex')) : frame;
      this.onmessage?.({ data: bytes.slice().buffer });
    }
  }

  /** The gateway closes, or the network breaks (1006). */
  end(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}
