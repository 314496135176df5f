import assert from 'node:assert/strict';
import { test } from 'node:test';

import { useConnection, useMarket, useSelectionPrice } from '@oddswire/react';
import { FakeSocket, vectors } from '@oddswire/testing';
import { OddswireClient } from '@oddswire/web';
import { createElement, Fragment } from 'react';
import { act, create, type ReactTestRenderer } from 'react-test-renderer';

(globalThis as Record<string, unknown>)['IS_REACT_ACT_ENVIRONMENT'] = true;
const [WELCOME, SUBSCRIBED, SNAPSHOTS, DELTA] = vectors().find(({ path }) => path === 'piece/delta-back-and-lay')!.frames as Uint8Array[];

interface Rendered {
  readonly client: OddswireClient;
  readonly renders: Record<string, string[]>;
  readonly end: () => void;
}

/** A page with two prices, their market, and the connection, each in a component of its own; and what each has rendered. */
async function page(): Promise<Rendered> {
  const client = new OddswireClient('ws://gateway', { WebSocket: FakeSocket as unknown as typeof WebSocket });
  client.subscribe({ topic: 'all', view: 'full' });
  const renders: Record<string, string[]> = { red: [], white: [], market: [], connection: [] };
  const said = (name: string, text: string): null => {
    renders[name]!.push(text);
    return null;
  };
  const Price = ({ name, id }: { name: string; id: number }): null => {
    const price = useSelectionPrice(client, '1.23', id);
    return said(name, price ? `${price.state} ${price.price} ${price.indicativePrice}` : 'none');
  };
  const MarketState = (): null => {
    const market = useMarket(client, '1.23');
    return said('market', market ? `${market.status} ${market.revision}` : 'none');
  };
  const Connection = (): null => said('connection', useConnection(client).state);
  let root: ReactTestRenderer | undefined;
  await act(async () => {
    root = create(
      createElement(
        Fragment,
        null,
        createElement(Price, { name: 'red', id: 47972 }),
        createElement(Price, { name: 'white', id: 47973 }),
        createElement(MarketState),
        createElement(Connection),
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
  });
  await act(async () => {
    FakeSocket.last.open();
    FakeSocket.last.say(WELCOME!, SUBSCRIBED!, SNAPSHOTS!);
  });
  return {
    client,
    renders,
    end: () => {
      act(() => root!.unmount());
      client.close();
    },
  };
}

test('a component renders when what it shows has changed, and not otherwise', async () => {
  const { renders, end } = await page();
  assert.deepEqual(renders, {
    red: ['none', 'live 2.48 2.48'],
    white: ['none', 'live 1.65 1.65'],
    market: ['none', 'OPEN 10'],
    connection: ['connecting', 'live'],
  });
  // The delta moves the first selection's price.
  await act(async () => FakeSocket.last.say(DELTA!));
  assert.deepEqual(
    Object.fromEntries(Object.entries(renders).map(([name, texts]) => [name, texts.slice(2)])),
    { red: ['live 2.46 2.46'], white: [], market: ['OPEN 12'], connection: [] },
  );
  end();
});

test('a lost connection takes the prices away', async () => {
  const { client, renders, end } = await page();
  await act(async () => client.disconnect('tunnel'));
  assert.deepEqual(
    [renders['red']!.at(-1), renders['market']!.at(-1), renders['connection']!.at(-1)],
    ['stale undefined 2.48', 'SUSPENDED 10', 'waiting'],
  );
  end();
});
