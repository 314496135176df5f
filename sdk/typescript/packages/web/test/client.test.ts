import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { FakeSocket, vectors } from '@oddswire/testing';
import { type ClientOptions, OddswireClient, type StateChange } from '@oddswire/web';
import { persist } from '@oddswire/web/persist';

const [WELCOME, SUBSCRIBED, SNAPSHOTS, DELTA] = vectors().find(({ path }) => path === 'piece/delta-back-and-lay')!.frames as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
/** Revision 10, sequence 5: nothing has happened. */
const HEARTBEAT = '1204080a2005';
let clients: OddswireClient[] = [];
let states: StateChange[] = [];

/** A client on the fake clock whose sockets are the test's, with one subscription. */
function start(options: ClientOptions = {}): OddswireClient {
  const client = new OddswireClient('ws://gateway', {
    WebSocket: FakeSocket as unknown as typeof WebSocket,
    reportIntervalMs: 0,
    ...options,
  });
  client.on('state', (change) => states.push(change));
  clients.push(client);
  return client;
}

/** Lets promises and the timers of so many milliseconds run. */
async function pass(ms: number): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  mock.timers.tick(ms);
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

async function live(options: ClientOptions = {}): Promise<OddswireClient> {
  const client = start(options);
  client.subscribe({ topic: 'all', view: 'full' });
  await pass(1);
  FakeSocket.last.open();
  FakeSocket.last.say(WELCOME, SUBSCRIBED, SNAPSHOTS);
  assert.equal(client.state, 'live');
  return client;
}

beforeEach(() => {
  FakeSocket.made.length = 0;
  clients = [];
  states = [];
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  // The steady clock goes with the fake one.
  mock.method(performance, 'now', () => Date.now());
});

afterEach(() => {
  for (const client of clients) client.close();
  mock.timers.reset();
  mock.restoreAll();
});

test('the address gets the path of the stream unless it has one', async () => {
  for (const [given, used] of [
    ['ws://gateway', 'ws://gateway/v1/stream'],
    ['https://gateway:8080/', 'wss://gateway:8080/v1/stream'],
    ['wss://gateway/odds', 'wss://gateway/odds'],
  ] as const) {
    clients.push(new OddswireClient(given, { WebSocket: FakeSocket as unknown as typeof WebSocket }));
    await pass(1);
    assert.deepEqual([FakeSocket.last.url, FakeSocket.last.protocol], [used, 'oddswire.v1']);
  }
});

test('hello and all subscribes go out at once, and a frame is told as one change', async () => {
  const client = start();
  const sub = client.subscribe({ topic: 'all', view: 'full' });
  const told: string[][] = [];
  sub.on('change', ({ changed }) => told.push(changed.map(({ id }) => id)));
  await pass(1);
  FakeSocket.last.open();
  assert.equal(FakeSocket.last.sent.length, 2);
  FakeSocket.last.say(WELCOME, SUBSCRIBED, SNAPSHOTS, DELTA);
  assert.deepEqual(told, [['1.23'], ['1.23']]);
  assert.deepEqual([sub.markets.length, sub.market('1.23')?.selections[0]?.back.price], [1, 2.46]);
  assert.deepEqual(states.map(({ state }) => state), ['syncing', 'live']);
});

test('a frame tells its bytes, its cells and what they were', async () => {
  const client = await live();
  const frames: number[][] = [];
  client.on('frame', ({ bytes, cells, changes }) => frames.push([bytes, cells, changes.length]));
  FakeSocket.last.say(DELTA);
  assert.deepEqual(frames, [[DELTA.length, 4, 4]]);
});

test('a broken connection comes back after a delay, and resumes by cursor', async () => {
  const client = await live();
  const { back } = client.market('1.23')!.selections[0]!;
  FakeSocket.last.end();
  assert.deepEqual([client.state, back.bettable, back.indicativePrice], ['waiting', false, 2.48]);
  assert.ok(states.at(-1)!.retryInMs! <= 500);
  await pass(500);
  FakeSocket.last.open();
  assert.equal(FakeSocket.made.length, 2);
  assert.ok(Buffer.from(FakeSocket.last.sent[1]!).toString('hex').endsWith('2a0b09efcdab8967452301100a'));
  FakeSocket.last.say(WELCOME, 'c20106080118012001', '4208080a1005180a2000');
  assert.deepEqual([client.state, back.bettable], ['live', true]);
  assert.deepEqual([client.telemetry().reconnects, client.telemetry().resumes], [{ network: 1 }, 1]);
});

test('a gateway that falls silent is given up by the watchdog', async () => {
  const client = await live();
  await pass(2400);
  FakeSocket.last.say(HEARTBEAT);
  await pass(2400);
  assert.equal(client.state, 'live');
  await pass(200);
  assert.deepEqual([client.state, client.telemetry().reconnects, client.telemetry().stale], ['waiting', { silence: 1 }, 1]);
});

