import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { ClientSession, ProtocolError, type SessionEvent, type View } from '@oddswire/core';
import {
  applyPiece,
  begin,
  Changes,
  COMPACT,
  digestOf,
  few,
  fill,
  finish,
  hello,
  Market,
  murmur3,
  type Model,
  PieceKind,
  Reader,
  raw,
  readFrame,
  readLead,
  readModel,
  readMessage,
  resync,
  RESYNC_REASONS,
  Selection,
  shippedModel,
  SIZES,
  telemetry,
  type Figures,
  subscribe,
  unsubscribe,
  type Values,
  type Witness,
} from '@oddswire/core/internal';
import { marketJson, REPOSITORY, type Vector, vectors } from '@oddswire/testing';

const ERROR_CODES =
  'UNSPECIFIED MALFORMED HELLO_EXPECTED UNAUTHORIZED BAD_TOPIC BAD_VIEW TOO_MANY_SUBSCRIPTIONS TOO_LARGE RATE_LIMITED SLOW_RECEIVER HELLO_REPEATED UNKNOWN_SUBSCRIPTION INTERNAL HELLO_TIMEOUT TELEMETRY_REFUSED'.split(
    ' ',
  );
const ENCODINGS = ['ENCODING_UNSPECIFIED', 'ENCODING_PLAIN', 'ENCODING_COMPACT'];
const DEPTHS = ['UNSPECIFIED', 'PRICES', 'BEST', 'FULL'];
const FIELDS: Record<string, number> = {
  Status: 0, InPlay: 1, Held: 2, MarketTradedVolume: 3, PriceLadder: 4,
  SelectionStatus: 16, Price: 17, LastTraded: 18, TradedVolume: 19, NearPrice: 20, FarPrice: 21, StartingPrice: 22, ReductionFactor: 23,
  Back: 32, Lay: 33, Traded: 34, SpBack: 35, SpLay: 36, DisplayBack: 37, DisplayLay: 38,
}; // prettier-ignore

/** Nobody asks these markets how they stand. */
const WITNESS: Witness = { ageMs: undefined, isSilent: () => false, showsAmounts: () => true };

const played: Record<string, (vector: Vector) => void> = { varint, digest, client_message: clientMessage, codes, model, coder, session };

for (const vector of vectors()) {
  // This client does not read zstd and names no dictionary [ZSTD-1].
  const skip = vector.input.dictionary !== undefined;
  test(vector.path, { skip }, () => {
    const play = played[vector.input.kind];
    assert.ok(play, `no case is of kind ${vector.input.kind}`);
    play(vector);
  });
}

function varint({ input, frames, expected }: Vector): void {
  const reader = new Reader(frames[0]!);
  reader.isStrict = true;
  const values: string[] = [];
  const said: { values: string[]; error?: string } = { values };
  while (reader.pos < reader.end && !said.error) {
    try {
      const value = input.signed ? reader.s() : reader.u();
      // Beyond 2^53 the number itself is not exact, and its halves are.
      const exact = Number.isSafeInteger(value) ? BigInt(value) : (BigInt(reader.high) << 32n) | BigInt(reader.low);
      values.push(String(input.signed && !Number.isSafeInteger(value) ? (exact >> 1n) ^ -(exact & 1n) : exact));
    } catch (error) {
      said.error = (error as Error).name;
    }
  }
  assert.deepEqual(said, expected);
}

function codes({ input, expected }: Vector): void {
  const ends = input.contexts.map((codes: number[]) => {
    const filled = new Uint16Array(codes.length);
    fill(Uint8Array.from([1, ...codes]), filled, 0, codes.length);
    return [...filled];
  });
  assert.deepEqual({ ends }, expected);
}

function model({ input, frames, expected }: Vector): void {
  const bytes = input.file ? readFileSync(join(REPOSITORY, input.file)) : frames[0]!;
  try {
    const { id, ends, guesses } = readModel(bytes);
    let at = 0;
    Object.values(expected.ends as Record<string, number[]>).forEach((first, table) => {
      assert.deepEqual([...ends.subarray(at, at + first.length)], first);
      assert.equal(first.length, SIZES[2 * table + 1]);
      at += SIZES[2 * table]! * first.length;
    });
    assert.equal(id.toString(16).padStart(8, '0'), expected.id);
    assert.deepEqual(shippedModel(), { id, ends, guesses }, 'the bundled model is the shipped one');
  } catch (error) {
    assert.deepEqual({ error: (error as Error).name }, expected);
  }
}

