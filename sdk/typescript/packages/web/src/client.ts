import {
  Backoff,
  type Changes,
  ClientSession,
  type Market,
  nextReportMs,
  type ReconnectCause,
  REPORT_INTERVAL_MS,
  type SessionEvent,
  type Telemetry,
  TELEMETRY_REFUSED,
} from '@oddswire/core';

import { sleeplessClock } from './clock.js';
import { Emitter } from './emitter.js';
import { Pace } from './pace.js';
import { type SubscribeOptions, Subscription } from './subscription.js';

/** How long connecting and the upgrade may take together. Mobile networks need several seconds now and then. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that a gateway ends sooner than this after its welcome did no good, and must not be made again at the shortest delays. */
const GOOD_AFTER_MS = 10_000;
/** Longest time until a move that a gateway may ask for. */
const MOVE_AFTER_MAX_MS = 600_000;
/** An attempt that is younger than this is left alone when the network changes. */
const ATTEMPT_MS = 1_000;
/** Error codes after which nothing is gained by connecting again [ERR-2]. */
const UNAUTHORIZED = 3;
const DEFECTS = [2, 7, 10];
/** Close codes of gateways begin here. */
const CLOSE_CODES = 4000;
/** The close code of a connection that ended without one. */
const ABNORMAL = 1006;

/** Where a client stands. */
export type ClientState =
  /** A connection is being made. */
  | 'connecting'
  /** Connected; markets are on their way. */
  | 'syncing'
  /** Everything subscribed to is here and live. */
  | 'live'
  /** No connection; the next attempt comes after a delay. */
  | 'waiting'
  /** No connection until {@link OddswireClient.goOnline}. */
  | 'offline'
  /** No connection ever again: closed, or refused for good. */
  | 'closed';

/** A change of where a client stands. */
export interface StateChange {
  readonly state: ClientState;
  /** Why there is no connection, when there is none. */
  readonly reason?: string;
  /** When the next attempt comes. */
  readonly retryInMs?: number;
}

/** A frame that was applied. */
export interface FrameEvent {
  /** Length of the message. */
  readonly bytes: number;
  /** How many cells changed. */
  readonly cells: number;
  /** What happened by it, in order. */
  readonly events: readonly SessionEvent[];
  /** The changed cells, which `changed` events point into; good until the listener returns. See `describeChanges`. */
  readonly changes: Changes;
}

export interface ClientEvents {
  state: StateChange;
  /** After each frame; while somebody listens, `changes` are kept. */
  frame: FrameEvent;
  /** Everything that happens in the session, in order. */
  event: SessionEvent;
  /** A market of this id has changed, come or left. */
  [market: `market/${string}`]: Market;
}

/** Received in the last full second. */
export interface Traffic {
  readonly bytesPerSecond: number;
  readonly framesPerSecond: number;
}

export interface ClientOptions {
  /** Access token, or what fetches a fresh one; it is asked for at every connection. */
  readonly token?: string | (() => string | Promise<string>);
  /** Name and version of the software, for the server's logs; at most 64 bytes. */
  readonly agent?: string;
  /** Whether the gateway may send the compact encoding, which it does unless this says `false`. */
  readonly compact?: boolean;
  /** How often the gateway is told what this client has seen (see {@link OddswireClient.telemetry}), in the middle; 30 s unless given, 0 for never. */
  readonly reportIntervalMs?: number;
  /** What makes sockets; the global WebSocket unless given. */
  readonly WebSocket?: new (url: string, protocol: string) => WebSocket;
}

type Timer = ReturnType<typeof setTimeout>;

