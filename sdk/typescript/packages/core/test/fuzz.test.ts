import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ClientSession, ProtocolError } from '@oddswire/core';
import { digestOf } from '@oddswire/core/internal';
import { marketJson, seeded, vectors } from '@oddswire/testing';

/** Rounds for each vector; more with ODDSWIRE_FUZZ_ROUNDS. */
const ROUNDS = Number(process.env['ODDSWIRE_FUZZ_ROUNDS'] ?? 100);
/** No frame of the vectors, however mutated, may take this long; most take microseconds. */
const FRAME_MS_MAX = 250;

test('mutated frames end in a typed error or in a state that is whole', () => {
  const random = seeded(Number(process.env['ODDSWIRE_SEED'] ?? 1));
  const cases = vectors().filter(({ input }) => input.kind === 'session' && !input.dictionary && input.subscriptions.length > 0);
  const errors: Record<string, number> = {};
  let resyncs = 0;
  let slowestMs = 0;
  for (const { path, frames, input } of cases) {
    for (let round = 0; round < ROUNDS; round++) {
      const client = new ClientSession({ agent: 'fuzz/1', clock: () => 0 });
      client.keepsChanges = random() < 0.5;
      client.subscribe(1, { topics: ['all'], view: input.view, rateMs: 0 });
      client.connected(0);
      for (const frame of frames) {
        const bytes = random() < 0.5 ? mutate(frame, random) : frame;
        const before = new Map([...client.held].map(([number, market]) => [number, JSON.stringify(marketJson(market, 'full'))]));
        // Of the processor's time, because others may have the machine for longer than that.
        const started = process.cpuUsage();
        try {
          client.handleFrame(0, bytes);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, `${path}, seed round ${round}: ${(error as Error).stack}`);
          errors[error.name] = (errors[error.name] ?? 0) + 1;
        }
        slowestMs = Math.max(slowestMs, process.cpuUsage(started).user / 1000);
        assert.ok(client.changes.length <= 64 + 32 * bytes.length + 4096, 'changes are bounded by the frame');
        const events = client.takeEvents();
        const applied = new Set(events.map((event) => (typeof Object(event).market === 'object' ? Object(event).market.number : -1)));
        for (const event of events) {
          // A mutated frame may hold two pieces of a market, of which one is good.
          if (event.type !== 'resyncing' || applied.has(event.number)) continue;
          resyncs++;
          // A piece that does not fit leaves its market as it was.
          const market = client.held.get(event.number);
          const held = before.get(event.number);
          if (event.reason === 'MALFORMED' && market && held) assert.equal(JSON.stringify(marketJson(market, 'full')), held, path);
        }
        for (const market of client.held.values()) check(digestOf(market) ?? '', market.selections.flatMap(({ ladders }) => ladders));
        client.takeMessages();
      }
    }
  }
  assert.ok(errors['FRAME_MALFORMED']! > 0 && errors['MODEL']! > 0 && resyncs > 0, 'mutations reach the frame and the pieces');
  assert.ok(slowestMs < FRAME_MS_MAX, `a frame took ${slowestMs} ms`);
});

test('arbitrary bytes as a frame are refused or read, and nothing else', () => {
  const random = seeded(7);
  for (let round = 0; round < 20_000; round++) {
    const client = new ClientSession({ agent: 'fuzz/1', clock: () => 0 });
    client.connected(0);
    const bytes = Uint8Array.from({ length: Math.floor(random() * 64) }, () => random() * 256);
    try {
      client.handleFrame(0, bytes);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String((error as Error).stack));
    }
  }
});

function check(digest: string, ladders: readonly ({ readonly pairs: Float64Array; readonly count: number } | undefined)[]): void {
  assert.match(digest, /^([0-9a-f]{16})?$/);
  for (const ladder of ladders) {
    for (let at = 0; ladder && at < ladder.count; at++) {
      assert.ok(at === 0 || ladder.pairs[2 * at - 2]! < ladder.pairs[2 * at]!, 'rungs are in order');
      const amount = ladder.pairs[2 * at + 1]!;
      assert.ok(amount >= 1 && amount < 2 ** 53, 'a rung has an amount');
    }
  }
}

/** One to four changes: a byte, a bit, a cut, a piece of it again, a byte more. */
function mutate(frame: Uint8Array, random: () => number): Uint8Array {
  const bytes = [...frame];
  for (let count = 1 + Math.floor(random() * 4); count > 0 && bytes.length > 0; count--) {
    const at = Math.floor(random() * bytes.length);
    const kind = random();
    if (kind < 0.3) bytes[at] = Math.floor(random() * 256);
    else if (kind < 0.6) bytes[at]! ^= 1 << Math.floor(random() * 8);
    else if (kind < 0.7) bytes.length = at;
    else if (kind < 0.85) bytes.splice(at, 0, ...bytes.slice(at, at + Math.floor(random() * 12)));
    else bytes.splice(at, Math.floor(random() * 3), Math.floor(random() * 256));
  }
  return Uint8Array.from(bytes);
}

test('arbitrary bytes as compact pieces and leads leave a market as it was, or whole', () => {
  const random = seeded(11);
  const opening = vectors().find(({ path }) => path === 'compact/amount-cents')!.frames;
  let read = 0;
  for (let round = 0; round < 200 * ROUNDS; round++) {
    const client = new ClientSession({ agent: 'fuzz/1', clock: () => 0 });
    client.subscribe(1, { topics: ['all'], view: 'full', rateMs: 0 });
    client.connected(0);
    for (const frame of opening.slice(0, 3)) client.handleFrame(0, frame);
    const before = JSON.stringify(marketJson(client.held.get(0)!, 'full'));
    const bytes = Array.from({ length: 1 + Math.floor(random() ** 3 * 40) }, () => Math.floor(random() * 256));
    const [tag, head] = ([[[0x72], []], [[0x7a], [0]], [[0xaa, 1], [0, 11, 0]], [[0xb2, 1], [0, 11, 0]]] as const)[Math.floor(random() * 4)]!;
    try {
      client.handleFrame(0, Uint8Array.from([...(tag[0] === 0x72 ? [] : [0x30, 2]), ...tag, head.length + bytes.length, ...head, ...bytes]));
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String((error as Error).stack));
      continue;
    }
    const market = client.held.get(0)!;
    check(digestOf(market) ?? '', market.selections.flatMap(({ ladders }) => ladders));
    const isChanged = client.takeEvents().some(({ type }) => type === 'changed' || type === 'snapshot');
    if (isChanged) read++;
    else assert.equal(JSON.stringify(marketJson(market, 'full')), before);
  }
  assert.ok(read > 0, 'some of them can be read');
});
