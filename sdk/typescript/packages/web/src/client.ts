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
import { type Emitter, type Listeners, listeners } from './emitter.js';
import { paced } from './pace.js';
import { type SubscribeOptions, type Subscription, type SubscriptionEvents, subscriptionOf } from './subscription.js';

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
export interface OddswireClient extends Emitter<ClientEvents> {
  /** Where it connects. */
  readonly url: string;
  /** Where the client stands. */
  readonly state: ClientState;
  /** Where the client stands, and why there is no connection; the same object until that changes. */
  readonly connection: StateChange;
  /** All markets that are held. */
  readonly markets: readonly Market[];
  /**
   * The conversation with the gateway, for tools and tests; whatever is done to it is done behind the client's back.
   * @internal
   */
  readonly session: ClientSession;

  /** Asks for markets, now or as soon as there is a connection, and again on every new one. */
  subscribe(options: SubscribeOptions): Subscription;
  /** The same as `subscription.unsubscribe()`. */
  unsubscribe(subscription: Subscription): void;
  /** A market that is held, by id. */
  market(id: string): Market | undefined;
  /** What this client has seen, as plain data. */
  telemetry(): Telemetry;
  /** Tells the gateway now what this client has seen. It does so by itself, every 30 s; gateways count six reports a minute. */
  report(): void;
  /** Closes the connection and ends everything. What is held stays readable, as stale. */
  close(): void;
  /** Cuts the connection, as a tunnel does; the client comes back by itself. For demos and tests. */
  disconnect(reason?: string): void;
  /** Cuts the connection and stays away until {@link goOnline}. */
  goOffline(): void;
  /** Connects again after {@link goOffline}. */
  goOnline(): void;
}

/**
 * `new OddswireClient(url, options)` connects in the background, for as long as it takes. `url` is `wss://host`; `/v1/stream` is
 * meant if it has no path.
 */
