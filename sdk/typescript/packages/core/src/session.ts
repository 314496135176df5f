import { Changes } from './changes.js';
import {
  type Cursor,
  hello,
  resync,
  type ResyncReason,
  subscribe,
  type SubscriptionRequest,
  unsubscribe,
} from './client-message.js';
import type { Encoding } from './encoding.js';
import { fail, ProtocolError } from './error.js';
import { CONFLATIONS, RESUMES, type SessionEvent } from './event.js';
import { digestOf } from './digest.js';
import { Frame, FRAME_BYTES_MAX, FRAMES_JOINED_MAX, type Piece, PieceKind } from './frame.js';
import { Market } from './market.js';
import type { Values } from './message.js';
import { Mirror, statusOf } from './mirror.js';
import { applyPiece } from './piece.js';
import { plain } from './plain.js';
import { Telemetry } from './telemetry.js';
import { names } from './topic.js';

/** How long prices are trusted, in heartbeat intervals [STALE-1]. */
const STALE_AFTER_INTERVALS = 2.5;
/** Until the gateway says otherwise. */
const HEARTBEAT_INTERVAL_MS = 1000;
/** Most markets of one resync [SYNC-3]. */
const RESYNC_MARKETS_MAX = 512;
/** Snapshots in a row that may be unreadable [SYNC-5]. */
const UNREADABLE_MAX = 3;
/** Error code of an answer to an unsubscribe of a subscription that is ended. */
const UNKNOWN_SUBSCRIPTION = 11;
/** Cells of a frame that are kept for those who look on. A fuller frame reports how many there were, and not which. */
const CHANGES_KEPT = 65_536;

/** Where a session stands. */
export type Connection = 'disconnected' | 'greeting' | 'established';

interface Subscription {
  readonly request: SubscriptionRequest;
  /** It was complete at the session's cursor, so it can be resumed. */
  isSynced: boolean;
  /** Subscribes sent on this connection that the gateway has not answered. */
  unanswered: number;
}

/** What a session is made of. */
export interface SessionConfig {
  /** Name and version of the software, for the server's logs; at most 64 bytes. */
  readonly agent: string;
  /** The time of reading, in milliseconds on the same clock as the `nowMs` of the other methods. It must not stand still in sleep. */
  readonly clock: () => number;
  /** Encodings in order of liking, beside the plain one, which every client understands. */
  readonly encodings?: readonly Encoding[];
}

/**
 * A client's conversation with gateways, over as many connections as it takes. It does no input or output of its own:
 * bytes and times come in as arguments, and {@link takeMessages} and {@link takeEvents} bring out what follows.
 */
export class ClientSession {
  connection: Connection = 'disconnected';
  readonly telemetry = new Telemetry();
  /** Cells that the last frame has changed. */
  readonly changes = new Changes();
  /** Whether {@link changes} must hold all changes of a frame, not only those of its last piece. */
  keepsChanges = false;
  /** Markets that have changed, in cells or state, since somebody last emptied this. */
  readonly touched = new Set<Mirror>();
  readonly mirrors = new Map<number, Mirror>();
  readonly subscriptions = new Map<number, Subscription>();

