/** What went into a compressor and what had come out by then. */
interface Mark {
  readonly inBytes: number;
  readonly outBytes: number;
}

/** The ratio of now is that of what was compressed since this many outputs ago. */
const RECENT_MARKS = 12;

/**
 * Measures what one deflate stream makes of many messages. The browser's compressor cannot be flushed, so bytes come out late
 * and in lumps: the ratio is taken from one output to another, never from what is still inside.
 */
export class Deflate {
  static readonly isAvailable = typeof CompressionStream === 'function';

  readonly #writer: WritableStreamDefaultWriter<BufferSource>;
  readonly #marks: Mark[] = [];
  #last: Mark | undefined;
  #inBytes = 0;
  #outBytes = 0;

  constructor() {
    const stream = new CompressionStream('deflate-raw');
    this.#writer = stream.writable.getWriter();
    void this.#read(stream.readable.getReader());
  }

  /** Compresses messages, one behind the other. */
  write(bytes: Uint8Array<ArrayBuffer>): void {
    void this.#writer.write(bytes).then(
      () => (this.#inBytes += bytes.length),
      () => {},
    );
  }

  /** Bytes out for each byte in, lately; none until enough has come out. */
  get ratio(): number | undefined {
    const from = this.#marks[0];
    const to = this.#marks.at(-1);
    if (!from || !to || to.inBytes === from.inBytes) return undefined;
    return (to.outBytes - from.outBytes) / (to.inBytes - from.inBytes);
  }

  /** Bytes out for each byte in, from the first one on. */
  get totalRatio(): number | undefined {
    return this.#last && this.#last.outBytes / this.#last.inBytes;
  }

  /** What was compressed until now says nothing of what is to come: snapshots shrink more than changes. */
  forget(): void {
    this.#marks.length = 0;
  }

  end(): void {
    this.#writer.abort().catch(() => {});
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        this.#outBytes += value.length;
        this.#last = { inBytes: this.#inBytes, outBytes: this.#outBytes };
        this.#marks.push(this.#last);
        if (this.#marks.length > RECENT_MARKS) this.#marks.shift();
      }
    } catch {
      // It was ended.
    }
  }
}
