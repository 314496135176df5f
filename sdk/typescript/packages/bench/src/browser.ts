import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import type { View } from '@oddswire/web';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

import type { measure } from './measure.js';

/** Where a Chromium of the system may be; none is brought along. */
const CHROMIUMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
/** A page of its own process has a clock of 5 µs; others have one of 100. */
const ISOLATED = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/** The same as `measure`, in a page in Chromium. */
export async function measureInBrowser(
  view: View,
  compact: readonly Uint8Array[],
  plain: readonly Uint8Array[],
  rounds: number,
): Promise<ReturnType<typeof measure>> {
  const named = process.env['CHROMIUM'];
  const executablePath = (named ? [named] : CHROMIUMS).find((path) => existsSync(path));
  if (!executablePath) throw new Error('there is no Chromium; install one (`apt-get install chromium`) or set CHROMIUM');
  const entryPoints = [fileURLToPath(new URL('./measure.js', import.meta.url))];
  const script = (await build({ entryPoints, bundle: true, minify: true, format: 'iife', globalName: 'bench', target: 'es2022', write: false })).outputFiles[0]!;
  const files: Record<string, [string, Uint8Array]> = {
    '/': ['text/html', Buffer.from('<!doctype html><title>bench</title><script src="/bench.js"></script>')],
    '/bench.js': ['text/javascript', script.contents],
    '/compact': ['application/octet-stream', pack(compact)],
    '/plain': ['application/octet-stream', pack(plain)],
  };
  const server = createServer(({ url }, response) => {
    const [type, body] = files[url ?? ''] ?? ['text/plain', Buffer.from('')];
    response.writeHead(200, { 'content-type': type, ...ISOLATED }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as { port: number }).port}/`);
    // What runs here runs in the page.
    const run = `(async () => {
      if (!crossOriginIsolated) throw new Error('the clock is too coarse');
      const unpack = async (path) => {
        const bytes = new Uint8Array(await (await fetch(path)).arrayBuffer());
        const lengths = new DataView(bytes.buffer);
        const frames = [];
        for (let at = 0; at < bytes.length; ) {
          const length = lengths.getUint32(at);
          frames.push(bytes.slice(at + 4, at += 4 + length));
        }
        return frames;
      };
      return bench.measure(${JSON.stringify(view)}, await unpack('/compact'), await unpack('/plain'), ${rounds});
    })()`;
    return await page.evaluate(run);
  } finally {
    await browser.close();
    server.close();
  }
}

/** Frames one behind the other, each with its length before it. */
function pack(frames: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    frames.flatMap((frame) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(frame.length);
      return [length, frame];
    }),
  );
}