  private readonly byId = new Map<string, Mirror>();
  private readonly encodings: readonly Encoding[];
  private encoding: Encoding = plain;
  private epoch: string | undefined;
  /** From where the session can resume: every subscription was complete there. */
  private resumable: number | undefined;
  /** What was received is complete up to here, whatever subscribes are on their way. */
  private complete: number | undefined;
  /** Revision and sequence of the last frame in the chain, and the producers' clock in it; none until the gateway says. */
  private position: { revision: number; sequence: number } | undefined;
  private frameTime = 0;
  /** A subscription was resumed on this connection. */
  private isResumed = false;
  private joined: Uint8Array[] = [];
  /** This client's clock minus the gateway's, and the shortest way that a heartbeat took. */
  private clockOffsetMs = Infinity;
  /** When everything was live last, and whether prices have stopped being live since. */
  private liveMs = 0;
  private isDegraded = false;
  private heartbeatIntervalMs = HEARTBEAT_INTERVAL_MS;
  private heardMs = 0;
  private isStale = false;
  /** Age of the quietest producer's word, and when the gateway said so. */
  private freshness: { ageMs: number; saidMs: number } | undefined;
  /** Unsubscribes sent on this connection that the gateway has not answered. */
  private unsubscribing = 0;
  /** Markets may be held that no subscription names any more; the gateway has not said yet which. */
  private holdsLeavers = false;
  /** Some market or subscription is not live that would be when the cursor moves. */
  private isUnsettled = false;
  /** Markets whose snapshot was asked for, and how many in a row could not be read. */
  private readonly awaited = new Map<number, number>();
  /** Markets to ask for at the end of the frame. */
  private resyncs: number[] = [];
  private resyncReason: ResyncReason = 'UNSPECIFIED';
  private messages: Uint8Array[] = [];
  private events: SessionEvent[] = [];

  constructor(private readonly config: SessionConfig) {
    this.encodings = [...(config.encodings ?? []), plain];
  }

  /** Subscribes, now or as soon as there is a connection. A number in use is replaced. Numbers begin at 1. */
  subscribe(number: number, request: SubscriptionRequest): void {
    const message = subscribe(number, request);
    const held = this.subscriptions.get(number);
    const isReplaced = held !== undefined && keyOf(held.request) !== keyOf(request);
    const isConnected = this.connection !== 'disconnected';
    if (isConnected) {
      this.holdsLeavers ||= isReplaced;
      this.messages.push(message);
    } else if (isReplaced) {
      // Which markets belonged to the old request alone is not known here.
      this.dropEverything();
    }
    this.subscriptions.set(number, {
      request,
      isSynced: false,
      unanswered: (held?.unanswered ?? 0) + (isConnected ? 1 : 0),
    });
    this.subscriptionsChanged();
  }

  /** Ends a subscription; its markets leave when the gateway says so. */
  unsubscribe(number: number): void {
    if (!this.subscriptions.delete(number)) return;
    this.subscriptionsChanged();
    if (this.connection === 'disconnected') {
      this.dropEverything();
    } else {
      this.unsubscribing++;
      this.holdsLeavers = true;
      this.messages.push(unsubscribe(number));
    }
  }

  /** A transport is there: says hello, with an access token where the gateway asks for one. */
  connected(nowMs: number, token = ''): void {
    let isResumed = false;
    for (const { isSynced } of this.subscriptions.values()) isResumed ||= isSynced;
    if (this.holdsLeavers || !isResumed || this.resumable === undefined || this.awaited.size > RESYNC_MARKETS_MAX) {
      // A gateway that never heard of the leavers would not say that they left; neither would one that is given no
      // cursor. And more markets than one resync may name are sooner subscribed to afresh.
      this.dropEverything();
    }
    this.holdsLeavers = false;
    this.unsubscribing = 0;
    this.isStale = false;
    this.connection = 'greeting';
    this.encoding = plain;
    this.clockOffsetMs = Infinity;
    this.complete = this.resumable;
    this.heardMs = nowMs;
    this.isResumed = false;
    this.forgetConnection();
    this.telemetry.connections++;
    const codes = this.encodings.map(({ number }) => number);
    this.messages.push(hello(this.config.agent, codes, token));
    // The gateway answers in order, so there is no need to wait for the welcome: one round trip less. What the cursor's
    // epoch is worth is the gateway's to say.
    const { cursor } = this;
    for (const [number, subscription] of this.subscriptions) {
      subscription.unanswered = 1;
      this.messages.push(subscribe(number, subscription.request, subscription.isSynced ? cursor : undefined));
    }
    if (this.awaited.size > 0) this.messages.push(resync([...this.awaited.keys()], 'UNSPECIFIED'));
    for (const number of this.awaited.keys()) this.awaited.set(number, 0);
  }

