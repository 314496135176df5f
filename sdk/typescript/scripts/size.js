/** What a page pays: everything that `@oddswire/web` exports; minified and compressed. */
import { brotliCompressSync, gzipSync } from 'node:zlib';

import { bundle, entry } from './bundle.js';
import { withoutModules } from './source-map.js';

/**
 * Most bytes of everything after `gzip -9`: what was reached, and little more, so that growth is noticed. The aim of 10,000
 * is not reached.
 */
const LIMIT_BYTES = 18_500;

const everything = await bundle([entry('index')]);
const size = compressed(everything.code);
console.log(
  `everything that @oddswire/web exports: ${everything.code.length} bytes, ${size} with gzip (limit ${LIMIT_BYTES}), ` +
    `${brotliCompressSync(everything.code).length} with Brotli`,
);
console.log(`the same without shortened names, as bundlers make it of the modules: ${compressed((await bundle([entry('index')], false)).code)} with gzip`);
for (const part of ['persist', 'odds', 'changes']) {
  const both = await bundle([entry('index'), entry(part)]);
  console.log(`@oddswire/web/${part}, which is paid for where it is imported, adds ${compressed(both.code) - size}`);
}
if (process.argv.includes('--modules')) {
  console.log('\nWhat each module adds: by how much everything grows by its code, compressed together.');
  for (const { module, minified, without } of withoutModules(everything)) {
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
