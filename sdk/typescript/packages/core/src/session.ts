import { Changes } from './changes.js';
import { type Cursor, hello, resync, type ResyncReason, subscribe, type SubscriptionRequest, telemetry, unsubscribe } from './client-message.js';
import { resume } from './compact/coder.js';
import { type Lead, readLead } from './compact/lead.js';
import { type Model, readModel, shippedModel } from './compact/model.js';
import { digestOf } from './digest.js';
import { fail, ProtocolError } from './error.js';
import { CONFLATIONS, RESUMES, type SessionEvent } from './event.js';
import { COMPACT, type Frame, FRAME_BYTES_MAX, FRAMES_JOINED_MAX, PieceKind, readFrame } from './frame.js';
import { Market, type Writable } from './market.js';
import type { Values } from './message.js';
import { applyPiece } from './piece.js';
import { type MarketState, statusOf } from './status.js';
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
/** What a missing list reads as. */
const NONE: Values = [];

/** Where a session stands. */
export type Connection = 'disconnected' | 'greeting' | 'established';

/** An interest, and what became of it. */
export interface SubscriptionState {
  readonly request: SubscriptionRequest;
  /** It was complete at the session's cursor, so it can be resumed. */
  isSynced: boolean;
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
export interface ClientSession {
  readonly connection: Connection;
  readonly telemetry: Telemetry;
  /** Cells that the last frame has changed. */
  readonly changes: Changes;
  /** Whether {@link changes} must hold all changes of a frame, not only those of its last piece. */
  keepsChanges: boolean;
  /** The model of compact pieces: the shipped one, or what a gateway has sent. */
  readonly model: Model;
  /** Grows whenever markets come or go, or other subscriptions name them. */
  readonly membership: number;
  /** Markets by number. */
  readonly held: ReadonlyMap<number, Market>;
  readonly subscriptions: ReadonlyMap<number, SubscriptionState>;
  /** Whether a cursor vouches for everything that is held. */
  readonly isResumable: boolean;
  /** When {@link handleTimeout} wants to be called, if at all. */
  readonly timeoutMs: number | undefined;
  /** How long the gateway may be silent. */
  readonly staleAfterMs: number;
  /** From where the session can resume. */
  readonly cursor: Cursor | undefined;
  /** Whether everything subscribed to is complete and live. */
  readonly isSynced: boolean;
  /** How long ago the quietest producer vouched for its prices, in milliseconds, if anybody said. */
  readonly ageMs: number | undefined;