  /** The transport is gone. What is held stays, and is stale until it has been caught up [RECON-2]. */
  disconnected(): void {
    this.connection = 'disconnected';
    this.forgetConnection();
    for (const subscription of this.subscriptions.values()) subscription.unanswered = 0;
    this.goStale();
  }

  /** Takes one frame: all of it, or what does not fit is asked for again. Throws when the connection must be given up. */
  handleFrame(nowMs: number, bytes: Uint8Array): void {
    if (this.connection === 'disconnected') fail('NOT_CONNECTED', 'a frame came while disconnected');
    if (bytes.length > FRAME_BYTES_MAX) {
      fail('FRAME_TOO_LONG', `a frame of ${bytes.length} bytes is longer than ${FRAME_BYTES_MAX}`);
    }
    let frame = new Frame(bytes);
    this.heardMs = nowMs;
    this.isStale = false;
    this.telemetry.bytes += bytes.length;
    this.changes.reset();
    const { joined } = this;
    if (frame.fields[17]) {
      if (joined.length + 1 >= FRAMES_JOINED_MAX) fail('TOO_MANY_JOINED');
      joined.push(bytes);
      return;
    }
    this.telemetry.frames++;
    if (joined.length > 0) {
      this.joined = [];
      frame = new Frame(join([...joined, bytes]));
    }
    this.applyFrame(nowMs, frame);
  }

  /** When {@link handleTimeout} wants to be called, if at all. */
  get timeoutMs(): number | undefined {
    return this.connection === 'disconnected' || this.isStale ? undefined : this.heardMs + this.staleAfterMs + 1;
  }

  /** The time has come. Returns whether the transport should be given up: the gateway has been silent for too long. */
  handleTimeout(nowMs: number): boolean {
    if (this.connection === 'disconnected' || !this.isSilent(nowMs)) return false;
    if (!this.isStale) {
      this.isStale = true;
      this.telemetry.stale++;
      this.goStale();
      this.events.push({ type: 'stale' });
    }
    return true;
  }

  /** How long the gateway may be silent. */
  get staleAfterMs(): number {
    return this.heartbeatIntervalMs * STALE_AFTER_INTERVALS;
  }

  /** From where the session can resume. */
  get cursor(): Cursor | undefined {
    const { epoch, resumable: revision } = this;
    return epoch === undefined || revision === undefined ? undefined : { epoch, revision };
  }

  /** Whether everything subscribed to is complete and live. */
  get isSynced(): boolean {
    if (this.connection !== 'established' || this.isStale) return false;
    for (const { unanswered, isSynced } of this.subscriptions.values()) if (unanswered > 0 || !isSynced) return false;
    for (const { state } of this.mirrors.values()) if (state !== 'live') return false;
    return true;
  }

  /** A market by id. */
  market(id: string): Market | undefined {
    const mirror = this.byId.get(id);
    return mirror && this.handle(mirror);
  }

  /** All markets held. */
  *markets(): IterableIterator<Market> {
    for (const mirror of this.mirrors.values()) yield this.handle(mirror);
  }

  /** Messages to send, in order. */
  takeMessages(): Uint8Array[] {
    const { messages } = this;
    if (messages.length > 0) this.messages = [];
    return messages;
  }

  /** What has happened, in order. */
  takeEvents(): SessionEvent[] {
    const { events } = this;
    if (events.length > 0) this.events = [];
    return events;
  }

  /** Whether nothing was heard for so long that prices must not be trusted; judged by the clock when something is read [STALE-2]. */
  isSilent(nowMs = this.config.clock()): boolean {
    return nowMs - this.heardMs > this.staleAfterMs;
  }

