import { Changes } from './changes.js';
import { type Cursor, hello, resync, type ResyncReason, subscribe, type SubscriptionRequest, telemetry, unsubscribe } from './client-message.js';
import { resume } from './compact/coder.js';
import { type Lead, readLead } from './compact/lead.js';
import { type Model, readModel, shippedModel } from './compact/model.js';
import { digestOf } from './digest.js';
import { fail, ProtocolError } from './error.js';
import { CONFLATIONS, RESUMES, type SessionEvent } from './event.js';
import { COMPACT, type Frame, FRAME_BYTES_MAX, FRAMES_JOINED_MAX, PieceKind, readFrame } from './frame.js';
import { Market } from './market.js';
import type { Values } from './message.js';
import { type MarketState, Mirror, statusOf } from './mirror.js';
import { applyPiece } from './piece.js';
import { type Figures, figures, freshFigures, Telemetry } from './telemetry.js';
import { names } from './topic.js';

/** How long prices are trusted, in heartbeat intervals [STALE-1]. */
const STALE_AFTER_INTERVALS = 2.5;
/** Until the gateway says otherwise. */
const HEARTBEAT_INTERVAL_MS = 1000;
/** Most markets of one resync [SYNC-3]. */
const RESYNC_MARKETS_MAX = 512;
/** Snapshots in a row that may be unreadable [SYNC-5]. */
const UNREADABLE_MAX = 3;
/** At how many heartbeats in a row something may be unanswered; at every second one before, it is asked for again [SYNC-7]. */
const HEARTBEATS_UNANSWERED_MAX = 6;
/** Error code of an answer to an unsubscribe of a subscription that is ended. */
const UNKNOWN_SUBSCRIPTION = 11;
/** Error code of an answer to a report that is not counted. */
export const TELEMETRY_REFUSED = 14;
/** Cells of a frame that are kept for those who look on. A fuller frame tells how many there were, and not which. */
const CHANGES_KEPT = 65_536;
/** Numbers of encodings. */
const PLAIN_ENCODING = 1;
const COMPACT_ENCODING = 2;
/** What a missing fixed64 field reads as. */
const ZERO_64 = '0000000000000000';

/** Where a session stands. */
export type Connection = 'disconnected' | 'greeting' | 'established';

/** An interest, and what became of it. */
export interface SubscriptionState {
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
  /** Whether the gateway may send the compact encoding, which it does unless this says `false`. */
  readonly compact?: boolean;
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
  /** Markets that have changed, in cells or state, since the last frame began or somebody emptied this. */
  readonly touched = new Set<Mirror>();
  /** The model of compact pieces: the shipped one, or what a gateway has sent. */
  model = shippedModel();
  /** Grows whenever markets come or go, or other subscriptions name them. */
  membership = 0;
  readonly mirrors = new Map<number, Mirror>();
  readonly subscriptions = new Map<number, SubscriptionState>();

  readonly #config: SessionConfig;
  readonly #byId = new Map<string, Mirror>();
  #epoch: string | undefined;
  /** From where the session can resume: every subscription was complete there. */
  #resumable: number | undefined;
  /** What was received is complete up to here, whatever subscribes are on their way. */
  #complete: number | undefined;
  /** Revision and sequence of the last frame in the chain, once the gateway has said where the session stands. */
  #revision = 0;
  #sequence: number | undefined;
  /** The producers' clock in that frame, in steps of 10 ms. */
  #frameTime = 0;
  /** A subscription was resumed on this connection. */
  #isResumed = false;
  #joined: Uint8Array[] = [];
  #heartbeatIntervalMs = HEARTBEAT_INTERVAL_MS;
  #heardMs = 0;
  #isStale = false;
  /** When the quietest producer vouched for its prices, by this client's clock. */
  #vouchedMs: number | undefined;
  /** This client's clock minus the gateway's, and the shortest way that a heartbeat took. */
  #clockOffsetMs = Infinity;
  /** When everything was live last, and whether prices have stopped being live since. */
  #liveMs = 0;
  #isDegraded = false;
  /** Unsubscribes sent on this connection that the gateway has not answered. */
  #unsubscribing = 0;
  /** Markets may be held that no subscription names any more; the gateway has not said yet which. */
  #holdsLeavers = false;
  /** A subscription was answered, and where the session stands with it has not been said [SUB-3]. */
  #awaitsPosition = false;
  /** Heartbeats since the last answer, while something is unanswered. */
  #heartbeatsUnanswered = 0;
  /** Some market or subscription is not live that may be when the cursor moves. */
  #isUnsettled = false;
  /** Requests that made what is held, in another page, and have not been made here. */
  readonly #unclaimed = new Set<string>();
  /** Markets whose snapshot was asked for, and how many in a row could not be read. */
  readonly #awaited = new Map<number, number>();
  /** Markets to ask for at the end of the frame, and why the first of them. */
  #resyncs: number[] = [];
  #resyncReason: ResyncReason = 'UNSPECIFIED';
  /** What was reported, and whether the gateway of this connection wants no reports. */
  #reported: Figures | undefined;
  #isReportRefused = false;
  #messages: Uint8Array[] = [];
  #events: SessionEvent[] = [];