function coder({ input, frames, expected }: Vector): void {
  const ends = Uint16Array.from(input.reads.flatMap((read: { ends?: number[] }) => read.ends ?? []));
  begin({ id: 0, ends, guesses: new Uint8Array(4 * ends.length) }, frames[0]!, 0, frames[0]!.length);
  let at = 0;
  const values = input.reads.map((read: { ends?: number[]; bits: number }) => {
    if (!read.ends) return String(raw(read.bits));
    at += read.ends.length;
    return String(few(at - read.ends.length));
  });
  const said: Record<string, unknown> = { values };
  try {
    finish();
  } catch (error) {
    said['error'] = (error as Error).name;
  }
  assert.deepEqual(said, expected);
}

function digest({ input, expected }: Vector): void {
  for (const { words, hash } of expected.items) {
    const numbers = words.map((word: string) => parseInt(word, 16));
    const lanes = [0x6f646473, 0x77697265].map((seed) => murmur3(seed, numbers).toString(16).padStart(8, '0'));
    assert.equal(lanes.join(''), hash);
  }
  const market = new Market(0, WITNESS);
  const { selections, attributes, cells } = input.shown;
  for (const [id, handicap] of selections) market.selections.push(new Selection(market, market.selections.length, String(id), handicap));
  for (const [owner, name, type, value] of attributes) {
    const target = owner === 'market' ? market.texts : market.selections[owner]!.texts;
    target.set(name, type[0] + (type === 'boolean' ? Number(value) : value));
  }
  for (const [owner, name, ...values] of cells) {
    const field = FIELDS[name]!;
    if (owner === 'market') market.cells[field] = values[0];
    else if (field < 32) market.selections[owner]!.cells[field - 16] = values[0];
    else {
      const rungs = market.selections[owner]!.ladder(field);
      const key = rungs.isHighestFirst ? -values[0] : values[0];
      rungs.setAt(rungs.find(key), key, 0, values[1]);
    }
  }
  if (input.view === 'full') assert.equal(digestOf(market), expected.digest);
}

function clientMessage({ input, frames, expected }: Vector): void {
  if (input.message === null) return;
  if (expected.error === 'ERROR_CODE_BAD_VIEW') {
    // This SDK does not say it in the first place.
    assert.throws(() => subscribe(1, { topics: ['all'], view: viewName(input.message.subscribe.view), rateMs: 0 }), TypeError);
    return;
  }
  const [[kind, said]] = Object.entries<any>(input.message) as [[string, any]];
  // What is refused in a report, and causes of later versions, this SDK has no way to say.
  if (kind === 'telemetry' && (expected.error || said.reconnects?.some((place: number, at: number) => at % 2 === 0 && place > 8))) return;
  const bytes =
    kind === 'hello'
      ? hello(said.agent, said.encodings.map((name: string) => ENCODINGS.indexOf(name)), said.token ?? '', said.models?.map((id: string) => parseInt(id, 16)))
      : kind === 'subscribe'
        ? subscribe(said.subscription, { topics: said.topics, view: viewName(said.view), rateMs: said.rate_ms }, said.cursor)
        : kind === 'unsubscribe'
          ? unsubscribe(said.subscription)
          : kind === 'telemetry'
          ? telemetry(figuresOf(said))
          : resync(said.markets ?? [], said.reason.replace('RESYNC_REASON_', ''), said.since);
  assert.equal(Buffer.from(bytes).toString('hex'), Buffer.from(frames[0]!).toString('hex'));
}

/** The figures that a report was written from. */
function figuresOf(said: any): Figures {
  const spread = (pairs: number[] = [], length: number): number[] => {
    const counts: number[] = Array(length).fill(0);
    for (let at = 0; at < pairs.length; at += 2) counts[pairs[at]!] = pairs[at + 1]!;
    return counts;
  };
  const counts = ['connections', 'failed_attempts', 'reconnects', 'resumes', 'gaps', 'resyncs', 'digest_mismatches', 'frames_refused'];
  return [
    ...counts.map((name) => (name === 'reconnects' ? spread(said[name], 9) : [said[name] ?? 0])),
    ...[said.apply_delay, said.staleness].map((delays) => spread(delays?.counts, 14)),
    ...[said.apply_delay, said.staleness].map((delays) => [delays?.sum_ms ?? 0]),
  ];
}

function viewName({ depth, best, volumes }: { depth: string; best: number; volumes: boolean }): View {
  const name = depth === 'DEPTH_PRICES' ? 'prices' : depth === 'DEPTH_FULL' ? 'full' : `best${best}`;
  return (volumes || name === 'prices' ? name : `${name}-prices`) as View;
}