  /** How long ago the quietest producer vouched for its prices, in milliseconds, if anybody said. */
  ageMs(nowMs = this.config.clock()): number | undefined {
    return this.freshness && this.freshness.ageMs + Math.max(nowMs - this.freshness.saidMs, 0);
  }

  /** Numbers of the subscriptions that name a market. */
  subscribersOf(mirror: Mirror): readonly number[] {
    if (!mirror.subscribers) {
      mirror.subscribers = [];
      for (const [number, { request }] of this.subscriptions) {
        if (names(request.topics, mirror)) mirror.subscribers.push(number);
      }
    }
    return mirror.subscribers;
  }

  /** Whether a market's rungs hold amounts of money, and not only the word that they are there [VIEW-2]. */
  showsAmounts(mirror: Mirror): boolean {
    return this.subscribersOf(mirror).some((number) => {
      const subscription = this.subscriptions.get(number);
      return subscription?.isSynced && !subscription.request.view.includes('prices');
    });
  }

  private handle(mirror: Mirror): Market {
    return (mirror.handle ??= new Market(mirror, this)) as Market;
  }

  private applyFrame(nowMs: number, frame: Frame): void {
    const [, welcome, heartbeat, subscribed, error, drain, advance, cursor, position] = frame.fields;
    if (welcome) this.welcomed(welcome);
    if (error) this.refused(error);
    if (drain) this.events.push({ type: 'drain', reconnectAfterMs: drain[1] ?? 0 });
    if (this.connection !== 'established') {
      // A gateway that is going away says so to those it has not greeted yet, too.
      if (error || drain) return;
      fail('NOT_WELCOMED', 'the gateway spoke before its welcome');
    }
    if (subscribed) this.subscribed(subscribed);
    if (!this.follows(frame)) {
      this.lost(position !== undefined);
      return;
    }
    for (const number of frame.removed) this.remove(number);
    this.applyPieces(frame);
    const isAnswered = this.isAnswered();
    // The catch-up has named what left.
    if (position && isAnswered) this.holdsLeavers = false;
    if (heartbeat) {
      this.freshness = heartbeat[2] === undefined ? undefined : { ageMs: heartbeat[2], saidMs: nowMs };
      this.clockOffsetMs = Math.min(this.clockOffsetMs, nowMs - (heartbeat[3] ?? 0));
    }
    if (advance !== undefined && frame.pieces.length > 0 && this.clockOffsetMs < Infinity) {
      this.telemetry.applyDelayMs.add(nowMs - this.clockOffsetMs - 10 * this.frameTime);
    }
    // Without a position nothing is known to be complete: the gateway has not said where the session stands, or frames
    // were lost and the catch-up is on its way.
    if (this.position && (cursor ?? advance ?? position ?? heartbeat) !== undefined) {
      const reached = cursor ?? (advance === undefined ? (position?.[1] ?? heartbeat?.[1] ?? 0) : this.position.revision);
      this.complete = reached;
      // What the gateway says before it has answered every subscribe is not about everything that is held.
      if (isAnswered) this.settle(nowMs, reached);
    }
    // Until the last subscribe is answered, the gateway may follow a market in a narrower view than is held.
    if (isAnswered) for (const digest of frame.digests) this.checkDigest(digest);
    this.sendResyncs();
  }

  private welcomed([, epoch = '0'.repeat(16), , encoding = 1, intervalMs = 0, session = '']: Values): void {
    if (this.epoch !== undefined && this.epoch !== epoch) {
      // Numbers mean something else now: nothing of the old log may be shown.
      this.telemetry.epochsChanged++;
      this.dropEverything();
    }
    this.encoding =
      this.encodings.find(({ number }) => number === encoding) ??
      fail('NOT_WELCOMED', `the gateway chose encoding ${encoding}, which was not offered`);
    this.epoch = epoch;
    this.connection = 'established';
    if (intervalMs > 0) this.heartbeatIntervalMs = intervalMs;
    this.events.push({ type: 'welcomed', epoch, session });
  }