  /** Subscribes, now or as soon as there is a connection. A number in use is replaced. Numbers begin at 1. */
  subscribe(number: number, request: SubscriptionRequest): void;
  /** Ends a subscription; its markets leave when the gateway says so. */
  unsubscribe(number: number): void;
  /**
   * Takes what another session held at a cursor. It is dropped on connecting, unless all that it had subscribed to has
   * been subscribed to again by then: in which view the gateway would follow it is not known otherwise [RES-1].
   */
  resumeFrom(cursor: Cursor, requests: readonly SubscriptionRequest[], markets: readonly Market[], ageMs?: number): void;
  /** A transport is there: says hello, with an access token where the gateway asks for one. */
  connected(nowMs: number, token?: string): void;
  /** The transport is gone. What is held stays, and is stale until it has been caught up [RECON-2]. */
  disconnected(): void;
  /** Takes one frame: all of it, or what does not fit is asked for again. Throws when the connection must be given up. */
  handleFrame(nowMs: number, bytes: Uint8Array): void;
  /** The time has come. Returns whether the transport should be given up: the gateway has been silent for too long. */
  handleTimeout(nowMs: number): boolean;
  /** Tells the gateway what was seen since the last report, if anything was and the gateway hears it. */
  report(): void;
  /** A market by id, if it is held, and if the topics of the subscription name it, where one is given. */
  market(id: string, subscription?: number): Market | undefined;
  /** All markets held, or those that the topics of one subscription name. */
  markets(subscription?: number): Market[];
  /** Messages to send, in order. */
  takeMessages(): Uint8Array[];
  /** What has happened, in order. */
  takeEvents(): SessionEvent[];
  /** Markets that have changed, in cells or state, since the last frame began or this was called. */
  takeTouched(): Market[];
  /** Whether nothing was heard for so long that prices must not be trusted; judged when something is read [STALE-2]. */
  isSilent(nowMs?: number): boolean;
  /** Numbers of the subscriptions that name a market. */
  subscribersOf(market: Market): readonly number[];
  /** Whether a market's rungs hold amounts of money, and not only the word that they are there [VIEW-2]. */
  showsAmounts(market: Market): boolean;
}

/** Makes sessions, by `new`. What they are at stands in variables of the function, which cost less than members do. */
export const ClientSession = function ({ agent, clock, compact = true }: SessionConfig): ClientSession {
  const seen = new Telemetry();
  const changes = new Changes();
  const held = new Map<number, Market>();
  const byId = new Map<string, Market>();
  const subscriptions = new Map<number, SubscriptionState>();
  let model = shippedModel();
  let connection: Connection = 'disconnected';
  let membership = 0;
  let epoch: string | undefined;
  /** From where the session can resume: every subscription was complete there. */
  let resumable: number | undefined;
  /** What was received is complete up to here, whatever subscribes are on their way. */
  let complete: number | undefined;
  /** Revision and sequence of the last frame in the chain, once the gateway has said where the session stands. */
  let revision = 0;
  let sequence: number | undefined;
  /** The producers' clock in that frame, in steps of 10 ms. */
  let frameTime = 0;
  /** A subscription was resumed on this connection. */
  let isResumed = false;
  let joined: Uint8Array[] = [];
  let heartbeatIntervalMs = HEARTBEAT_INTERVAL_MS;
  let heardMs = 0;
  let isStale = false;
  /** When the quietest producer vouched for its prices, by this client's clock. */
  let vouchedMs: number | undefined;
  /** This client's clock minus the gateway's, and the shortest way that a heartbeat took. */
  let clockOffsetMs = Infinity;
  /** When everything was live last, and whether prices have stopped being live since. */
  let liveMs = 0;
  let isDegraded = false;
  /**
   * How many subscribes sent on this connection the gateway has not answered, by subscription. They stay when their
   * subscription is ended: one that was lost may have resumed markets that no gateway knows to name as gone.
   */
  const unanswered = new Map<number, number>();
  /** Unsubscribes sent on this connection that the gateway has not answered. */
  let unsubscribing = 0;
  /** Markets may be held that no subscription names any more; the gateway has not said yet which. */
  let holdsLeavers = false;
  /** A subscription was answered, and where the session stands with it has not been said [SUB-3]. */
  let awaitsPosition = false;
  /** Frames of this connection that were neither of the chain nor a heartbeat [CUR-6]. */
  let answerFrames = 0;
  /** Heartbeats since the last answer, while something is unanswered. */
  let heartbeatsUnanswered = 0;
  /** Some market or subscription is not live that may be when the cursor moves. */
  let isUnsettled = false;
  /** Requests that made what is held, in another page, and have not been made here. */
  const unclaimed = new Set<string>();
  /** Markets whose snapshot was asked for, and how many in a row could not be read. */
  const awaited = new Map<number, number>();
  /** Markets to ask for at the end of the frame, and why the first of them. */
  let resyncs: number[] = [];
  let resyncReason: ResyncReason = 'UNSPECIFIED';
  /** What was reported, and whether the gateway of this connection wants no reports. */
  let reported: Figures | undefined;
  let isReportRefused = false;
  let messages: Uint8Array[] = [];
  let events: SessionEvent[] = [];
  let touched: Market[] = [];

  const touch = (market: Writable): void => {
    market.version++;
    if (!market.isTouched) touched.push(market);
    market.isTouched = true;
  };

  const setState = (market: Market, state: MarketState): void => {
    market.toldState = state;
    if (state !== 'live') isUnsettled = true;
    touch(market);
  };

  /** The feed may offer a market again, under a new number that is here already. */
  const forgetId = (market: Market): void => {
    if (byId.get(market.id) === market) byId.delete(market.id);
  };

  const remove = (number: number): void => {
    awaited.delete(number);
    const market = held.get(number);
    if (!market) return;
    held.delete(number);
    membership++;
    forgetId(market);
    // Whoever still reads it must not take it for live.
    setState(market, 'stale');
    events.push({ type: 'removed', market });
  };

  const dropEverything = (): void => {
    resumable = complete = undefined;
    unclaimed.clear();
    awaited.clear();
    for (const number of [...held.keys()].sort((a, b) => a - b)) remove(number);
    for (const subscription of subscriptions.values()) subscription.isSynced = false;
    isUnsettled = true;
  };

  const forgetConnection = (): void => {
    joined = [];
    sequence = undefined;
    messages = [];
    resyncs = [];
    awaitsPosition = false;
    answerFrames = 0;
  };

  const subscriptionsChanged = (): void => {
    membership++;
    for (const market of held.values()) market.subscribers = undefined;
  };

  /** Whether the gateway has answered every subscribe and unsubscribe of this connection. */
  const isAnswered = (): boolean => !unsubscribing && !unanswered.size;

  const goStale = (): void => {
    for (const market of held.values()) {
      if (market.toldState !== 'live') continue;
      isDegraded = true;
      setState(market, 'stale');
    }
  };

  const welcomed = (
    [, newEpoch = ZERO_64, , encoding, intervalMs, session = '', id = 0, places = [0, 0]]: Values,
    { reader }: Frame,
  ): void => {
    if (encoding === COMPACT_ENCODING && id !== model.id) {
      const sent = readModel(reader.bytes.subarray(places.at(-2), places.at(-1)));
      if (sent.id !== id) fail('MODEL');
      model = sent;
    }
    if (epoch && epoch !== newEpoch) {
      // Numbers mean something else now: nothing of the old log may be shown.
      seen.epochsChanged++;
      dropEverything();
    }
    epoch = newEpoch as string;
    connection = 'established';
    heartbeatIntervalMs = intervalMs || heartbeatIntervalMs;
    events.push({ type: 'welcomed', epoch, session });
  };

  /** A subscribe was answered; whether it was the last one of the subscription. */
  const subscribeAnswered = (number: number): boolean => {
    const count = unanswered.get(number)!;
    if (count > 1) unanswered.set(number, count - 1);
    return count === 1 && unanswered.delete(number);
  };

  const unsubscribeAnswered = (): void => {
    if (unsubscribing) unsubscribing--;
  };

  /**
   * A request was refused. A refused subscription must not keep the others from being complete; but the number may have
   * been used again since, and then the later request is not answered yet.
   */
  const refused = ([, code = 0, message = '', subscription = 0]: Values): void => {
    events.push({ type: 'refused', code, message, subscription });
    if (code === TELEMETRY_REFUSED) isReportRefused = true;
    else if (code === UNKNOWN_SUBSCRIPTION) unsubscribeAnswered();
    else if (subscribeAnswered(subscription)) {
      subscriptions.delete(subscription);
      subscriptionsChanged();
    }
  };

  const subscribed = ([, subscription = 0, rateMs = 0, markets = 0, code, isEnded]: Values): void => {
    awaitsPosition = true;
    heartbeatsUnanswered = 0;
    if (isEnded) return unsubscribeAnswered();
    const resume = RESUMES[code ?? 0] ?? 'FRESH';
    const state = subscriptions.get(subscription);
    if (state) state.isSynced = false;
    subscribeAnswered(subscription);
    isUnsettled = true;
    if (resume === 'TOO_OLD') {
      // The horizon has passed the cursor between two answers. What the first one vouched for cannot be told from what
      // nobody vouches for, so all of it is asked for together.
      if (isResumed) fail('LOST');
      // Whatever this connection has not sent again may be gone.
      for (const { number, connection } of held.values()) if (connection !== seen.connections) remove(number);
    } else if (resume === 'CAUGHT_UP') {
      isResumed = true;
      seen.resumes++;
    }
    events.push({ type: 'subscribed', subscription, rateMs, markets, resume });
  };

  /** Moves the session's position, or finds that the frame does not follow what was received before. */
  const follows = (fields: Values, heartbeat: Values | undefined, position: Values | undefined, lead: Lead | undefined): boolean => {
    if (position) {
      revision = position[1] ?? 0;
      sequence = position[2] ?? 0;
      frameTime = position[4] ?? 0;
      // A catch-up stands on its own, if it begins no later than where this session ends.
      return !position[3] || (complete ?? -1) >= position[3];
    }
    const advance: number | undefined = lead ? lead.advance : fields[6];
    // The catch-up of a subscription would have come first.
    if (awaitsPosition && subscriptions.size > 0 && (heartbeat || advance !== undefined)) return false;
    if (advance !== undefined) {
      if (sequence === undefined || (sequence + 1) % 4 !== advance % 4) return false;
      sequence = (sequence + 1) >>> 0;
      revision += lead ? lead.step : (fields[13] ?? 1);
      frameTime += Math.floor(advance / 4);
    }
    return !heartbeat || sequence === undefined || (heartbeat[4] ?? 0) === sequence;
  };

  const askForCatchUp = (): void => {
    messages.push(resync(NONE, 'GAP', complete ?? 0));
  };

  /**
   * Frames were lost: what is held is right as of the cursor, so everything since then is asked for.
   *
   * Where the gateway may follow the markets in other views than this session knows of, a catch-up would not be in the
   * view that is held: then only a new connection helps, on which every subscription is named again.
   */
  const lost = (position: Values | undefined, isShort: boolean): void => {
    if ((position && !isShort) || !isAnswered() || awaitsPosition || holdsLeavers) fail('LOST');
    if (position) answerFrames = position[5];
    // Asked for already, or not told yet where the session stands.
    if (sequence === undefined) return;
    sequence = undefined;
    isDegraded = true;
    seen.gaps++;
    for (const market of held.values()) setState(market, 'syncing');
    events.push({ type: 'gap' });
    askForCatchUp();
  };

  /** One heartbeat may cross a request; who hears the second one asks again, because the answer would have come before it. */
  const askAgain = (): void => {
    const unread = [...awaited.keys()].filter((number) => awaited.get(number)! < UNREADABLE_MAX);
    const isGap = sequence === undefined && subscriptions.size > 0;
    const isIdle = isAnswered();
    if (isIdle && !isGap && !unread.length) heartbeatsUnanswered = 0;
    else if (++heartbeatsUnanswered === HEARTBEATS_UNANSWERED_MAX) fail('LOST');
    else if (isIdle && heartbeatsUnanswered % 2 === 0) {
      if (isGap) askForCatchUp();
      resyncs = unread;
      resyncReason = 'UNSPECIFIED';
    }
  };

  const resyncLater = (number: number, reason: ResyncReason): void => {
    const market = held.get(number);
    if (market) setState(market, 'syncing');
    awaited.set(number, 0);
    seen.resyncs++;
    events.push({ type: 'resyncing', number, reason });
    if (resyncs.push(number) === 1) resyncReason = reason;
  };

  const takePiece = (
    kind: number,
    number: number,
    { reader, fields }: Frame,
    model: Model | undefined,
    definition: Values | undefined,
    edges: readonly Values[],
    told: SessionEvent[],
  ): void => {
    const isSnapshot = (kind & 3) === PieceKind.Snapshot;
    // Asked for already; nothing that comes before the snapshot can be used.
    if (!isSnapshot && awaited.has(number)) return;
    const before = held.get(number);
    let market = isSnapshot ? new Market(number, session) : before;
    if (!session.keepsChanges || changes.length > CHANGES_KEPT) changes.length = 0;
    changes.cleared = 0;
    const from = changes.length;
    const statusBefore = before?.toldStatus();
    const since = before?.revision ?? 0;
    try {
      if (!market) fail('UNKNOWN_MARKET');
      if (!applyPiece(market, kind, reader, definition, revision, frameTime, model, changes)) return;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      seen.piecesUnreadable++;
      const unreadable = isSnapshot ? (awaited.get(number) ?? 0) + 1 : 0;
      if (unreadable < UNREADABLE_MAX) resyncLater(number, market ? 'MALFORMED' : 'UNKNOWN_MARKET');
      else events.push({ type: 'abandoned', number });
      awaited.set(number, unreadable);
      return;
    }
    const to = changes.length;
    const cells = to - from - changes.cleared;
    seen.cells += cells;
    if (isSnapshot) {
      seen.snapshots++;
      if (before) {
        if (before.id !== market.id) forgetId(before);
        before.become(market);
        market = before;
      }
      held.set(number, market);
      byId.set(market.id, market);
      awaited.delete(number);
      market.toldState = 'syncing';
      isUnsettled = true;
    }
    market.connection = seen.connections;
    if (definition) {
      market.subscribers = undefined;
      membership++;
    }
    touch(market);
    const status = market.toldStatus();
    let isTold = isSnapshot && !before;
    for (const [, , revision = 0, code = 0] of isSnapshot ? NONE : edges) {
      if (revision <= since) continue;
      isTold = true;
      told.push({ type: 'status', market, revision, status: statusOf(code) });
    }
    if (!isTold && statusBefore !== status) told.push({ type: 'status', market, revision: market.revision, status });
    if (isSnapshot) {
      told.push({ type: 'snapshot', market });
    } else {
      const conflated = CONFLATIONS[fields[16] ?? 0] ?? 'NONE';
      if (conflated === 'RECEIVER_SLOW') seen.conflatedSlow++;
      told.push({ type: 'changed', market, cells, conflated, from, to });
    }
  };

  const takePieces = (frame: Frame, lead: Lead | undefined): void => {
    const { pieces, fields, reader } = frame;
    const definitions = byMarket(fields[9]);
    const edges = byMarket(fields[18]);
    // What does not fit is told before what does.
    const told: SessionEvent[] = [];
    for (let at = 0; at < pieces.length; at += 4) {
      const number = pieces[at + 1]!;
      reader.pos = pieces[at + 2]!;
      reader.end = pieces[at + 3]!;
      takePiece(pieces[at]!, number, frame, model, definitions.get(number)?.[0], edges.get(number) ?? NONE, told);
    }
    const number = lead && (lead.market ?? held.keys().next().value);
    if (number !== undefined) {
      // Goes on behind the head.
      resume(lead!.bytes, lead!.state, lead!.pos, lead!.end);
      takePiece(COMPACT + PieceKind.Delta, number, frame, undefined, undefined, edges.get(number) ?? NONE, told);
    }
    for (const event of told) events.push(event);
  };

  /** A cursor was reached: what has arrived is complete. */
  const settle = (nowMs: number, reached: number): void => {
    resumable = reached;
    if (isUnsettled) {
      let isSettled = false;
      for (const subscription of subscriptions.values()) {
        isSettled ||= !subscription.isSynced;
        subscription.isSynced = true;
      }
      for (const market of held.values()) {
        if (market.toldState === 'live' || awaited.has(market.number)) continue;
        setState(market, 'live');
        isSettled = true;
      }
      isUnsettled = false;
      if (isSettled) events.push({ type: 'synced', revision: reached });
      if (isDegraded) seen.stalenessMs.add(nowMs - liveMs);
      isDegraded = false;
    }
    liveMs = nowMs;
  };

  const checkDigest = (number: number, digest: string): void => {
    if (awaited.has(number)) return;
    const market = held.get(number);
    // The gateway follows it for this session, so the frame that brought it was lost.
    if (!market) return resyncLater(number, 'UNKNOWN_MARKET');
    const ours = digestOf(market);
    if (!ours) return;
    seen.digestsChecked++;
    if (ours === digest) return;
    seen.digestMismatches++;
    resyncLater(number, 'DIGEST');
  };

  const takeFrame = (nowMs: number, bytes: Uint8Array): void => {
    if (bytes.length > FRAME_BYTES_MAX) fail('FRAME_TOO_LONG');
    let frame = readFrame(bytes);
    heardMs = nowMs;
    isStale = false;
    seen.bytes += bytes.length;
    changes.reset();
    session.takeTouched();
    const isMore = frame.fields[17];
    if (isMore || joined.length > 0) joined.push(bytes);
    if (isMore) {
      if (joined.length >= FRAMES_JOINED_MAX) fail('TOO_MANY_JOINED');
      return;
    }
    const parts = joined.length;
    if (parts > 0) frame = readFrame(join(joined.splice(0)));
    seen.frames++;
    const { fields, pieces } = frame;
    const heartbeat: Values | undefined = fields[2]?.[0];
    const error: Values | undefined = fields[25]?.[0];
    const drain: Values | undefined = fields[26]?.[0];
    const position: Values | undefined = fields[8]?.[0];
    if (fields[1]) welcomed(fields[1][0], frame);
    if (error) refused(error);
    if (drain) events.push({ type: 'drain', reconnectAfterMs: drain[1] ?? 0 });
    if (connection !== 'established') {
      // A gateway that is going away says so to those it has not greeted yet, too.
      if (!error && !drain) fail('NOT_WELCOMED');
      answerFrames += parts || 1;
      return;
    }
    if (fields[24]) subscribed(fields[24][0]);
    const lead = readLead(model, frame);
    const isAdvanced = lead || fields[6] !== undefined;
    if (!isAdvanced && !heartbeat) answerFrames = (answerFrames + (parts || 1)) >>> 0;
    const isShort = Boolean(position?.[5]) && position![5] !== answerFrames;
    // A frame about the only market held does not fit a receiver who holds several.
    if ((lead && lead.market === undefined && held.size !== 1) || isShort || !follows(fields, heartbeat, position, lead)) return lost(position, isShort);
    for (const number of fields[20] ?? NONE) remove(number);
    const hasPieces = pieces.length > 0 || lead;
    if (hasPieces) takePieces(frame, lead);
    const isIdle = isAnswered();
    // The catch-up has named what left. While it is not for all subscriptions, markets come in the view of those that are
    // answered, and a cursor from before does not vouch for them.
    if (position || (!isIdle && awaitsPosition && pieces.length > 0)) holdsLeavers = !isIdle;
    if (position) awaitsPosition = false;
    if (position && isIdle && awaited.size === 0) heartbeatsUnanswered = 0;
    if (heartbeat) {
      vouchedMs = heartbeat[2] === undefined ? undefined : nowMs - heartbeat[2];
      clockOffsetMs = Math.min(clockOffsetMs, nowMs - (heartbeat[3] ?? 0));
      askAgain();
    }
    if (hasPieces && isAdvanced && clockOffsetMs < Infinity) seen.applyDelayMs.add(nowMs - clockOffsetMs - 10 * frameTime);
    const reached = fields[7] ?? (isAdvanced ? revision : (position ?? heartbeat)?.[1]);
    // Without a position nothing is known to be complete: the gateway has not said where the session stands, or frames
    // were lost and the catch-up is on its way.
    if (sequence !== undefined) {
      if (reached !== undefined) {
        complete = reached;
        // What the gateway says before it has answered every subscribe is not about everything that is held.
        if (isIdle) settle(nowMs, reached);
      }
      // Until the last subscribe is answered, the gateway may follow a market in a narrower view than is held; and after a
      // gap it is ahead of what is held [SYNC-2]. Each market is checked once, however often it is named.
      if (isIdle && fields[19]) for (const [number, [digest]] of byMarket(fields[19])) checkDigest(number, digest![2] ?? ZERO_64);
    }
    // One message per frame and 512 markets, however many did not fit.
    while (resyncs.length > 0) messages.push(resync(resyncs.splice(0, RESYNC_MARKETS_MAX), resyncReason));
  };

  const isNamed = (market: Market, subscription: number | undefined): boolean =>
    subscription === undefined || session.subscribersOf(market).includes(subscription);

  const session: ClientSession = {
    telemetry: seen,
    changes,
    keepsChanges: false,
    held,
    subscriptions,

    get connection() {
      return connection;
    },

    get model() {
      return model;
    },

    get membership() {
      return membership;
    },

    get isResumable() {
      return (
        [...subscriptions.values()].every((subscription) => subscription.isSynced) &&
        awaited.size === 0 &&
        !holdsLeavers &&
        session.cursor !== undefined
      );
    },

    get timeoutMs() {
      return connection === 'disconnected' || isStale ? undefined : heardMs + session.staleAfterMs + 1;
    },

    get staleAfterMs() {
      return heartbeatIntervalMs * STALE_AFTER_INTERVALS;
    },

    get cursor() {
      return epoch && resumable !== undefined ? { epoch, revision: resumable } : undefined;
    },

    get isSynced() {
      if (connection !== 'established' || isStale) return false;
      // Looking at everything is for the time in which something is on its way.
      return (
        (!isUnsettled && awaited.size === 0) ||
        (!unanswered.size &&
          [...subscriptions.values()].every(({ isSynced }) => isSynced) &&
          [...held.values()].every(({ toldState }) => toldState === 'live'))
      );
    },

    get ageMs() {
      return vouchedMs === undefined ? undefined : clock() - vouchedMs;
    },

    subscribe(number, request) {
      const message = subscribe(number, request);
      const before = subscriptions.get(number);
      const text = JSON.stringify(request);
      const isReplaced = before && JSON.stringify(before.request) !== text;
      if (connection !== 'disconnected') {
        if (isReplaced) holdsLeavers = true;
        unanswered.set(number, (unanswered.get(number) ?? 0) + 1);
        messages.push(message);
      } else if (isReplaced) {
        // Which markets belonged to the old request alone is not known here.
        dropEverything();
      }
      // What was held in another page is held by this subscription now.
      subscriptions.set(number, { request, isSynced: unclaimed.delete(text) });
      isUnsettled = true;
      subscriptionsChanged();
    },

    unsubscribe(number) {
      if (!subscriptions.delete(number)) return;
      subscriptionsChanged();
      if (connection === 'disconnected') {
        dropEverything();
      } else {
        unsubscribing++;
        holdsLeavers = true;
        messages.push(unsubscribe(number));
      }
    },

    resumeFrom(cursor, requests, markets, ageMs) {
      epoch = cursor.epoch;
      resumable = cursor.revision;
      vouchedMs = ageMs === undefined ? undefined : clock() - ageMs;
      for (const request of requests) unclaimed.add(JSON.stringify(request));
      membership++;
      for (const market of markets) {
        held.set(market.number, market);
        byId.set(market.id, market);
      }
    },

    connected(nowMs, token = '') {
      const { cursor } = session;
      const isResumable = cursor && [...subscriptions.values()].some(({ isSynced }) => isSynced);
      if (holdsLeavers || !isResumable || unclaimed.size > 0 || awaited.size > RESYNC_MARKETS_MAX) {
        // A gateway that never heard of the leavers would not say that they left; neither would one that is given no
        // cursor. And more markets than one resync may name are sooner subscribed to afresh.
        dropEverything();
      }
      forgetConnection();
      holdsLeavers = isStale = isResumed = isReportRefused = false;
      unsubscribing = 0;
      clockOffsetMs = Infinity;
      complete = resumable;
      heardMs = nowMs;
      connection = 'greeting';
      seen.connections++;
      messages.push(compact ? hello(agent, [COMPACT_ENCODING, PLAIN_ENCODING], token, [model.id]) : hello(agent, [PLAIN_ENCODING], token));
      // The gateway answers in order, so there is no need to wait for the welcome: one round trip less. What the cursor's
      // epoch is worth is the gateway's to say.
      for (const [number, subscription] of subscriptions) {
        unanswered.set(number, 1);
        messages.push(subscribe(number, subscription.request, subscription.isSynced ? cursor : undefined));
      }
      const numbers = [...awaited.keys()];
      for (const number of numbers) awaited.set(number, 0);
      if (numbers.length > 0) messages.push(resync(numbers, 'UNSPECIFIED'));
    },

    disconnected() {
      connection = 'disconnected';
      forgetConnection();
      unanswered.clear();
      goStale();
    },

    handleFrame(nowMs, bytes) {
      if (connection === 'disconnected') fail('NOT_CONNECTED');
      try {
        takeFrame(nowMs, bytes);
      } catch (error) {
        seen.framesRefused++;
        throw error;
      }
    },

    handleTimeout(nowMs) {
      if (connection === 'disconnected' || !session.isSilent(nowMs)) return false;
      if (!isStale) {
        isStale = true;
        seen.stale++;
        goStale();
        events.push({ type: 'stale' });
      }
      return true;
    },

    report() {
      if (connection !== 'established' || isReportRefused) return;
      const now = figures(seen);
      const fresh = freshFigures(now, reported);
      if (!fresh.some((counts) => counts.some(Boolean))) return;
      reported = now.map((counts, field) => counts.map((_, at) => (reported?.[field]![at] ?? 0) + fresh[field]![at]!));
      messages.push(telemetry(fresh));
    },

    market(id, subscription) {
      const market = byId.get(id);
      return market && isNamed(market, subscription) ? market : undefined;
    },

    markets: (subscription) => [...held.values()].filter((market) => isNamed(market, subscription)),

    takeMessages: () => messages.splice(0),

    takeEvents() {
      const taken = events;
      events = [];
      return taken;
    },

    takeTouched() {
      const taken = touched;
      touched = [];
      for (const market of taken) market.isTouched = false;
      return taken;
    },

    isSilent: (nowMs = clock()) => nowMs - heardMs > session.staleAfterMs,

    subscribersOf: (market) =>
      (market.subscribers ??= [...subscriptions].filter(([, { request }]) => names(request.topics, market)).map(([number]) => number)),

    showsAmounts: (market) =>
      session.subscribersOf(market).some((number) => {
        const { isSynced, request } = subscriptions.get(number)!;
        return isSynced && !request.view.includes('prices');
      }),
  };
  return session;
} as unknown as new (config: SessionConfig) => ClientSession;

const NO_GROUPS: ReadonlyMap<number, Values[]> = new Map();

/** Groups messages by their first field, which is a market's number. */
function byMarket(messages: Values | undefined): ReadonlyMap<number, Values[]> {
  if (!messages) return NO_GROUPS;
  const groups = new Map<number, Values[]>();
  for (const message of messages) {
    const number = message[1] ?? 0;
    const group = groups.get(number);
    if (group) group.push(message);
    else groups.set(number, [message]);
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