test('an attempt that hangs is given up', async () => {
  const client = start();
  await pass(1);
  await pass(10_000);
  assert.deepEqual([client.connection.reason, client.telemetry().reconnects, client.telemetry().failedAttempts], ['connect timeout', {}, 1]);
});

test('a network that is back ends the wait at once, and a tab that wakes up judges the silence', async () => {
  const events = new EventTarget();
  const names = ['addEventListener', 'removeEventListener'] as const;
  for (const name of names) Object.assign(globalThis, { [name]: events[name].bind(events) });
  try {
    const client = await live({});
    FakeSocket.last.end();
    events.dispatchEvent(new Event('online'));
    await pass(0);
    assert.deepEqual([client.state, FakeSocket.made.length], ['connecting', 2]);
    FakeSocket.last.open();
    FakeSocket.last.say(WELCOME, 'c20106080118012001', '4208080a1005180a2000');
    assert.equal(client.state, 'live');
    // Asleep: the clock goes on, timers do not.
    mock.timers.setTime(Date.now() + 60_000);
    assert.equal(client.market('1.23')!.state, 'stale');
    events.dispatchEvent(new Event('pageshow'));
    await pass(1);
    assert.deepEqual([client.state, FakeSocket.made.length], ['connecting', 3]);
    client.close();
    events.dispatchEvent(new Event('online'));
    assert.equal(client.state, 'closed');
  } finally {
    for (const name of names) delete (globalThis as Record<string, unknown>)[name];
  }
});

test('a token is fetched for every connection, and a refused one is fetched anew', async () => {
  let count = 0;
  const client = start({ token: async () => `token-${++count}` });
  await pass(1);
  FakeSocket.last.open();
  assert.ok(Buffer.from(FakeSocket.last.sent[0]!).toString().includes('token-1'));
  FakeSocket.last.end(4003);
  assert.equal(client.state, 'waiting');
  await pass(500);
  FakeSocket.last.open();
  assert.ok(Buffer.from(FakeSocket.last.sent[0]!).toString().includes('token-2'));
});

test('a fixed token that is refused, and a defect, end the client', async () => {
  for (const code of [4003, 4007, 4010]) {
    const client = start({ token: 'fixed' });
    await pass(1);
    FakeSocket.last.open();
    FakeSocket.last.end(code);
    assert.equal(client.state, 'closed', String(code));
  }
});

test('a gateway that refuses again and again is not asked at the shortest delays', async () => {
  mock.method(Math, 'random', () => 0.999_999);
  const client = await live();
  const delays: number[] = [];
  client.on('state', ({ retryInMs }) => retryInMs !== undefined && delays.push(Math.round(retryInMs)));
  for (let round = 0; round < 3; round++) {
    FakeSocket.last.end(4008);
    await pass(20_000);
    FakeSocket.last.open();
    FakeSocket.last.say(WELCOME, 'c20106080118012001', '4208080a1005180a2000');
  }
  assert.deepEqual(delays, [500, 1000, 2000]);
});

test('a drain is obeyed: the move comes when the gateway said', async () => {
  const client = await live();
  FakeSocket.last.say('d2010308e807');
  await pass(999);
  assert.equal(FakeSocket.made.length, 1);
  await pass(1);
  await pass(1);
  assert.deepEqual([FakeSocket.made.length, client.telemetry().reconnects], [2, { drain: 1 }]);
});

test('a catch-up that never comes is asked for twice more, then the connection is made anew', async () => {
  mock.method(Math, 'random', () => 0);
  const client = await live();
  const said = (): number => FakeSocket.last.sent.length;
  const before = said();
  // Sequence 7 after 5: the frame in between is lost, and so is every answer.
  const heartbeat = '1204080a2007';
  const asked: number[] = [];
  for (let turn = 0; turn <= 5; turn++) {
    FakeSocket.last.say(heartbeat);
    asked.push(said() - before);
    await pass(900);
  }
  assert.deepEqual([asked, FakeSocket.made.length, client.state], [[1, 1, 2, 2, 3, 3], 1, 'syncing']);
  FakeSocket.last.say(heartbeat);
  await pass(1);
  assert.deepEqual([FakeSocket.made.length, client.telemetry().reconnects], [2, { frame: 1 }]);
});

test('a refused subscription is told and forgotten', async () => {
  const client = await live();
  const sub = client.subscribe({ topic: 'nation/GB', view: 'full' });
  let said = '';
  sub.on('refused', ({ code, message }) => (said = `${code} ${message}`));
  FakeSocket.last.say(Uint8Array.from([0xca, 1, 8, 8, 4, 0x12, 2, 0x6e, 0x6f, 0x18, 2]));
  assert.deepEqual([said, client.state], ['4 no', 'live']);
});