function session({ input, frames, expected }: Vector): void {
  let nowMs = 0;
  const client = new ClientSession({ agent: 'vectors/1', clock: () => nowMs, compact: input.encoding === 'compact' });
  for (const request of input.subscriptions) subscribeAs(client, request);
  input.steps.forEach((step: any, at: number) => {
    nowMs = step.at_ms ?? 0;
    const said: Record<string, unknown> = {};
    const receive = (bytes: Uint8Array): void => {
      const errors = pieceErrors(client, bytes);
      try {
        client.handleFrame(nowMs, bytes);
      } catch (error) {
        said['error'] = (error as Error).name;
      }
      if (errors.length > 0) said['piece_errors'] = errors;
    };
    if (step.do === 'connect') client.connected(nowMs);
    else if (step.do === 'disconnect') client.disconnected();
    else if (step.do === 'subscribe') subscribeAs(client, step);
    else if (step.do === 'unsubscribe') client.unsubscribe(step.subscription);
    else if (step.do === 'receive') for (let time = 0; time < (step.times ?? 1); time++) receive(frames[step.frame]!);
    else if (step.do === 'receive_zeros') receive(new Uint8Array(step.bytes));
    else if (step.do === 'timeout') {
      if (client.handleTimeout(nowMs)) said['give_up_connection'] = true;
    } else assert.fail(`no step does ${step.do}`);
    const isShown = step.show === true || at + 1 === input.steps.length;
    report(client, said, input.view, isShown);
    assert.deepEqual(said, expected.steps[at], `step ${at}`);
  });
}

function subscribeAs(client: ClientSession, { subscription, topics, view, rate_ms: rateMs = 0 }: any): void {
  client.subscribe(subscription, { topics, view, rateMs });
}

/** The errors of the pieces in a frame, each read against a copy of the market that is held. */
function pieceErrors(client: ClientSession, bytes: Uint8Array): unknown[] {
  let frame: ReturnType<typeof readFrame>;
  try {
    frame = readFrame(bytes);
  } catch {
    return [];
  }
  const { pieces, fields } = frame;
  const sent: number[] | undefined = fields[1]?.[0][7];
  let model: Model = client.model;
  try {
    if (sent) model = readModel(bytes.subarray(sent[0], sent[1]));
    const lead = readLead(model, frame);
    const market = lead && (lead.market ?? (client.held.size === 1 ? client.held.keys().next().value : undefined));
    if (market !== undefined) pieces.push(COMPACT + PieceKind.Delta, market, -1, -1);
  } catch {
    // The session says what is wrong with it.
  }
  return Array.from({ length: pieces.length / 4 }, (_, at) => pieces.slice(4 * at, 4 * at + 4)).flatMap((piece) => {
    const [kind, market, pos, end] = piece as [number, number, number, number];
    const held = client.held.get(market);
    const target = (kind & 3) === PieceKind.Snapshot ? new Market(market, WITNESS) : held && copyOf(held);
    if (!target) return [{ market, error: 'UNKNOWN_MARKET' }];
    const reader = new Reader(bytes);
    Object.assign(reader, { isStrict: true, pos, end });
    try {
      const time = 170_000_000_000;
      const definition = fields[9]?.find((definition: Values) => (definition[1] ?? 0) === market);
      applyPiece(target, kind, reader, definition, Number.MAX_SAFE_INTEGER, time, pos < 0 ? undefined : model, new Changes());
      return [];
    } catch (error) {
      assert.ok(error instanceof ProtocolError);
      return [{ market, error: error.name }];
    }
  });
}

function copyOf(held: Market): Market {
  const copy = new Market(held.number, WITNESS);
  const { id, revision, publishedMs } = held;
  Object.assign(copy, { id, revision, publishedMs, cells: held.cells.slice(), texts: new Map(held.texts) });
  for (const { number, id, thousandths, cells, texts, ladders } of held.selections) {
    const to = new Selection(copy, number, id, thousandths);
    to.cells.set(cells);
    texts.forEach((value, name) => to.texts.set(name, value));
    ladders.forEach((rungs, slot) => {
      if (rungs) Object.assign(to.ladder(32 + slot), { pairs: rungs.pairs.slice(), count: rungs.count });
    });
    copy.selections.push(to);
  }
  return copy;
}

