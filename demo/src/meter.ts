import type { FrameEvent, OddswireClient } from '@oddswire/web';

import { Deflate } from './deflate.js';
import { patchJson, snapshotJson } from './json-size.js';
import { Lag } from './lag.js';

/** Seconds of history. */
const SECONDS = 120;
/** Seconds that rates are a mean of. */
const MEAN_SECONDS = 5;
/** JSON is counted and compressed together after this time: many small writes cost more than they tell. */
const WEIGH_EVERY_MS = 100;
/** A producer whose clock differs from ours by more does not keep our time, as in a recording. */
const CLOCK_MAX_MS = 60_000;

/** Bytes and updates of a second, or of all seconds. */
export interface Count {
  wire: number;
  json: number;
  /** Those of frames that brought changes alone, and neither snapshots nor a catch-up. */
  liveWire: number;
  liveJson: number;
  updates: number;
}

const NAMES = Object.keys(zero()) as (keyof Count)[];

/** How coming back after a cut went. */
export interface Recovery {
  /** From having lost the connection to having everything again. */
  readonly awayMs: number;
  /** From the first byte of the new connection's making to having everything again. */
  readonly backMs: number;
  readonly bytes: number;
  /** What all markets take as JSON snapshots. */
  readonly snapshotBytes: number;
  readonly wasResumed: boolean;
}

/** Measures what arrives against what others would have sent. */
export class Meter {
  readonly #client: OddswireClient;
  readonly #encoder = new TextEncoder();
  readonly lag = new Lag();
  /** The last seconds, the newest at `second % SECONDS`. */
  readonly #seconds = Array.from({ length: SECONDS }, zero);
  #second = Math.floor(performance.now() / 1000);
  /** Since the connection was made. */
  total = zero();
  #deflate: Deflate | undefined;
  #pending = '';
  #isForeignClock = false;
  #lostMs: number | undefined;
  #connectingMs = 0;
  /** When everything was here again, if the frame that brought it has not been counted yet. */
  #liveMs: number | undefined;
  /** The gateway has taken the cursor on this connection. */
  #isResumed = false;
  /** Connections on which it did. */
  resumed = 0;
  recovery: Recovery | undefined;

  constructor(client: OddswireClient) {
    this.#client = client;
    client.on('frame', (frame) => this.#measure(frame));
    client.on('state', ({ state }) => {
      const nowMs = performance.now();
      if (state === 'waiting' || state === 'offline') {
        this.#lostMs ??= nowMs;
      } else if (state === 'connecting') {
        this.#connectingMs = nowMs;
        this.#begin();
      } else if (state === 'live') this.#liveMs = nowMs;
    });
    this.#begin();
    setInterval(() => this.#weigh(), WEIGH_EVERY_MS);
  }

  /** Per second, a mean of the last full ones. */
  get now(): Count {
    this.#turn();
    const sum = zero();
    for (let ago = 1; ago <= MEAN_SECONDS; ago++) add(sum, this.#seconds[(this.#second - ago + SECONDS) % SECONDS]!);
    for (const name of NAMES) sum[name] /= MEAN_SECONDS;
    return sum;
  }

  /** The last full seconds, the oldest first. */
  get history(): Count[] {
    this.#turn();
    return Array.from({ length: SECONDS - 1 }, (_, at) => this.#seconds[(this.#second + 1 + at) % SECONDS]!);
  }

  /** What deflate leaves of JSON, lately and since the connection was made. */
  get deflate(): { readonly now: number | undefined; readonly total: number | undefined } {
    return { now: this.#deflate?.ratio, total: this.#deflate?.totalRatio };
  }

  /** Percentiles 50, 90 and 99 in milliseconds; none without changes, or when the producers keep another time. */
  get lagMs(): number[] | undefined {
    return this.#isForeignClock ? undefined : this.lag.percentiles([0.5, 0.9, 0.99], performance.now());
  }

  get isForeignClock(): boolean {
    return this.#isForeignClock;
  }

  #begin(): void {
    this.#deflate?.end();
    this.#deflate = Deflate.isAvailable ? new Deflate() : undefined;
    this.#pending = '';
    this.#isResumed = false;
    this.total = zero();
  }

  #measure({ bytes, events, changes }: FrameEvent): void {
    this.#turn();
    const nowMs = performance.now();
    const wallMs = Date.now();
    const count = zero();
    count.wire = bytes;
    let text = '';
    // What a catch-up brings is as old as the outage, and says nothing about the way.
    const isCatchUp = events.some(({ type }) => type === 'synced');
    const isLive = !isCatchUp && events.every(({ type }) => type !== 'snapshot');
    if (isLive) count.liveWire = bytes;
    else this.#weigh();
    for (const event of events) {
      if (event.type === 'changed') {
        count.updates++;
        text += patchJson(changes, event);
        if (isCatchUp) continue;
        const lagMs = wallMs - event.market.publishedMs;
        this.#isForeignClock = Math.abs(lagMs) > CLOCK_MAX_MS || lagMs < -1000;
        this.lag.add(lagMs, nowMs);
      } else if (event.type === 'subscribed' && event.resume === 'CAUGHT_UP' && !this.#isResumed) {
        this.#isResumed = true;
        this.resumed++;
      } else if (event.type === 'snapshot') {
        count.updates++;
        text += snapshotJson(event.market);
      }
    }
    this.#pending += text;
    this.#count(count);
    if (!isLive) {
      this.#weigh(isLive);
      this.#deflate?.forget();
    }
    if (this.#liveMs !== undefined) this.#recover(this.#liveMs);
    this.#liveMs = undefined;
  }

  #weigh(isLive = true): void {
    if (!this.#pending) return;
    this.#turn();
    const bytes = this.#encoder.encode(this.#pending);
    this.#pending = '';
    this.#count({ ...zero(), json: bytes.length, liveJson: isLive ? bytes.length : 0 });
    this.#deflate?.write(bytes);
  }

  #count(count: Count): void {
    add(this.total, count);
    add(this.#seconds[this.#second % SECONDS]!, count);
  }

  #recover(nowMs: number): void {
    if (this.#lostMs === undefined) return;
    const client = this.#client;
    this.recovery = {
      awayMs: nowMs - this.#lostMs,
      backMs: nowMs - this.#connectingMs,
      bytes: this.total.wire,
      snapshotBytes: client.markets.reduce((sum, market) => sum + snapshotJson(market).length, 0),
      wasResumed: this.#isResumed,
    };
    this.#lostMs = undefined;
  }

  #turn(): void {
    const second = Math.floor(performance.now() / 1000);
    for (let passed = Math.min(second - this.#second, SECONDS); passed > 0; passed--) {
      this.#seconds[(second - passed + 1) % SECONDS] = zero();
    }
    this.#second = second;
  }
}

function zero(): Count {
  return { wire: 0, json: 0, liveWire: 0, liveJson: 0, updates: 0 };
}

function add(sum: Count, count: Count): void {
  for (const name of NAMES) sum[name] += count[name];
}