  constructor(config: SessionConfig) {
    this.#config = config;
  }

  /** Subscribes, now or as soon as there is a connection. A number in use is replaced. Numbers begin at 1. */
  subscribe(number: number, request: SubscriptionRequest): void {
    const message = subscribe(number, request);
    const held = this.subscriptions.get(number);
    const isReplaced = held && JSON.stringify(held.request) !== JSON.stringify(request);
    let unanswered = held?.unanswered ?? 0;
    if (this.connection !== 'disconnected') {
      if (isReplaced) this.#holdsLeavers = true;
      unanswered++;
      this.#messages.push(message);
    } else if (isReplaced) {
      // Which markets belonged to the old request alone is not known here.
      this.#dropEverything();
    }
    // What was held in another page is held by this subscription now.
    const isSynced = this.#unclaimed.delete(JSON.stringify(request));
    this.subscriptions.set(number, { request, isSynced, unanswered });
    this.#isUnsettled = true;
    this.#subscriptionsChanged();
  }

  /** Ends a subscription; its markets leave when the gateway says so. */
  unsubscribe(number: number): void {
    if (!this.subscriptions.delete(number)) return;
    this.#subscriptionsChanged();
    if (this.connection === 'disconnected') {
      this.#dropEverything();
    } else {
      this.#unsubscribing++;
      this.#holdsLeavers = true;
      this.#messages.push(unsubscribe(number));
    }
  }

  /**
   * Takes what another session held at a cursor. It is dropped on connecting, unless all that it had subscribed to has
   * been subscribed to again by then: in which view the gateway would follow it is not known otherwise [RES-1].
   */
  resumeFrom(cursor: Cursor, requests: readonly SubscriptionRequest[], mirrors: readonly Mirror[], ageMs?: number): void {
    this.#epoch = cursor.epoch;
    this.#resumable = cursor.revision;
    this.#vouchedMs = ageMs === undefined ? undefined : this.#config.clock() - ageMs;
    for (const request of requests) this.#unclaimed.add(JSON.stringify(request));
    this.membership++;
    for (const mirror of mirrors) {
      this.mirrors.set(mirror.number, mirror);
      this.#byId.set(mirror.id, mirror);
    }
  }

  /** Whether a cursor vouches for everything that is held. */
  get isResumable(): boolean {
    const isSynced = [...this.subscriptions.values()].every((subscription) => subscription.isSynced);
    return isSynced && this.#awaited.size === 0 && !this.#holdsLeavers && this.cursor !== undefined;
  }