  /**
   * A request was refused. A refused subscription must not keep the others from being complete; but the number may have
   * been used again since, and then the later request is not answered yet.
   */
  private refused([, code = 0, message = '', number = 0]: Values): void {
    this.events.push({ type: 'refused', code, message, subscription: number });
    const subscription = this.subscriptions.get(number);
    if (code === UNKNOWN_SUBSCRIPTION) {
      this.unsubscribing = Math.max(this.unsubscribing - 1, 0);
    } else if (subscription) {
      subscription.unanswered = Math.max(subscription.unanswered - 1, 0);
      if (subscription.unanswered === 0) {
        this.subscriptions.delete(number);
        this.subscriptionsChanged();
      }
    }
  }

  private subscribed([, number = 0, rateMs = 0, markets = 0, code = 0, isEnded]: Values): void {
    if (isEnded) {
      this.unsubscribing = Math.max(this.unsubscribing - 1, 0);
      return;
    }
    const resume = RESUMES[code] ?? 'FRESH';
    const subscription = this.subscriptions.get(number);
    if (subscription) {
      subscription.unanswered = Math.max(subscription.unanswered - 1, 0);
      subscription.isSynced = false;
      this.isUnsettled = true;
    }
    if (resume === 'TOO_OLD') {
      // The horizon has passed the cursor between two answers. What the first one vouched for cannot be told from what
      // nobody vouches for, so all of it is asked for together.
      if (this.isResumed) fail('LOST', 'the resume horizon passed between two answers; connect again');
      // Whatever this connection has not sent again may be gone.
      for (const { number, connection } of this.mirrors.values()) {
        if (connection !== this.telemetry.connections) this.remove(number);
      }
    } else if (resume === 'CAUGHT_UP') {
      this.isResumed = true;
      this.telemetry.resumes++;
    }
    this.events.push({ type: 'subscribed', subscription: number, rateMs, markets, resume });
  }

  /** Whether the gateway has answered every subscribe and unsubscribe of this connection. */
  private isAnswered(): boolean {
    if (this.unsubscribing > 0) return false;
    for (const { unanswered } of this.subscriptions.values()) if (unanswered > 0) return false;
    return true;
  }

  /** Moves the session's position, or finds that the frame does not follow what was received before. */
  private follows({ fields }: Frame): boolean {
    const [, , heartbeat, , , , advance, , position] = fields;
    if (position) {
      const [, revision = 0, sequence = 0, since = 0, time = 0] = position;
      this.position = { revision, sequence };
      this.frameTime = time;
      // A catch-up stands on its own, if it begins no later than where this session ends.
      return since === 0 || (this.complete !== undefined && this.complete >= since);
    }
    const held = this.position;
    if (advance !== undefined) {
      if (!held) return false;
      const sequence = (held.sequence + 1) >>> 0;
      if (sequence % 128 !== advance % 128) return false;
      held.sequence = sequence;
      held.revision = Math.min(held.revision + Math.floor(advance / 128), Number.MAX_SAFE_INTEGER);
      this.frameTime += fields[13] ?? 0;
    }
    return !heartbeat || !held || (heartbeat[4] ?? 0) === held.sequence;
  }

  /**
   * Frames were lost: what is held is right as of the cursor, so everything since then is asked for.
   *
   * Where the gateway may follow the markets in other views than this session knows of, a catch-up would not be in the
   * view that is held: then only a new connection helps, on which every subscription is named again.
   */
  private lost(isCatchUp: boolean): void {
    if (isCatchUp || !this.isAnswered() || this.holdsLeavers) {
      fail('LOST', 'frames were lost while subscriptions changed; connect again');
    }
    // Asked for already, or not told yet where the session stands.
    if (!this.position) return;
    this.position = undefined;
    this.telemetry.gaps++;
    this.isDegraded = true;
    for (const mirror of this.mirrors.values()) this.setState(mirror, 'syncing');
    this.events.push({ type: 'gap' });
    this.messages.push(resync([], 'GAP', this.complete ?? 0));
  }

