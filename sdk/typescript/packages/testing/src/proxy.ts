import { connect, createServer, type Server as TcpServer, type Socket } from 'node:net';

/** A TCP proxy in front of a gateway that does what networks do. */
export class FaultyProxy {
  /** Time by which everything from the gateway is late, in milliseconds. */
  delayMs = 0;
  /** Share of the gateway's WebSocket frames that vanish, as no TCP loses them, but a defect might. */
  dropRate = 0;
  readonly counts = { connections: 0, cuts: 0, dropped: 0 };
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private stalledUntil = 0;

  private constructor(
    private readonly server: TcpServer,
    private readonly random: () => number,
  ) {}

  /** Listens on a free port in front of `target`, a host and port. */
  static async start(target: string, random: () => number): Promise<FaultyProxy> {
    const server = createServer();
    const proxy = new FaultyProxy(server, random);
    const [host, port] = target.split(':') as [string, string];
    server.on('connection', (client) => proxy.join(client, connect(Number(port), host)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    const address = this.server.address();
    return `ws://127.0.0.1:${typeof address === 'object' ? address?.port : address}`;
  }

  /** Cuts all connections, without a word. */
  cut(): void {
    for (const [client, upstream] of this.pairs) {
      this.counts.cuts++;
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
  }

  /** Takes nothing from the gateway for a while, as a slow receiver does. */
  stall(ms: number): void {
    this.stalledUntil = Date.now() + ms;
    for (const [, upstream] of this.pairs) {
      upstream.pause();
      setTimeout(() => {
        if (Date.now() >= this.stalledUntil) upstream.resume();
      }, ms + 5);
    }
  }

  stop(): void {
    this.cut();
    this.server.close();
  }

  private join(client: Socket, upstream: Socket): void {
    const pair = [client, upstream] as const;
    this.pairs.add(pair);
    this.counts.connections++;
    const frames = new FrameSplitter();
    const end = (): void => {
      this.pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    client.on('data', (data) => upstream.write(data));
    upstream.on('data', (data) => {
      const kept = frames.split(data).filter(() => {
        const isDropped = frames.isOpen && this.random() < this.dropRate;
        if (isDropped) this.counts.dropped++;
        return !isDropped;
      });
      const whole = Buffer.concat(kept);
      if (this.delayMs > 0) setTimeout(() => client.destroyed || client.write(whole), this.delayMs);
      else client.write(whole);
    });
  }
}

/** Cuts the bytes of a gateway into the answer to the upgrade and the WebSocket frames behind it. */
class FrameSplitter {
  /** Whether the upgrade is over. */
  isOpen = false;
  private rest = Buffer.alloc(0);

  split(data: Buffer): Buffer[] {
    this.rest = Buffer.concat([this.rest, data]);
    const parts: Buffer[] = [];
    if (!this.isOpen) {
      const end = this.rest.indexOf('\r\n\r\n');
      if (end < 0) return parts;
      parts.push(this.take(end + 4));
      // The answer itself is never dropped; frames in the same packet are not, either.
      queueMicrotask(() => (this.isOpen = true));
    }
    for (;;) {
      if (this.rest.length < 2) return parts;
      const short = this.rest[1]! & 0x7f;
      const head = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (this.rest.length < head) return parts;
      const length = short === 126 ? this.rest.readUInt16BE(2) : short === 127 ? Number(this.rest.readBigUInt64BE(2)) : short;
      if (this.rest.length < head + length) return parts;
      parts.push(this.take(head + length));
    }
  }

  private take(length: number): Buffer {
    const part = this.rest.subarray(0, length);
    this.rest = this.rest.subarray(length);
    return part;
  }
}
