/**
 * Writes what the compact decoder is generated from: the tables, as docs/protocol.md lists them [COMPACT-4], and the
 * shipped model. With `--check` it writes nothing, and fails when something would change.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../../../', import.meta.url);
const folder = new URL('../packages/core/src/compact/', import.meta.url);
const generated = '/** Written by `npm run model`. */\n';

const rows = [...readFileSync(new URL('docs/protocol.md', root), 'utf8').matchAll(/^\| `([A-Z_]+)` \| (\d+) x (\d+) \| (.*) \|$/gm)];
const tables = rows.map(([, name, contexts, symbols, about]) => ({
  name: pascal(name),
  contexts: Number(contexts),
  symbols: Number(symbols),
  about,
}));
const model = readFileSync(new URL('crates/wire/src/compact/shipped.model', root));
let at = 0;
const members = tables.map(({ name, contexts, symbols, about }) => {
  const member = `  /** ${about} ${contexts} x ${symbols}. */\n  ${name} = ${at},\n`;
  at += contexts * symbols;
  return member;
});
if (model.length !== at + 1 || model.some((code) => code > 63)) throw new Error('shipped.model has another layout than the protocol');

let isStale = false;
put(
  'tables.ts',
  `${generated}/** Where the tables of a model begin [COMPACT-4]. */\nexport const enum Table {\n${members.join('')}}\n\n` +
    `/** First byte of a model with these tables. */\nexport const LAYOUT = ${model[0]};\n` +
    `/** Contexts and symbols of each table. */\nexport const SIZES = [\n${wrapped(tables.map(({ contexts, symbols }) => `${contexts}, ${symbols},`))}];\n`,
);
// From 48 on, so that 44 of 64 codes are digits and letters; the backslash is one of the others.
const characters = [...model].map((code) => String.fromCharCode(48 + code)).join('');
put(
  'shipped-model.ts',
  `${generated}/** The shipped model, a character for each byte: 48 more than it. */\nexport const SHIPPED = ${JSON.stringify(characters)};\n`,
);
if (isStale) {
  console.error('the generated part of the compact decoder is not up to date; run `npm run model`');
  process.exit(1);
}

function put(name, text) {
  const file = new URL(name, folder);
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (readFileSync(file, 'utf8') !== text) isStale = true;
}

function pascal(name) {
  return name.toLowerCase().replace(/(^|_)(\w)/g, (_, __, letter) => letter.toUpperCase());
}

function wrapped(words) {
  const lines = [''];
  for (const word of words) {
    if (lines.at(-1).length + word.length > 100) lines.push('');
    lines[lines.length - 1] += `${lines.at(-1) ? ' ' : ''}${word}`;
  }
  return lines.map((line) => `  ${line}\n`).join('');
}