  /** A transport is there: says hello, with an access token where the gateway asks for one. */
  connected(nowMs: number, token = ''): void {
    const subscriptions = [...this.subscriptions];
    const isResumable = this.cursor && subscriptions.some(([, { isSynced }]) => isSynced);
    if (this.#holdsLeavers || !isResumable || this.#unclaimed.size > 0 || this.#awaited.size > RESYNC_MARKETS_MAX) {
      // A gateway that never heard of the leavers would not say that they left; neither would one that is given no
      // cursor. And more markets than one resync may name are sooner subscribed to afresh.
      this.#dropEverything();
    }
    this.#forgetConnection();
    this.#holdsLeavers = this.#isStale = this.#isResumed = this.#isReportRefused = false;
    this.#unsubscribing = 0;
    this.#clockOffsetMs = Infinity;
    this.#complete = this.#resumable;
    this.#heardMs = nowMs;
    this.connection = 'greeting';
    this.telemetry.connections++;
    const { agent, compact = true } = this.#config;
    this.#messages.push(compact ? hello(agent, [COMPACT_ENCODING, PLAIN_ENCODING], token, [this.model.id]) : hello(agent, [PLAIN_ENCODING], token));
    // The gateway answers in order, so there is no need to wait for the welcome: one round trip less. What the cursor's
    // epoch is worth is the gateway's to say.
    for (const [number, subscription] of subscriptions) {
      subscription.unanswered = 1;
      this.#messages.push(subscribe(number, subscription.request, subscription.isSynced ? this.cursor : undefined));
    }
    const awaited = [...this.#awaited.keys()];
    for (const number of awaited) this.#awaited.set(number, 0);
    if (awaited.length > 0) this.#messages.push(resync(awaited, 'UNSPECIFIED'));
  }

  /** The transport is gone. What is held stays, and is stale until it has been caught up [RECON-2]. */
  disconnected(): void {
    this.connection = 'disconnected';
    this.#forgetConnection();
    for (const subscription of this.subscriptions.values()) subscription.unanswered = 0;
    this.#goStale();
  }

  /** Takes one frame: all of it, or what does not fit is asked for again. Throws when the connection must be given up. */
  handleFrame(nowMs: number, bytes: Uint8Array): void {
    if (this.connection === 'disconnected') fail('NOT_CONNECTED');
    try {
      this.#takeFrame(nowMs, bytes);
    } catch (error) {
      this.telemetry.framesRefused++;
      throw error;
    }
  }

  #takeFrame(nowMs: number, bytes: Uint8Array): void {
    if (bytes.length > FRAME_BYTES_MAX) fail('FRAME_TOO_LONG', `${bytes.length} bytes, more than ${FRAME_BYTES_MAX}`);
    let frame = readFrame(bytes);
    this.#heardMs = nowMs;
    this.#isStale = false;
    this.telemetry.bytes += bytes.length;
    this.changes.reset();
    this.touched.clear();
    const isMore = frame.fields[17];
    if (isMore || this.#joined.length > 0) this.#joined.push(bytes);
    if (isMore) {
      if (this.#joined.length >= FRAMES_JOINED_MAX) fail('TOO_MANY_JOINED');
      return;
    }
    if (this.#joined.length > 0) frame = readFrame(join(this.#joined.splice(0)));
    this.telemetry.frames++;
    this.#applyFrame(nowMs, frame);
  }

  /** When {@link handleTimeout} wants to be called, if at all. */
  get timeoutMs(): number | undefined {
    return this.connection === 'disconnected' || this.#isStale ? undefined : this.#heardMs + this.staleAfterMs + 1;
  }

  /** The time has come. Returns whether the transport should be given up: the gateway has been silent for too long. */
  handleTimeout(nowMs: number): boolean {
    if (this.connection === 'disconnected' || !this.isSilent(nowMs)) return false;
    if (!this.#isStale) {
      this.#isStale = true;
      this.telemetry.stale++;
      this.#goStale();
      this.#events.push({ type: 'stale' });
    }
    return true;
  }

  /** Tells the gateway what was seen since the last report, if anything was and the gateway hears it. */
  report(): void {
    if (this.connection !== 'established' || this.#isReportRefused) return;
    const seen = figures(this.telemetry);
    const fresh = freshFigures(seen, this.#reported);
    if (!fresh.some((counts) => counts.some(Boolean))) return;
    this.#reported = seen.map((counts, field) => counts.map((_, at) => (this.#reported?.[field]![at] ?? 0) + fresh[field]![at]!));
    this.#messages.push(telemetry(fresh));
  }

  /** How long the gateway may be silent. */
  get staleAfterMs(): number {
    return this.#heartbeatIntervalMs * STALE_AFTER_INTERVALS;
  }

  /** From where the session can resume. */
  get cursor(): Cursor | undefined {
    return this.#epoch && this.#resumable !== undefined ? { epoch: this.#epoch, revision: this.#resumable } : undefined;
  }

  /** Whether everything subscribed to is complete and live. */
  get isSynced(): boolean {
    if (this.connection !== 'established' || this.#isStale) return false;
    // Looking at everything is for the time in which something is on its way.
    if (!this.#isUnsettled && this.#awaited.size === 0) return true;
    for (const { isSynced, unanswered } of this.subscriptions.values()) if (!isSynced || unanswered) return false;
    for (const { state } of this.mirrors.values()) if (state !== 'live') return false;
    return true;
  }

  /** A market by id, if it is held, and if the topics of the subscription name it, where one is given. */
  market(id: string, subscription?: number): Market | undefined {
    const mirror = this.#byId.get(id);
    return mirror && this.#isNamed(mirror, subscription) ? this.marketOf(mirror) : undefined;
  }

  /** All markets held, or those that the topics of one subscription name. */
  markets(subscription?: number): Market[] {
    return [...this.mirrors.values()]
      .filter((mirror) => this.#isNamed(mirror, subscription))
      .map((mirror) => this.marketOf(mirror));
  }

  #isNamed(mirror: Mirror, subscription: number | undefined): boolean {
    return subscription === undefined || this.subscribersOf(mirror).includes(subscription);
  }

  /** Messages to send, in order. */
  takeMessages(): Uint8Array[] {
    return this.#messages.length > 0 ? this.#messages.splice(0) : [];
  }

  /** What has happened, in order. */
  takeEvents(): SessionEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Whether nothing was heard for so long that prices must not be trusted; judged when something is read [STALE-2]. */
  isSilent(nowMs = this.#config.clock()): boolean {
    return nowMs - this.#heardMs > this.staleAfterMs;
  }

  /** How long ago the quietest producer vouched for its prices, in milliseconds, if anybody said. */
  get ageMs(): number | undefined {
    return this.#vouchedMs === undefined ? undefined : this.#config.clock() - this.#vouchedMs;
  }

  /** Numbers of the subscriptions that name a market. */
  subscribersOf(mirror: Mirror): readonly number[] {
    return (mirror.subscribers ??= [...this.subscriptions]
      .filter(([, { request }]) => names(request.topics, mirror))
      .map(([number]) => number));
  }

  /** Whether a market's rungs hold amounts of money, and not only the word that they are there [VIEW-2]. */
  showsAmounts(mirror: Mirror): boolean {
    return this.subscribersOf(mirror).some((number) => {
      const { isSynced, request } = this.subscriptions.get(number)!;
      return isSynced && !request.view.includes('prices');
    });
  }

  /** What people read a mirror through. */
  marketOf(mirror: Mirror): Market {
    return (mirror.market ??= new Market(mirror, this));
  }

  #applyFrame(nowMs: number, frame: Frame): void {
    const { fields, pieces } = frame;
    const heartbeat: Values | undefined = fields[2]?.[0];
    const error: Values | undefined = fields[25]?.[0];
    const drain: Values | undefined = fields[26]?.[0];
    const position: Values | undefined = fields[8]?.[0];
    if (fields[1]) this.#welcomed(fields[1][0], frame);
    if (error) this.#refused(error);
    if (drain) this.#events.push({ type: 'drain', reconnectAfterMs: drain[1] ?? 0 });
    if (this.connection !== 'established') {
      // A gateway that is going away says so to those it has not greeted yet, too.
      if (error || drain) return;
      fail('NOT_WELCOMED');
    }
    if (fields[24]) this.#subscribed(fields[24][0]);
    const lead = readLead(this.model, frame);
    // A frame about the only market held does not fit a receiver who holds several.
    if ((lead?.market === undefined && lead && this.mirrors.size !== 1) || !this.#follows(fields, heartbeat, position, lead)) {
      this.#lost(position);
      return;
    }
    for (const number of fields[20] ?? NONE) this.#remove(number);
    if (pieces.length > 0 || lead) this.#applyPieces(frame, lead);
    const isAnswered = this.#isAnswered();
    // The catch-up has named what left.
    if (position && isAnswered) this.#holdsLeavers = false;
    if (heartbeat) {
      this.#vouchedMs = heartbeat[2] === undefined ? undefined : nowMs - heartbeat[2];
      this.#clockOffsetMs = Math.min(this.#clockOffsetMs, nowMs - (heartbeat[3] ?? 0));
      this.#askAgain();
    }
    const isAdvanced = lead !== undefined || fields[6] !== undefined;
    if ((pieces.length > 0 || lead) && isAdvanced && this.#clockOffsetMs < Infinity) {
      this.telemetry.applyDelayMs.add(nowMs - this.#clockOffsetMs - 10 * this.#frameTime);
    }
    const reached = fields[7] ?? (isAdvanced ? this.#revision : (position ?? heartbeat)?.[1]);
    // Without a position nothing is known to be complete: the gateway has not said where the session stands, or frames
    // were lost and the catch-up is on its way.
    if (this.#sequence !== undefined && reached !== undefined) {
      this.#complete = reached;
      // What the gateway says before it has answered every subscribe is not about everything that is held.
      if (isAnswered) this.#settle(nowMs, reached);
    }
    // Until the last subscribe is answered, the gateway may follow a market in a narrower view than is held; and after a
    // gap it is ahead of what is held [SYNC-2].
    if (isAnswered && this.#sequence !== undefined && fields[19]) {
      // Each market once, however often it is named.
      for (const [number, [digest]] of byMarket(fields[19])!) this.#checkDigest(number, digest?.[2]);
    }
    // One message per frame and 512 markets, however many did not fit.
    while (this.#resyncs.length > 0) {
      this.#messages.push(resync(this.#resyncs.splice(0, RESYNC_MARKETS_MAX), this.#resyncReason));
    }
  }

  #welcomed([, epoch = ZERO_64, , encoding, intervalMs, session = '', id = 0, places = [0, 0]]: Values, { reader }: Frame): void {
    if (encoding === COMPACT_ENCODING && id !== this.model.id) {
      const model = readModel(reader.bytes.subarray(places[places.length - 2], places[places.length - 1]));
      if (model.id !== id) fail('MODEL', 'the model is not the one that was named');
      this.model = model;
    }
    if (this.#epoch && this.#epoch !== epoch) {
      // Numbers mean something else now: nothing of the old log may be shown.
      this.telemetry.epochsChanged++;
      this.#dropEverything();
    }
    this.#epoch = epoch;
    this.connection = 'established';
    if (intervalMs) this.#heartbeatIntervalMs = intervalMs;
    this.#events.push({ type: 'welcomed', epoch, session });
  }

  /**
   * A request was refused. A refused subscription must not keep the others from being complete; but the number may have
   * been used again since, and then the later request is not answered yet.
   */
  #refused([, code = 0, message = '', subscription = 0]: Values): void {
    this.#events.push({ type: 'refused', code, message, subscription });
    if (code === TELEMETRY_REFUSED) this.#isReportRefused = true;
    else if (code === UNKNOWN_SUBSCRIPTION) this.#unsubscribeAnswered();
    else if (this.#subscribeAnswered(subscription)?.unanswered === 0) {
      this.subscriptions.delete(subscription);
      this.#subscriptionsChanged();
    }
  }

  #subscribed([, subscription = 0, rateMs = 0, markets = 0, code, isEnded]: Values): void {
    this.#awaitsPosition = true;
    this.#heartbeatsUnanswered = 0;
    if (isEnded) {
      this.#unsubscribeAnswered();
      return;
    }
    const resume = RESUMES[code ?? 0] ?? 'FRESH';
    const held = this.#subscribeAnswered(subscription);
    if (held) held.isSynced = false;
    this.#isUnsettled = true;
    if (resume === 'TOO_OLD') {
      // The horizon has passed the cursor between two answers. What the first one vouched for cannot be told from what
      // nobody vouches for, so all of it is asked for together.
      if (this.#isResumed) fail('LOST');
      // Whatever this connection has not sent again may be gone.
      for (const { number, connection } of this.mirrors.values()) {
        if (connection !== this.telemetry.connections) this.#remove(number);
      }
    } else if (resume === 'CAUGHT_UP') {
      this.#isResumed = true;
      this.telemetry.resumes++;
    }
    this.#events.push({ type: 'subscribed', subscription, rateMs, markets, resume });
  }

  #subscribeAnswered(number: number): SubscriptionState | undefined {
    const subscription = this.subscriptions.get(number);
    if (subscription?.unanswered) subscription.unanswered--;
    return subscription;
  }

  #unsubscribeAnswered(): void {
    if (this.#unsubscribing) this.#unsubscribing--;
  }

  /** Whether the gateway has answered every subscribe and unsubscribe of this connection. */
  #isAnswered(): boolean {
    let unanswered = this.#unsubscribing;
    // What has settled was answered.
    if (!this.#isUnsettled) return unanswered === 0;
    for (const subscription of this.subscriptions.values()) unanswered += subscription.unanswered;
    return unanswered === 0;
  }

  /** Moves the session's position, or finds that the frame does not follow what was received before. */
  #follows(fields: Values, heartbeat: Values | undefined, position: Values | undefined, lead: Lead | undefined): boolean {
    if (position) {
      const [, revision = 0, sequence = 0, since = 0, time = 0] = position;
      this.#revision = revision;
      this.#sequence = sequence;
      this.#frameTime = time;
      this.#awaitsPosition = false;
      this.#heartbeatsUnanswered = 0;
      // A catch-up stands on its own, if it begins no later than where this session ends.
      return since === 0 || (this.#complete ?? -1) >= since;
    }
    const advance: number | undefined = lead ? lead.advance : fields[6];
    // The catch-up of a subscription would have come first.
    if (this.#awaitsPosition && this.subscriptions.size > 0 && (heartbeat || advance !== undefined)) return false;
    if (advance !== undefined) {
      if (this.#sequence === undefined || (this.#sequence + 1) % 4 !== advance % 4) return false;
      this.#sequence = (this.#sequence + 1) >>> 0;
      this.#revision += lead ? lead.step : (fields[13] ?? 1);
      this.#frameTime += Math.floor(advance / 4);
    }
    return !heartbeat || this.#sequence === undefined || (heartbeat[4] ?? 0) === this.#sequence;
  }

  /**
   * Frames were lost: what is held is right as of the cursor, so everything since then is asked for.
   *
   * Where the gateway may follow the markets in other views than this session knows of, a catch-up would not be in the
   * view that is held: then only a new connection helps, on which every subscription is named again.
   */
  #lost(position: Values | undefined): void {
    if (position || !this.#isAnswered() || this.#awaitsPosition || this.#holdsLeavers) fail('LOST');
    // Asked for already, or not told yet where the session stands.
    if (this.#sequence === undefined) return;
    this.#sequence = undefined;
    this.#isDegraded = true;
    this.telemetry.gaps++;
    for (const mirror of this.mirrors.values()) this.#setState(mirror, 'syncing');
    this.#events.push({ type: 'gap' });
    this.#askForCatchUp();
  }

  #askForCatchUp(): void {
    this.#messages.push(resync([], 'GAP', this.#complete ?? 0));
  }

  /** One heartbeat may cross a request; who hears the second one asks again, because the answer would have come before it. */
  #askAgain(): void {
    const awaited = [...this.#awaited.keys()].filter((number) => this.#awaited.get(number)! < UNREADABLE_MAX);
    const isGap = this.#sequence === undefined && this.subscriptions.size > 0;
    const isAnswered = this.#isAnswered();
    if (isAnswered && !isGap && awaited.length === 0) this.#heartbeatsUnanswered = 0;
    else if (++this.#heartbeatsUnanswered === HEARTBEATS_UNANSWERED_MAX) fail('LOST');
    else if (isAnswered && this.#heartbeatsUnanswered % 2 === 0) {
      if (isGap) this.#askForCatchUp();
      this.#resyncs = awaited;
      this.#resyncReason = 'UNSPECIFIED';
    }
  }

  #applyPieces(frame: Frame, lead: Lead | undefined): void {
    const { pieces, fields } = frame;
    const definitions = byMarket(fields[9]);
    const edges = byMarket(fields[18]);
    // What does not fit is told before what does.
    const events: SessionEvent[] = [];
    for (let at = 0; at < pieces.length; at += 4) {
      const number = pieces[at + 1]!;
      frame.reader.pos = pieces[at + 2]!;
      frame.reader.end = pieces[at + 3]!;
      this.#applyPiece(pieces[at]!, number, frame, this.model, definitions?.get(number)?.[0], edges?.get(number) ?? NONE, events);
    }
    const number = lead && (lead.market ?? this.mirrors.keys().next().value);
    if (number !== undefined) {
      // Goes on behind the head.
      resume(lead!.bytes, lead!.state, lead!.pos, lead!.end);
      this.#applyPiece(COMPACT + PieceKind.Delta, number, frame, undefined, undefined, edges?.get(number) ?? NONE, events);
    }
    for (const event of events) this.#events.push(event);
  }

  #applyPiece(
    kind: number,
    number: number,
    { reader, fields }: Frame,
    model: Model | undefined,
    definition: Values | undefined,
    edges: readonly Values[],
    events: SessionEvent[],
  ): void {
    const isSnapshot = (kind & 3) === PieceKind.Snapshot;
    const { changes, telemetry } = this;
    // Asked for already; nothing that comes before the snapshot can be used.
    if (!isSnapshot && this.#awaited.has(number)) return;
    const held = this.mirrors.get(number);
    let mirror = isSnapshot ? new Mirror(number) : held;
    if (!this.keepsChanges || changes.length > CHANGES_KEPT) changes.length = 0;
    changes.cleared = 0;
    const from = changes.length;
    const before = held?.status();
    const since = held?.revision ?? 0;
    try {
      if (!mirror) fail('UNKNOWN_MARKET');
      if (!applyPiece(mirror, kind, reader, definition, this.#revision, this.#frameTime, model, changes)) return;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#pieceFailed(number, error, isSnapshot);
      return;
    }
    const to = changes.length;
    const cells = to - from - changes.cleared;
    telemetry.cells += cells;
    if (isSnapshot) {
      telemetry.snapshots++;
      if (held) {
        if (held.id !== mirror.id) this.#forgetId(held);
        held.become(mirror);
        mirror = held;
      }
      this.mirrors.set(number, mirror);
      this.#byId.set(mirror.id, mirror);
      this.#awaited.delete(number);
      mirror.state = 'syncing';
      this.#isUnsettled = true;
    }
    mirror.connection = telemetry.connections;
    if (definition) {
      mirror.subscribers = undefined;
      this.membership++;
    }
    this.#touch(mirror);
    const market = this.marketOf(mirror);
    const status = mirror.status();
    let isTold = isSnapshot && before === undefined;
    for (const [, , revision = 0, code = 0] of isSnapshot ? NONE : edges) {
      if (revision <= since) continue;
      isTold = true;
      events.push({ type: 'status', market, revision, status: statusOf(code) });
    }
    if (!isTold && before !== status) events.push({ type: 'status', market, revision: mirror.revision, status });
    if (isSnapshot) {
      events.push({ type: 'snapshot', market });
    } else {
      const conflated = CONFLATIONS[fields[16] ?? 0] ?? 'NONE';
      if (conflated === 'RECEIVER_SLOW') telemetry.conflatedSlow++;
      events.push({ type: 'changed', market, cells, conflated, from, to });
    }
  }

  #pieceFailed(number: number, { name }: ProtocolError, isSnapshot: boolean): void {
    this.telemetry.piecesUnreadable++;
    const unreadable = isSnapshot ? (this.#awaited.get(number) ?? 0) + 1 : 0;
    if (unreadable < UNREADABLE_MAX) this.#resync(number, name === 'UNKNOWN_MARKET' ? name : 'MALFORMED');
    else this.#events.push({ type: 'abandoned', number });
    this.#awaited.set(number, unreadable);
  }

  #resync(number: number, reason: ResyncReason): void {
    const mirror = this.mirrors.get(number);
    if (mirror) this.#setState(mirror, 'syncing');
    this.#awaited.set(number, 0);
    this.telemetry.resyncs++;
    this.#events.push({ type: 'resyncing', number, reason });
    if (this.#resyncs.push(number) === 1) this.#resyncReason = reason;
  }

  /** A cursor was reached: what has arrived is complete. */
  #settle(nowMs: number, revision: number): void {
    this.#resumable = revision;
    const { telemetry } = this;
    if (this.#isUnsettled) {
      let isSettled = false;
      for (const subscription of this.subscriptions.values()) {
        isSettled ||= !subscription.isSynced;
        subscription.isSynced = true;
      }
      for (const mirror of this.mirrors.values()) {
        if (mirror.state === 'live' || this.#awaited.has(mirror.number)) continue;
        this.#setState(mirror, 'live');
        isSettled = true;
      }
      this.#isUnsettled = false;
      if (isSettled) this.#events.push({ type: 'synced', revision });
      if (this.#isDegraded) telemetry.stalenessMs.add(nowMs - this.#liveMs);
      this.#isDegraded = false;
    }
    this.#liveMs = nowMs;
  }

  #checkDigest(number: number, digest = ZERO_64): void {
    if (this.#awaited.has(number)) return;
    const mirror = this.mirrors.get(number);
    if (!mirror) {
      // The gateway follows it for this session, so the frame that brought it was lost.
      this.#resync(number, 'UNKNOWN_MARKET');
      return;
    }
    const held = digestOf(mirror);
    if (!held) return;
    this.telemetry.digestsChecked++;
    if (held !== digest) {
      this.telemetry.digestMismatches++;
      this.#resync(number, 'DIGEST');
    }
  }

  #remove(number: number): void {
    this.#awaited.delete(number);
    const mirror = this.mirrors.get(number);
    if (!mirror) return;
    this.mirrors.delete(number);
    this.membership++;
    this.#forgetId(mirror);
    // Whoever still reads it must not take it for live.
    mirror.state = 'stale';
    this.#touch(mirror);
    this.#events.push({ type: 'removed', market: this.marketOf(mirror) });
  }

  /** The feed may offer a market again, under a new number that is here already. */
  #forgetId(mirror: Mirror): void {
    if (this.#byId.get(mirror.id) === mirror) this.#byId.delete(mirror.id);
  }

  #dropEverything(): void {
    this.#resumable = this.#complete = undefined;
    this.#unclaimed.clear();
    this.#awaited.clear();
    for (const number of [...this.mirrors.keys()].sort((a, b) => a - b)) this.#remove(number);
    for (const subscription of this.subscriptions.values()) subscription.isSynced = false;
    this.#isUnsettled = true;
  }

  #goStale(): void {
    for (const mirror of this.mirrors.values()) {
      if (mirror.state !== 'live') continue;
      this.#isDegraded = true;
      this.#setState(mirror, 'stale');
    }
  }

  #forgetConnection(): void {
    this.#joined = [];
    this.#sequence = undefined;
    this.#messages = [];
    this.#resyncs = [];
    this.#awaitsPosition = false;
  }

  #subscriptionsChanged(): void {
    this.membership++;
    for (const mirror of this.mirrors.values()) mirror.subscribers = undefined;
  }

  #setState(mirror: Mirror, state: MarketState): void {
    mirror.state = state;
    if (state !== 'live') this.#isUnsettled = true;
    this.#touch(mirror);
  }

  #touch(mirror: Mirror): void {
    mirror.version++;
    this.touched.add(mirror);
  }
}

/** What a missing list reads as. */
const NONE: Values = [];

/** Groups messages by their first field, which is a market's number. */
function byMarket(messages: Values | undefined): Map<number, Values[]> | undefined {
  if (!messages) return undefined;
  const groups = new Map<number, Values[]>();
  for (const message of messages) {
    const group = groups.get(message[1] ?? 0);
    if (group) group.push(message);
    else groups.set(message[1] ?? 0, [message]);
  }
  return groups;
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
