/** What a page pays: everything that `@oddswire/web` exports, and what the client alone needs; minified and compressed. */
import { gzipSync } from 'node:zlib';

import { bundle, WEB } from './bundle.js';

/**
 * Most bytes of everything after `gzip -9`: what was reached, and little more, so that growth is noticed. The aim of 10,000
 * is not reached: the model of the compact encoding alone takes 3,100, its reader about as much.
 */
const LIMIT_BYTES = 20_800;

const everything = await size('*');
const client = await size('{ OddswireClient }');
console.log(`everything that @oddswire/web exports: ${everything} bytes (limit ${LIMIT_BYTES}); OddswireClient alone: ${client} bytes`);
for (const part of ['persist', 'odds', 'changes']) {
  console.log(`@oddswire/web/${part}, which is paid for where it is imported: ${await size('*', WEB.replace('index', part))} bytes alone`);
}
if (everything > LIMIT_BYTES) {
  console.error(`${everything - LIMIT_BYTES} bytes too much`);
  process.exit(1);
}

async function size(names, module = WEB) {
  return gzipSync(await bundle(module, names), { level: 9 }).length;
}