test('cutting, going away and coming back', async () => {
  const client = await live();
  client.disconnect('tunnel');
  assert.deepEqual([client.state, client.telemetry().reconnects], ['waiting', { application: 1 }]);
  client.goOffline();
  await pass(60_000);
  assert.deepEqual([client.state, FakeSocket.made.length], ['offline', 1]);
  client.goOnline();
  await pass(1);
  assert.deepEqual([client.state, FakeSocket.made.length], ['connecting', 2]);
});

test('messages are said no faster than a gateway takes them', async () => {
  const client = await live();
  for (let at = 0; at < 60; at++) client.subscribe({ topic: `market/1.${at}` });
  assert.equal(FakeSocket.last.sent.length, 40);
  await pass(70);
  assert.equal(FakeSocket.last.sent.length, 41);
  for (let turn = 0; turn < 40; turn++) {
    if (turn % 20 === 0) FakeSocket.last.say(HEARTBEAT);
    await pass(70);
  }
  assert.equal(FakeSocket.last.sent.length, 62);
});

/** Reports among what a socket was given, in hex. */
function reports(): string[] {
  return FakeSocket.last.sent.map((message) => Buffer.from(message).toString('hex')).filter((hex) => hex.startsWith('2a'));
}

test('what was seen is reported once: soon after connecting, then every 30 s', async () => {
  mock.method(Math, 'random', () => 0.5);
  const client = await live({ reportIntervalMs: 30_000 });
  const alive = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1000) {
      FakeSocket.last.say(HEARTBEAT);
      await pass(1000);
    }
  };
  await alive(4000);
  assert.deepEqual(reports(), []);
  await alive(2000);
  assert.deepEqual(reports(), ['2a020801'], 'one connection');
  client.disconnect();
  await pass(500);
  FakeSocket.last.open();
  FakeSocket.last.say(WELCOME, 'c20106080118012001', '4208080a1005180a2000');
  await alive(6000);
  // One connection, after one that the application had ended (8); one resume; prices were not live once, for 1.5 s (bucket 8).
  assert.equal(reports().length, 1);
  assert.match(reports()[0]!, /^2a1108011a0208012001520[67]0a02080110dc0b$/);
  await alive(29_000);
  assert.equal(reports().length, 1, 'nothing is new, so nothing is said');
  client.disconnect();
  assert.deepEqual(client.telemetry().reconnects, { application: 2 });
});

test('a gateway that refuses a report hears none on that connection, and nothing else changes', async () => {
  mock.method(Math, 'random', () => 0.5);
  const client = await live({ reportIntervalMs: 30_000 });
  FakeSocket.last.say(Uint8Array.from([0xca, 1, 5, 8, 14, 0x12, 1, 0x6e]));
  assert.equal(client.state, 'live');
  client.report();
  assert.deepEqual(reports(), []);
  FakeSocket.last.end();
  assert.equal(client.connection.reason, 'close 1006', 'it is not why the connection ended');
  await pass(500);
  FakeSocket.last.open();
  FakeSocket.last.say(WELCOME);
  client.report();
  assert.equal(reports().length, 1);
});

test('what is held outlives the page', async () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
  const events = new EventTarget();
  const names = ['addEventListener', 'removeEventListener'] as const;
  for (const name of names) Object.assign(globalThis, { [name]: events[name].bind(events) });
  try {
    const first = await live();
    const end = persist(first, storage);
    events.dispatchEvent(new Event('pagehide'));
    first.close();
    end();
    const next = start();
    persist(next, storage)();
    const sub = next.subscribe({ topic: 'all', view: 'full' });
    const market = sub.market('1.23')!;
    assert.deepEqual([market.state, market.selections[0]!.back.indicativePrice, kept.size], ['stale', 2.48, 0]);
    await pass(1);
    FakeSocket.last.open();
    FakeSocket.last.say(WELCOME, 'c20106080118012001', '4208080a1005180a2000');
    assert.deepEqual([market.state, next.telemetry().snapshots], ['live', 0]);
  } finally {
    for (const name of names) delete (globalThis as Record<string, unknown>)[name];
  }
});

test('a listener that throws keeps nobody from hearing', async () => {
  const client = await live();
  // What is thrown goes where errors that nobody catches go.
  const thrown: string[] = [];
  const caught = (error: Error): void => void thrown.push(error.message);
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', caught);
  let heard = 0;
  const end = client.on('market/1.23', () => {
    end();
    throw new Error('mine');
  });
  client.on('market/1.23', () => heard++);
  FakeSocket.last.say(DELTA);
  await new Promise(setImmediate);
  process.off('uncaughtException', caught);
  for (const other of others) process.on('uncaughtException', other);
  assert.deepEqual([heard, thrown], [1, ['mine']]);
});
