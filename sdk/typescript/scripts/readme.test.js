/**
 * The example of each package's README, run as it stands there: its types stripped, its sockets the test's, its first frames
 * those of a golden vector.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { FakeSocket, vectors } from '@oddswire/testing';
import { transformSync } from 'esbuild';

const packages = new URL('../packages/', import.meta.url);
const { frames } = vectors().find(({ path }) => path === 'piece/delta-back-and-lay');
Object.assign(globalThis, { WebSocket: FakeSocket });

/** Runs the first example of a package, with its gateway's first frames; what it exports and what it prints. */
async function run(name) {
  const [, loader, code] = /```(tsx?)\n(.*?)```/s.exec(readFileSync(new URL(`${name}/README.md`, packages), 'utf8'));
  const file = new URL(`${name}/dist/readme.js`, packages);
  writeFileSync(file, transformSync(code, { loader, jsx: 'automatic', target: 'es2022' }).code);
  const printed = [];
  const { log } = console;
  console.log = (...said) => void printed.push(said.join(' '));
  try {
    const made = FakeSocket.made.length;
    const exported = await import(file.href);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(FakeSocket.made.length > made, 'it connects');
    if (name !== 'testing') {
      FakeSocket.last.open();
      FakeSocket.last.say(...frames);
    }
    return { exported, printed };
  } finally {
    console.log = log;
  }
}

/** Ends what an example has begun, so that the test can end. */
function hangUp() {
  FakeSocket.last.end(4007);
}

test('@oddswire/core', async () => {
  const { printed } = await run('core');
  assert.deepEqual(printed, ['welcomed', 'subscribed', 'snapshot', 'synced', 'changed']);
  assert.equal(FakeSocket.last.sent.length, 2, 'hello and subscribe');
});

test('@oddswire/web', async () => {
  const { printed } = await run('web');
  hangUp();
  // Both selections, which have no names there; the first one's price before the delta and after it: 2.48 and 2.46.
  assert.deepEqual(printed.filter((line) => line.includes('/')), [' 37/25', ' 13/20', ' 73/50', ' 13/20']);
});

test('@oddswire/react', async () => {
  const { exported } = await run('react');
  const { createElement } = await import('react');
  const { act, create } = await import('react-test-renderer');
  globalThis.IS_REACT_ACT_ENVIRONMENT = true;
  let root;
  await act(async () => void (root = create(createElement(exported.Board, { market: '1.23' }))));
  const [title, button] = root.toJSON().children;
  assert.match(title.children.join(''), /OPEN$/);
  assert.deepEqual([button.type, button.props.disabled, button.children], ['button', false, ['2.46']]);
  await act(async () => root.unmount());
  hangUp();
});

test('@oddswire/testing', async () => {
  await run('testing');
});