/** A mirror of live markets, held up over as many connections as it takes. */
export class OddswireClient extends Emitter<ClientEvents> {
  /** Where it connects. */
  readonly url: string;
  readonly #options: ClientOptions;
  readonly #clock = sleeplessClock(() => performance.now(), Date.now);
  /**
   * The conversation with the gateway, for tools and tests; whatever is done to it is done behind the client's back.
   * @internal
   */
  readonly session: ClientSession;
  readonly #backoff = new Backoff(Math.random);
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #undo: (() => void)[] = [];
  #subscriptionNumber = 0;
  #socket: WebSocket | undefined;
  #pace: Pace | undefined;
  #state: StateChange = { state: 'connecting' };
  /** The next attempt, or the end of this one. */
  #timer: Timer | undefined;
  #watchdog: Timer | undefined;
  #reporter: Timer | undefined;
  #attempt = 0;
  #attemptMs = 0;
  #welcomedMs: number | undefined;
  #wasLive = false;
  /** What the gateway said before it closed. */
  #refusal: { code: number; message: string } | undefined;
  #second = 0;
  #counted = { bytes: 0, frames: 0 };
  #traffic: Traffic = { bytesPerSecond: 0, framesPerSecond: 0 };

  /** Connects in the background, for as long as it takes. `url` is `wss://host`; `/v1/stream` is meant if it has no path. */
  constructor(url: string, options: ClientOptions = {}) {
    super();
    this.url = url.replace(/^http/, 'ws').replace(/^(\w+:\/\/[^/]+)\/?$/, '$1/v1/stream');
    this.#options = options;
    const { agent = 'oddswire-web/0.1', compact = true } = options;
    this.session = new ClientSession({ agent, compact, clock: this.#clock });
    const { document, navigator } = globalThis;
    // A page that is shown again, a machine that woke up, a network that is another: what was waited for is tried at once.
    this.#listen(globalThis, 'online', this.#wake);
    this.#listen(globalThis, 'pageshow', this.#wake);
    this.#listen((navigator as { connection?: EventTarget } | undefined)?.connection, 'change', this.#wake);
    this.#listen(document, 'visibilitychange', () => document.visibilityState === 'visible' && this.#wake());
    // Whoever subscribes right now is heard in the first messages.
    this.#timer = setTimeout(this.#connect, 0);
  }

  /** Where the client stands. */
  get state(): ClientState {
    return this.#state.state;
  }

  /** Where the client stands, and why there is no connection; the same object until that changes. */
  get connection(): StateChange {
    return this.#state;
  }

  /** Asks for markets, now or as soon as there is a connection, and again on every new one. */
  subscribe({ topic, view = 'best3', maxRateMs: rateMs = 0 }: SubscribeOptions): Subscription {
    const subscription = new Subscription(this, ++this.#subscriptionNumber);
    this.session.subscribe(subscription.number, { topics: ([] as string[]).concat(topic), view, rateMs });
    this.#subscriptions.set(subscription.number, subscription);
    this.#turn();
    return subscription;
  }

  /** The same as `subscription.unsubscribe()`. */
  unsubscribe({ number }: Subscription): void {
    this.session.unsubscribe(number);
    this.#subscriptions.delete(number);
    this.#turn();
  }

  /** A market that is held, by id. */
  market(id: string): Market | undefined {
    return this.session.market(id);
  }

  /** All markets that are held. */
  get markets(): readonly Market[] {
    return this.session.markets();
  }

  /** What this client has seen, as plain data. */
  telemetry(): Telemetry {
    return JSON.parse(JSON.stringify(this.session.telemetry));
  }

  /** Tells the gateway now what this client has seen. It does so by itself, every 30 s; gateways count six reports a minute. */
  report(): void {
    this.session.report();
    this.#turn();
  }

  /** Received in the last full second. */
  get traffic(): Traffic {
    this.#count(0, 0);
    return this.#traffic;
  }

  /** Closes the connection and ends everything. What is held stays readable, as stale. */
  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
    this.#lose('closed', 'application', 'closed');
  }

  /** Cuts the connection, as a tunnel does; the client comes back by itself. For demos and tests. */
  disconnect(reason = 'cut'): void {
    if (this.#socket) this.#lose(reason, 'application');
  }

  /** Cuts the connection and stays away until {@link goOnline}. */
  goOffline(): void {
    this.#lose('offline', 'application', 'offline');
  }

  /** Connects again after {@link goOffline}. */
  goOnline(): void {
    if (this.state === 'offline') this.#connect();
  }

  readonly #connect = async (): Promise<void> => {
    clearTimeout(this.#timer);
    this.#setState({ state: 'connecting' });
    this.#attemptMs = this.#clock();
    const attempt = ++this.#attempt;
    this.#timer = setTimeout(() => this.#lose('connect timeout', 'other'), CONNECT_TIMEOUT_MS);
    const { token = '', WebSocket = globalThis.WebSocket } = this.#options;
    try {
      const fresh = typeof token === 'string' ? token : await token();
      // Something else has happened meanwhile.
      if (this.#attempt !== attempt || this.state !== 'connecting') return;
      this.#open(new WebSocket(this.url, 'oddswire.v1'), fresh);
    } catch (error) {
      if (this.#attempt === attempt) this.#lose(`no token or no socket: ${error}`, 'other');
    }
  };

  #open(socket: WebSocket, token: string): void {
    this.#socket = socket;
    this.#welcomedMs = undefined;
    this.#wasLive = false;
    this.#refusal = undefined;
    this.#pace = new Pace((message) => socket.send(message));
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      clearTimeout(this.#timer);
      this.session.connected(this.#clock(), token);
      this.#turn();
      this.#watch();
    };
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onclose = ({ code }) => this.#closed(code);
  }

  #hear(data: ArrayBuffer | string): void {
    if (typeof data === 'string') return this.#lose('text message', 'frame');
    const session = this.session;
    const cells = session.telemetry.cells;
    this.#count(data.byteLength, 1);
    session.keepsChanges = this.hears('frame');
    try {
      session.handleFrame(this.#clock(), new Uint8Array(data));
    } catch (error) {
      this.#turn();
      this.#lose((error as Error).name, 'frame');
      return;
    }
    const events = this.#turn();
    if (session.keepsChanges) {
      this.emit('frame', { bytes: data.byteLength, cells: session.telemetry.cells - cells, events, changes: session.changes });
    }
  }

  /** The gateway or the network has ended the connection [CLOSE-1]. */
  #closed(closeCode: number): void {
    const { code, message } = this.#refusal ?? { code: Math.max(closeCode - CLOSE_CODES, 0), message: '' };
    const isFinal = DEFECTS.includes(code) || (code === UNAUTHORIZED && typeof this.#options.token !== 'function');
    const cause = code ? 'error' : closeCode === ABNORMAL ? 'network' : 'closed';
    this.#lose(code ? `error ${code} ${message}`.trim() : `close ${closeCode}`, cause, isFinal ? 'closed' : 'waiting');
  }

  /** Ends the connection, or the attempt to make one, and sees to what comes next. */
  #lose(reason: string, cause: ReconnectCause, next: 'waiting' | 'offline' | 'closed' = 'waiting', delayMs?: number): void {
    const socket = this.#socket;
    const session = this.session;
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    clearTimeout(this.#reporter);
    if (this.state === 'closed') return;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      // An attempt that is given up may report an error, which nobody waits for.
      socket.onerror = () => {};
      socket.close();
      this.#socket = undefined;
      this.#pace?.stop();
    }
    const { telemetry } = session;
    if (session.connection !== 'disconnected') telemetry.reconnects[cause] = (telemetry.reconnects[cause] ?? 0) + 1;
    else if (next === 'waiting') telemetry.failedAttempts++;
    session.disconnected();
    const isGood = this.#clock() - (this.#welcomedMs ?? Infinity) > GOOD_AFTER_MS || !reason.startsWith('error');
    if (this.#wasLive && isGood) this.#backoff.reset();
    this.#wasLive = false;
    const change: { state: ClientState; reason: string; retryInMs?: number } = { state: next, reason };
    if (next === 'waiting') {
      change.retryInMs = delayMs ?? this.#backoff.nextDelayMs();
      this.#timer = setTimeout(this.#connect, change.retryInMs);
    }
    this.#setState(change);
    this.#turn();
  }

  /** Sends what the session has to say, and tells what has happened. */
  #turn(): readonly SessionEvent[] {
    const session = this.session;
    const events = session.takeEvents();
    const messages = session.takeMessages();
    this.#pace?.say(messages);
    for (const event of events) {
      if (event.type === 'welcomed') {
        this.#welcomedMs = this.#clock();
        this.#reportLater(true);
      } else if (event.type === 'synced') this.#wasLive = true;
      else if (event.type === 'drain') {
        clearTimeout(this.#timer);
        // The gateway said when to come back [DRAIN-1].
        this.#timer = setTimeout(() => this.#lose('drain', 'drain', 'waiting', 0), Math.min(event.reconnectAfterMs, MOVE_AFTER_MAX_MS));
      } else if (event.type === 'refused') {
        const subscription = this.#subscriptions.get(event.subscription);
        if (!event.subscription && event.code !== TELEMETRY_REFUSED) this.#refusal = event;
        if (subscription && !session.subscriptions.has(event.subscription)) {
          this.#subscriptions.delete(event.subscription);
          subscription.tell('refused', event);
        }
      }
    }
    if (session.connection === 'established') this.#setState({ state: session.isSynced ? 'live' : 'syncing' });
    this.#tell();
    if (this.hears('event')) for (const event of events) this.emit('event', event);
    return events;
  }

  /** Tells whoever subscribed to the markets that have changed, or watches them. */
  #tell(): void {
    const session = this.session;
    if (session.touched.size === 0) return;
    const touched = [...session.touched];
    session.touched.clear();
    const changes = new Map<number, { changed: Market[]; removed: Market[] }>();
    for (const mirror of touched) {
      const market = session.marketOf(mirror);
      const isHeld = session.mirrors.get(mirror.number) === mirror;
      for (const number of session.subscribersOf(mirror)) {
        let change = changes.get(number);
        if (!change) changes.set(number, (change = { changed: [], removed: [] }));
        (isHeld ? change.changed : change.removed).push(market);
      }
      this.emit(`market/${mirror.id}`, market);
    }
    for (const [number, change] of changes) this.#subscriptions.get(number)?.tell('change', change);
  }

  #setState(change: StateChange): void {
    if (change.state === this.state && !change.reason) return;
    this.#state = change;
    this.emit('state', change);
  }

  /** Gives the connection up when the gateway is silent for too long [STALE-1]. */
  #watch(): void {
    const { timeoutMs } = this.session;
    if (timeoutMs === undefined) return;
    this.#watchdog = setTimeout(() => {
      if (this.session.handleTimeout(this.#clock())) this.#lose('silent', 'silence');
      else this.#watch();
    }, timeoutMs - this.#clock());
  }

  /** Tells the gateway now and then what was seen [TEL-1]. */
  #reportLater(isFirst: boolean): void {
    const { reportIntervalMs = REPORT_INTERVAL_MS } = this.#options;
    if (reportIntervalMs === 0) return;
    clearTimeout(this.#reporter);
    this.#reporter = setTimeout(() => {
      this.report();
      this.#reportLater(false);
    }, nextReportMs(reportIntervalMs, isFirst, Math.random()));
  }

  readonly #wake = (): void => {
    const nowMs = this.#clock();
    if (this.state === 'waiting') void this.#connect();
    else if (this.session.handleTimeout(nowMs)) this.#lose('silent', 'wake', 'waiting', 0);
    else if (this.session.connection === 'disconnected' && this.state === 'connecting' && nowMs - this.#attemptMs > ATTEMPT_MS) {
      this.#lose('network change', 'wake', 'waiting', 0);
    }
  };

  #count(bytes: number, frames: number): void {
    const second = Math.floor(this.#clock() / 1000);
    if (second !== this.#second) {
      const { bytes: bytesPerSecond, frames: framesPerSecond } = second === this.#second + 1 ? this.#counted : { bytes: 0, frames: 0 };
      this.#traffic = { bytesPerSecond, framesPerSecond };
      this.#counted = { bytes: 0, frames: 0 };
      this.#second = second;
    }
    this.#counted.bytes += bytes;
    this.#counted.frames += frames;
  }

  #listen(target: EventTarget | undefined, name: string, listener: () => void): void {
    target?.addEventListener?.(name, listener);
    this.#undo.push(() => target?.removeEventListener?.(name, listener));
  }
}