/** What the client has said and reported, and what it holds now. What is empty is left out. */
function report(client: ClientSession, said: Record<string, unknown>, view: string, isShown: boolean): void {
  const sends = client.takeMessages().map(clientMessageJson);
  if (sends.length > 0) said['sends'] = sends;
  const events = client.takeEvents().map(eventJson);
  if (events.length > 0) said['events'] = events;
  said['cursor'] = client.cursor ?? null;
  said['synced'] = client.isSynced;
  said['markets'] = [...client.markets()]
    .sort((a, b) => a.number - b.number)
    .map((market) => {
      const bettable = market.selections.filter(({ status }) => status === 'ACTIVE' && market.status === 'OPEN');
      const shown: Record<string, unknown> = {
        number: market.number,
        state: market.state.toUpperCase(),
        reads_as: market.status,
        bettable: bettable.map(({ number }) => number),
      };
      if (market.ageMs !== undefined) shown['age_ms'] = market.ageMs;
      if (isShown) {
        // A digest that cannot agree is not computed; the vectors tell it all the same.
        shown['digest'] = digestOf(market) ?? shown['digest'];
        shown['market'] = marketJson(market, view);
      }
      return shown;
    });
}

/** A client's message, named as in the .proto file. Fields that say nothing are left out. */
function clientMessageJson(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const kind = reader.u() >> 3;
  reader.u();
  const fields: Record<number, any[]> = {};
  while (reader.pos < reader.end) {
    const tag = reader.u();
    const value = (tag & 7) === 0 ? reader.u() : (tag & 7) === 1 ? reader.hex(8) : bytes.slice(reader.skip(reader.u()), reader.pos);
    (fields[tag >> 3] ??= []).push(value);
  }
  const text = (value: Uint8Array): string => Buffer.from(value).toString();
  const integers = (value: Uint8Array): number[] => {
    const inner = new Reader(value);
    const list: number[] = [];
    while (inner.pos < inner.end) list.push(inner.u());
    return list;
  };
  const one = (field: number): any => fields[field]?.[0];
  if (kind === 1) {
    return {
      hello: {
        agent: text(one(1)),
        encodings: integers(one(2)).map((code) => ENCODINGS[code]),
        ...(one(3) && { token: text(one(3)) }),
        ...(one(4) && { models: [Buffer.from(one(4)).readUInt32LE().toString(16).padStart(8, '0')] }),
      },
    };
  }
  if (kind === 2) {
    const view = readMessage(new Reader(one(3)), 'uuu');
    const cursor = one(5) && readMessage(new Reader(one(5)), 'fu');
    return {
      subscribe: {
        subscription: one(1),
        topics: fields[2]!.map(text),
        view: { depth: `DEPTH_${DEPTHS[view[1]]}`, best: view[2] ?? 0, volumes: Boolean(view[3]) },
        rate_ms: one(4) ?? 0,
        ...(cursor && { cursor: { epoch: cursor[1], revision: cursor[2] ?? 0 } }),
      },
    };
  }
  if (kind === 3) return { unsubscribe: { subscription: one(1) } };
  return {
    resync: {
      ...(one(1) && { markets: integers(one(1)) }),
      reason: `RESYNC_REASON_${RESYNC_REASONS[one(2) ?? 0]}`,
      ...(one(3) !== undefined && { since: one(3) }),
    },
  };
}

function eventJson(event: SessionEvent): unknown {
  switch (event.type) {
    case 'welcomed':
      return { event: event.type, epoch: event.epoch, session: event.session };
    case 'subscribed': {
      const { subscription, rateMs, markets, resume } = event;
      return { event: event.type, subscription, rate_ms: rateMs, markets, resume };
    }
    case 'snapshot':
      return { event: event.type, market: event.market.number };
    case 'changed':
      return { event: event.type, market: event.market.number, cells: event.cells, conflated: event.conflated };
    case 'status':
      return { event: event.type, market: event.market.number, revision: event.revision, status: event.status };
    case 'removed':
      return { event: event.type, market: event.market.number, id: event.market.id };
    case 'resyncing':
      return { event: event.type, market: event.number, reason: event.reason };
    case 'synced':
      return { event: event.type, revision: event.revision };
    case 'drain':
      return { event: event.type, reconnect_after_ms: event.reconnectAfterMs };
    case 'refused': {
      const { code, message, subscription } = event;
      return { event: event.type, code: `ERROR_CODE_${ERROR_CODES[code]}`, message, subscription };
    }
    case 'gap':
    case 'stale':
      return { event: event.type };
    case 'abandoned':
      return assert.fail('no vector abandons a market');
  }
}