export const OddswireClient = function (address: string, options: ClientOptions = {}): OddswireClient {
  const { agent = 'oddswire-web/0.1', compact = true, token = '', reportIntervalMs = REPORT_INTERVAL_MS } = options;
  const clock = sleeplessClock(() => performance.now(), Date.now);
  const session = new ClientSession({ agent, compact, clock });
  const backoff = new Backoff(Math.random);
  const { on, hears, emit } = listeners<ClientEvents>();
  const subscriptions = new Map<number, Listeners<SubscriptionEvents>>();
  const undo: (() => void)[] = [];
  const { document, navigator } = globalThis;
  let subscriptionNumber = 0;
  let socket: WebSocket | undefined;
  let say: ReturnType<typeof paced> | undefined;
  let change: StateChange = { state: 'connecting' };
  /** The next attempt, or the end of this one. */
  let timer: Timer | undefined;
  let watchdog: Timer | undefined;
  let reporter: Timer | undefined;
  let attempt = 0;
  let attemptMs = 0;
  let welcomedMs = Infinity;
  let wasLive = false;
  /** What the gateway said before it closed. */
  let refusal: { code: number; message: string } | undefined;

  const setState = (to: StateChange): void => {
    if (to.state === change.state && !to.reason) return;
    change = to;
    emit('state', to);
  };

  /** Tells whoever subscribed to the markets that have changed, or watches them. */
  const tell = (): void => {
    const changes = new Map<number, { changed: Market[]; removed: Market[] }>();
    for (const market of session.takeTouched()) {
      const isHeld = session.held.get(market.number) === market;
      for (const number of session.subscribersOf(market)) {
        let change = changes.get(number);
        if (!change) changes.set(number, (change = { changed: [], removed: [] }));
        (isHeld ? change.changed : change.removed).push(market);
      }
      emit(`market/${market.id}`, market);
    }
    for (const [number, change] of changes) subscriptions.get(number)?.emit('change', change);
  };

  /** Tells the gateway now and then what was seen [TEL-1]. */
  const reportLater = (isFirst: boolean): void => {
    if (reportIntervalMs === 0) return;
    clearTimeout(reporter);
    reporter = setTimeout(() => {
      client.report();
      reportLater(false);
    }, nextReportMs(reportIntervalMs, isFirst, Math.random()));
  };

  /** Sends what the session has to say, and tells what has happened. */
  const turn = (): readonly SessionEvent[] => {
    const events = session.takeEvents();
    say?.(session.takeMessages());
    for (const event of events) {
      if (event.type === 'welcomed') {
        welcomedMs = clock();
        reportLater(true);
      } else if (event.type === 'synced') wasLive = true;
      else if (event.type === 'drain') {
        clearTimeout(timer);
        // The gateway said when to come back [DRAIN-1].
        timer = setTimeout(() => lose('drain', 'drain', 'waiting', 0), Math.min(event.reconnectAfterMs, MOVE_AFTER_MAX_MS));
      } else if (event.type === 'refused') {
        const number = event.subscription;
        const refused = subscriptions.get(number);
        if (!number && event.code !== TELEMETRY_REFUSED) refusal = event;
        if (refused && !session.subscriptions.has(number)) {
          subscriptions.delete(number);
          refused.emit('refused', event);
        }
      }
    }
    if (session.connection === 'established') setState({ state: session.isSynced ? 'live' : 'syncing' });
    tell();
    for (const event of events) emit('event', event);
    return events;
  };

  /** Ends the connection, or the attempt to make one, and sees to what comes next. */
  const lose = (reason: string, cause: ReconnectCause, next: 'waiting' | 'offline' | 'closed' = 'waiting', delayMs?: number): void => {
    for (const running of [timer, watchdog, reporter]) clearTimeout(running);
    if (change.state === 'closed') return;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      // An attempt that is given up may report an error, which nobody waits for.
      socket.onerror = () => {};
      socket.close();
      say?.();
      socket = say = undefined;
    }
    const { telemetry } = session;
    if (session.connection !== 'disconnected') telemetry.reconnects[cause] = (telemetry.reconnects[cause] ?? 0) + 1;
    else if (next === 'waiting') telemetry.failedAttempts++;
    session.disconnected();
    if (wasLive && (clock() - welcomedMs > GOOD_AFTER_MS || !reason.startsWith('error'))) backoff.reset();
    wasLive = false;
    if (next === 'waiting') {
      const retryInMs = delayMs ?? backoff.nextDelayMs();
      timer = setTimeout(connect, retryInMs);
      setState({ state: next, reason, retryInMs });
    } else setState({ state: next, reason });
    turn();
  };

  /** Gives the connection up when the gateway is silent for too long [STALE-1]. */
  const watch = (): void => {
    const { timeoutMs } = session;
    if (timeoutMs === undefined) return;
    watchdog = setTimeout(() => {
      if (session.handleTimeout(clock())) lose('silent', 'silence');
      else watch();
    }, timeoutMs - clock());
  };

  const hear = (data: ArrayBuffer | string): void => {
    if (typeof data === 'string') return lose('text message', 'frame');
    const { cells } = session.telemetry;
    session.keepsChanges = hears('frame');
    try {
      session.handleFrame(clock(), new Uint8Array(data));
    } catch (error) {
      turn();
      return lose((error as Error).name, 'frame');
    }
    const { changes, keepsChanges, telemetry } = session;
    const events = turn();
    if (keepsChanges) emit('frame', { bytes: data.byteLength, cells: telemetry.cells - cells, events, changes });
  };

  /** The gateway or the network has ended the connection [CLOSE-1]. */
  const closed = (closeCode: number): void => {
    const { code, message } = refusal ?? { code: Math.max(closeCode - CLOSE_CODES, 0), message: '' };
    const isFinal = DEFECTS.includes(code) || (code === UNAUTHORIZED && typeof token !== 'function');
    lose(
      code ? `error ${code} ${message}`.trim() : `close ${closeCode}`,
      code ? 'error' : closeCode === ABNORMAL ? 'network' : 'closed',
      isFinal ? 'closed' : 'waiting',
    );
  };

  const connect = async (): Promise<void> => {
    clearTimeout(timer);
    setState({ state: 'connecting' });
    attemptMs = clock();
    const number = ++attempt;
    timer = setTimeout(() => lose('connect timeout', 'other'), CONNECT_TIMEOUT_MS);
    try {
      const fresh = typeof token === 'string' ? token : await token();
      // Something else has happened meanwhile.
      if (attempt !== number || change.state !== 'connecting') return;
      const opened = (socket = new (options.WebSocket ?? WebSocket)(client.url, 'oddswire.v1'));
      welcomedMs = Infinity;
      wasLive = false;
      refusal = undefined;
      say = paced((message) => opened.send(message));
      opened.binaryType = 'arraybuffer';
      opened.onopen = () => {
        clearTimeout(timer);
        session.connected(clock(), fresh);
        turn();
        watch();
      };
      opened.onmessage = ({ data }) => hear(data);
      opened.onclose = ({ code }) => closed(code);
    } catch (error) {
      if (attempt === number) lose(`no token or no socket: ${error}`, 'other');
    }
  };

  const wake = (): void => {
    const nowMs = clock();
    if (change.state === 'waiting') void connect();
    else if (session.handleTimeout(nowMs)) lose('silent', 'wake', 'waiting', 0);
    else if (session.connection === 'disconnected' && change.state === 'connecting' && nowMs - attemptMs > ATTEMPT_MS) {
      lose('network change', 'wake', 'waiting', 0);
    }
  };

  const listen = (target: EventTarget | undefined, name: string, listener: () => void): void => {
    target?.addEventListener?.(name, listener);
    undo.push(() => target?.removeEventListener?.(name, listener));
  };

  const client: OddswireClient = {
    url: address.replace(/^http/, 'ws').replace(/^(\w+:\/\/[^/]+)\/?$/, '$1/v1/stream'),
    session,
    on,

    get state() {
      return change.state;
    },

    get connection() {
      return change;
    },

    get markets() {
      return session.markets();
    },

    subscribe({ topic, view = 'best3', maxRateMs: rateMs = 0 }) {
      const number = ++subscriptionNumber;
      const events = listeners<SubscriptionEvents>();
      session.subscribe(number, { topics: ([] as string[]).concat(topic), view, rateMs });
      subscriptions.set(number, events);
      turn();
      return subscriptionOf(session, number, events.on, client.unsubscribe);
    },

    unsubscribe({ number }) {
      session.unsubscribe(number);
      subscriptions.delete(number);
      turn();
    },

    market: (id) => session.market(id),

    telemetry: () => JSON.parse(JSON.stringify(session.telemetry)),

    report() {
      session.report();
      turn();
    },

    close() {
      for (const end of undo.splice(0)) end();
      lose('closed', 'application', 'closed');
    },

    disconnect(reason = 'cut') {
      if (socket) lose(reason, 'application');
    },

    goOffline: () => lose('offline', 'application', 'offline'),

    goOnline() {
      if (change.state === 'offline') void connect();
    },
  };

  // A page that is shown again, a machine that woke up, a network that is another: what was waited for is tried at once.
  listen(globalThis, 'online', wake);
  listen(globalThis, 'pageshow', wake);
  listen((navigator as { connection?: EventTarget } | undefined)?.connection, 'change', wake);
  listen(document, 'visibilitychange', () => document.visibilityState === 'visible' && wake());
  // Whoever subscribes right now is heard in the first messages.
  timer = setTimeout(connect, 0);
  return client;
} as unknown as new (url: string, options?: ClientOptions) => OddswireClient;
