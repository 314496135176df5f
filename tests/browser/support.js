/** A server, a browser, and the board in it. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const START_WITHIN_MS = 30_000;
/** Whether the page is taken from where demo/ builds it to, and not from the server: it can be tried without building a server. */
const IS_PAGE_BUILT = process.env['BOARD_PAGE'] === 'built';

/** The named path, or the first of the candidates that there is; `remedy` says what to do otherwise. */
function find(named, candidates, what, remedy) {
  const found = (named ? [named] : candidates).find((path) => existsSync(path));
  if (!found) throw new Error(`${what}: ${named ?? 'none'} is not there; ${remedy}`);
  return found;
}

/** A Chromium of the system: the tests bring none of their own. */
export function browserPath() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const onPath = names.flatMap((name) => process.env['PATH'].split(delimiter).map((folder) => join(folder, name)));
  const onMac = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';
  return find(process.env['CHROMIUM'], [...onPath, onMac], 'Chromium', 'install one (`apt-get install chromium`) or set CHROMIUM');
}

function serverPath() {
  const built = ['release', 'debug'].map((profile) => `${REPOSITORY}target/${profile}/oddswire`);
  return find(process.env['ODDSWIRE_BIN'], built, 'the server', 'run `cargo build -p oddswire-server`, or set ODDSWIRE_BIN');
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `oddswire demo` as a process that can be frozen, killed and started again at the same place. */
export class Demo {
  #options;
  #child;

  static async start({ speed = '1', markets, seed = '1' } = {}) {
    const demo = new Demo();
    demo.http = `127.0.0.1:${await freePort()}`;
    const grpc = `127.0.0.1:${await freePort()}`;
    demo.#options = ['demo', '--plain', '--http', demo.http, '--grpc', grpc, '--speed', speed, '--seed', seed];
    if (markets) demo.#options.push('--markets', String(markets));
    await demo.restart();
    return demo;
  }

  get url() {
    return `http://${this.http}/`;
  }

  async restart() {
    this.#child = spawn(serverPath(), this.#options, { stdio: ['ignore', 'ignore', 'inherit'] });
    const end = Date.now() + START_WITHIN_MS;
    for (;;) {
      try {
        if ((await fetch(`${this.url}readyz`)).ok) return;
      } catch {
        // Not yet.
      }
      if (Date.now() > end || this.#child.exitCode !== null) throw new Error('oddswire demo does not answer');
      await sleep(100);
    }
  }

  signal(name) {
    this.#child.kill(name);
  }

  async kill() {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}

/** A way to a server that can be cut and mended. */
export class Line {
  #sockets = new Set();
  #server;
  #isCut = false;

  static async to(demo) {
    const line = new Line();
    const [host, port] = demo.http.split(':');
    line.#server = createServer((near) => {
      if (line.#isCut) return near.destroy();
      const far = connect(Number(port), host);
      for (const [socket, other] of [[near, far], [far, near]]) {
        line.#sockets.add(socket);
        socket.setNoDelay(true);
        socket.on('error', () => {});
        socket.on('close', () => {
          line.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    await new Promise((resolve) => line.#server.listen(0, '127.0.0.1', resolve));
    line.url = `http://127.0.0.1:${line.#server.address().port}/`;
    return line;
  }

  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#isCut = false;
  }

  close() {
    this.cut();
    this.#server.close();
  }
}

/** A browser whose timings are not those of a hidden window. */
export function launch() {
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-timer-throttling', '--disable-renderer-backgrounding'];
  // A page that comes from nowhere may not connect to this machine otherwise.
  if (IS_PAGE_BUILT) args.push('--disable-features=LocalNetworkAccessChecks');
  return chromium.launch({ executablePath: browserPath(), args });
}

/**
 * The board in a page of its own. Whatever asks another host, breaks the policy or throws is kept in `page.faults`;
 * connections that fail because a test cut them are not faults.
 */
export async function open(browser, demo, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(demo.url) && !request.url().startsWith('data:')) page.faults.push(`request of ${request.url()}`);
  });
  page.on('pageerror', (error) => page.faults.push(`thrown: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/WebSocket connection|ERR_/.test(message.text())) page.faults.push(message.text());
  });
  if (IS_PAGE_BUILT) await routeBuilt(page, demo);
  await page.goto(demo.url);
  await live(page);
  return page;
}

/** Answers for the server with what demo/ has built. */
async function routeBuilt(page, demo) {
  for (const [path, contentType] of [['', 'text/html'], ['board.js', 'text/javascript'], ['board.css', 'text/css']]) {
    const file = `${REPOSITORY}crates/gateway/page/${path || 'index.html'}`;
    await page.route(
      (url) => url.origin === new URL(demo.url).origin && url.pathname === `/${path}`,
      (route) => route.fulfill({ path: file, contentType: `${contentType}; charset=utf-8` }),
    );
  }
}

/** Waits until everything is here, and prices are offered. */
export async function live(page, timeout = 20_000) {
  await page.waitForFunction(() => globalThis.oddswire?.client.state === 'live' && oddswire.client.markets.length > 200 && document.querySelector('#board .offered') !== null, null, { timeout });
}

/** Lets what has changed be painted. */
export function painted(page) {
  return page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

/** Percentile of numbers. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)];
}

export { sleep };