  private applyPieces(frame: Frame): void {
    // What does not fit is told before what does.
    const events: SessionEvent[] = [];
    for (const piece of frame.pieces) this.apply(piece, frame, events);
    for (const event of events) this.events.push(event);
  }

  private apply(piece: Piece, frame: Frame, events: SessionEvent[]): void {
    const { kind, market: number } = piece;
    const isSnapshot = kind === PieceKind.Snapshot;
    const { changes, telemetry } = this;
    const { reader } = frame;
    let mirror = this.mirrors.get(number);
    // Asked for already; nothing that comes before the snapshot can be used.
    if (!isSnapshot && this.awaited.has(number)) return;
    const target = isSnapshot ? new Mirror(number) : mirror;
    if (!target) {
      this.resync(number, 'UNKNOWN_MARKET');
      return;
    }
    if (!this.keepsChanges || changes.length > CHANGES_KEPT) changes.reset();
    changes.cleared = 0;
    const from = changes.length;
    const held = target.revision;
    const before = mirror?.status();
    reader.isStrict = true;
    reader.pos = piece.start;
    reader.end = piece.end;
    try {
      const definition = frame.definitions.get(number);
      const { position, frameTime, encoding } = this;
      if (!applyPiece(target, kind, reader, definition, position?.revision ?? 0, frameTime, encoding, changes)) return;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      telemetry.piecesUnreadable++;
      this.pieceFailed(number, error, isSnapshot);
      return;
    }
    const cells = changes.length - from - changes.cleared;
    telemetry.cells += cells;
    if (isSnapshot) {
      if (mirror) {
        if (mirror.id !== target.id && this.byId.get(mirror.id) === mirror) this.byId.delete(mirror.id);
        mirror.become(target);
      } else {
        mirror = target;
        this.mirrors.set(number, mirror);
      }
      this.byId.set(mirror.id, mirror);
      this.awaited.delete(number);
      this.setState(mirror, 'syncing');
      this.isUnsettled = true;
      telemetry.snapshots++;
    }
    mirror = mirror!;
    mirror.connection = telemetry.connections;
    if (frame.definitions.has(number)) mirror.subscribers = undefined;
    this.touch(mirror);
    const market = this.handle(mirror);
    const { revision } = mirror;
    const status = mirror.status();
    let isTold = false;
    for (const [, , revision = 0, code = 0] of (!isSnapshot && frame.edges.get(number)) || []) {
      if (revision <= held) continue;
      isTold = true;
      events.push({ type: 'status', market, revision, status: statusOf(code) });
    }
    if (before !== undefined && before !== status && !isTold) events.push({ type: 'status', market, revision, status });
    if (isSnapshot) {
      events.push({ type: 'snapshot', market });
    } else {
      const code = frame.fields[16] ?? 0;
      if (code === 2) telemetry.conflatedSlow++;
      const conflated = CONFLATIONS[code] ?? 'NONE';
      events.push({ type: 'changed', market, cells, conflated, from, to: changes.length });
    }
  }

  private pieceFailed(number: number, error: ProtocolError, isSnapshot: boolean): void {
    const unreadable = isSnapshot ? (this.awaited.get(number) ?? 0) + 1 : 0;
    if (unreadable >= UNREADABLE_MAX) {
      this.awaited.set(number, unreadable);
      this.events.push({ type: 'abandoned', number });
      return;
    }
    this.resync(number, error.name === 'UNKNOWN_MARKET' ? 'UNKNOWN_MARKET' : 'MALFORMED');
    this.awaited.set(number, unreadable);
  }

