/** What a page pays: everything that `@oddswire/web` exports, and what the client alone needs; minified and compressed. */
import { brotliCompressSync, gzipSync } from 'node:zlib';

import { bundle, bundleWithout, WEB } from './bundle.js';

/**
 * Most bytes of everything after `gzip -9`: what was reached, and little more, so that growth is noticed. The aim of 10,000
 * is not reached: the model of the compact encoding alone takes 4,000, its reader about 3,500.
 */
const LIMIT_BYTES = 21_800;

const everything = await bundle(WEB);
const size = compressed(everything);
console.log(
  `everything that @oddswire/web exports: ${size} bytes (limit ${LIMIT_BYTES}), ${brotliCompressSync(everything).length} with Brotli; ` +
    `OddswireClient alone: ${compressed(await bundle(WEB, '{ OddswireClient }'))} bytes`,
);
for (const part of ['persist', 'odds', 'changes']) {
  console.log(`@oddswire/web/${part}, which is paid for where it is imported: ${compressed(await bundle(WEB.replace('index', part)))} bytes alone`);
}
if (process.argv.includes('--modules')) {
  console.log('\nWhat each module adds: by how much everything grows by its code, compressed together.');
  for (const { module, minified, without } of await bundleWithout(WEB)) {
    console.log(`  ${module.padEnd(32)} ${String(minified).padStart(6)} minified ${String(size - compressed(without)).padStart(6)} compressed`);
  }
}
if (size > LIMIT_BYTES) {
  console.error(`${size - LIMIT_BYTES} bytes too much`);
  process.exit(1);
}

function compressed(text) {
  return gzipSync(text, { level: 9 }).length;
}
