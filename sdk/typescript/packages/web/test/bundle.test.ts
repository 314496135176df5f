/**
 * The small module behaves as the modules it is made of: the golden vectors are played with both, and all that applications
 * can see is compared. A shortened name that should not be shows up here.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakeSocket, vectors } from '@oddswire/testing';
import { OddswireClient, type View } from '@oddswire/web';

const bundle: string = new URL('../oddswire.min.js', import.meta.url).href;
const { OddswireClient: BundledClient } = (await import(bundle)) as { OddswireClient: typeof OddswireClient };

for (const { path, input, frames } of vectors().filter(({ input }) => input.kind === 'session')) {
  test(path, async () => {
    const [modules, bundled] = [await play(OddswireClient), await play(BundledClient)];
    assert.deepEqual(bundled, modules);
  });

  async function play(Client: typeof OddswireClient): Promise<unknown> {
    const client = new Client('ws://gateway', { WebSocket: FakeSocket as unknown as typeof WebSocket, compact: input.encoding === 'compact' });
    const seen: unknown[] = [];
    client.on('event', (event) => seen.push(plain(event)));
    client.on('frame', ({ cells, changes }) => seen.push([cells, changes.length, ...changes.entries.subarray(0, 5 * changes.length)]));
    const sub = client.subscribe({ topic: 'all', view: input.view as View });
    sub.on('change', ({ changed, removed }) => seen.push([changed.map(({ id }) => id), removed.map(({ id }) => id)]));
    await new Promise((resolve) => setTimeout(resolve, 1));
    const socket = FakeSocket.last;
    socket.open();
    for (const frame of frames) {
      socket.say(frame);
      seen.push(client.state, client.connection.reason, client.markets.map(describe));
    }
    sub.unsubscribe();
    seen.push(socket.sent.map((message) => Buffer.from(message).toString('hex')));
    const { applyDelayMs, stalenessMs, ...counters } = client.telemetry();
    client.close();
    return [...seen, counters, applyDelayMs.bounds, stalenessMs.bounds];
  }
}

/** What a market shows. */
function describe(market: OddswireClient['markets'][number]): unknown {
  const { id, number, state, status, inPlay, tradedVolume, revision, publishedMs, version, attributes } = market;
  const selections = market.selections.map((selection) => ({
    id: selection.id,
    handicap: selection.handicap,
    status: selection.status,
    tradedVolume: selection.tradedVolume,
    attributes: selection.attributes,
    quotes: [selection.back, selection.lay].map(({ bettable, price, amount, indicativePrice }) => [bettable, price, amount, indicativePrice]),
    depths: (['back', 'lay', 'traded', 'spBack', 'spLay', 'displayBack', 'displayLay'] as const).map((name) => {
      const { bettable, rungs } = selection.depth(name);
      return [bettable, rungs];
    }),
    indications: (['lastTraded', 'near', 'far', 'starting', 'reductionFactor'] as const).map((name) => selection.indicative(name)),
  }));
  return { id, number, state, status, inPlay, tradedVolume, revision, publishedMs, version, attributes, selections };
}

/** An event with its market's id in place of the market. */
function plain(event: object): unknown {
  return Object.fromEntries(Object.entries(event).map(([key, value]) => [key, key === 'market' ? value.id : value]));
}