  private resync(number: number, reason: ResyncReason): void {
    const mirror = this.mirrors.get(number);
    if (mirror) this.setState(mirror, 'syncing');
    this.awaited.set(number, 0);
    this.events.push({ type: 'resyncing', number, reason });
    if (this.resyncs.length === 0) this.resyncReason = reason;
    this.resyncs.push(number);
  }

  /** One message per frame, however many markets did not fit. */
  private sendResyncs(): void {
    const { resyncs } = this;
    for (let at = 0; at < resyncs.length; at += RESYNC_MARKETS_MAX) {
      this.messages.push(resync(resyncs.slice(at, at + RESYNC_MARKETS_MAX), this.resyncReason));
    }
    this.resyncs.length = 0;
  }

  /** A cursor was reached: what has arrived is complete. */
  private settle(nowMs: number, revision: number): void {
    this.resumable = revision;
    const { liveMs } = this;
    this.liveMs = nowMs;
    if (!this.isUnsettled) return;
    this.isUnsettled = false;
    let isSettled = false;
    for (const subscription of this.subscriptions.values()) {
      isSettled ||= !subscription.isSynced;
      subscription.isSynced = true;
    }
    for (const mirror of this.mirrors.values()) {
      if (mirror.state === 'live' || this.awaited.has(mirror.number)) continue;
      this.setState(mirror, 'live');
      isSettled = true;
    }
    this.isUnsettled = false;
    if (this.isDegraded) this.telemetry.stalenessMs.add(nowMs - liveMs);
    this.isDegraded = false;
    if (isSettled) this.events.push({ type: 'synced', revision });
  }

  private checkDigest([, number = 0, digest = '0'.repeat(16)]: Values): void {
    if (this.awaited.has(number)) return;
    const mirror = this.mirrors.get(number);
    if (!mirror) {
      // The gateway follows it for this session, so the frame that brought it was lost.
      this.resync(number, 'UNKNOWN_MARKET');
      return;
    }
    const held = digestOf(mirror);
    if (held === undefined) return;
    this.telemetry.digestsChecked++;
    if (held !== digest) {
      this.telemetry.digestMismatches++;
      this.resync(number, 'DIGEST');
    }
  }

  private remove(number: number): void {
    this.awaited.delete(number);
    const mirror = this.mirrors.get(number);
    if (!mirror) return;
    this.mirrors.delete(number);
    // The feed may offer the market again, under a new number that is here already.
    if (this.byId.get(mirror.id) === mirror) this.byId.delete(mirror.id);
    // Whoever still reads it must not take it for live.
    this.setState(mirror, 'stale');
    this.events.push({ type: 'removed', market: this.handle(mirror) });
  }

  private dropEverything(): void {
    this.resumable = undefined;
    this.complete = undefined;
    this.awaited.clear();
    for (const number of [...this.mirrors.keys()].sort((a, b) => a - b)) this.remove(number);
    for (const subscription of this.subscriptions.values()) subscription.isSynced = false;
    this.isUnsettled = true;
  }

  private goStale(): void {
    for (const mirror of this.mirrors.values()) {
      if (mirror.state !== 'live') continue;
      this.isDegraded = true;
      this.setState(mirror, 'stale');
    }
  }

  private forgetConnection(): void {
    this.joined = [];
    this.position = undefined;
    this.messages = [];
    this.resyncs.length = 0;
  }

  private subscriptionsChanged(): void {
    this.isUnsettled = true;
    for (const mirror of this.mirrors.values()) mirror.subscribers = undefined;
  }

  private setState(mirror: Mirror, state: Mirror['state']): void {
    mirror.state = state;
    if (state !== 'live') this.isUnsettled = true;
    this.touch(mirror);
  }

  private touch(mirror: Mirror): void {
    mirror.version++;
    this.touched.add(mirror);
  }
}

function keyOf({ topics, view, rateMs }: SubscriptionRequest): string {
  return JSON.stringify([topics, view, rateMs]);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
