/**
 * Writes what the compact decoder is generated from: the tables, as docs/protocol.md lists them [COMPACT-4], and the
 * shipped model. With `--check` it writes nothing, and fails when something would change.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../../../', import.meta.url);
const folder = new URL('../packages/core/src/compact/', import.meta.url);
/** Characters of minified code without quotes and backslashes, the commonest first. */
const CHARACTERS = 'tes,io=()nr.hluac;0f&{}#1:2d[]m+?pgb>M4E3vy|6!5-<*NAwO9TkSR8DIC7';
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
    `/** Length of such a model. */\nexport const MODEL_BYTES = ${at + 1};\n` +
    `/** First byte of a model with these tables. */\nexport const LAYOUT = ${model[0]};\n` +
    `/** Contexts and symbols of each table. */\nexport const SIZES = [\n${wrapped(tables.map(({ contexts, symbols }) => `${contexts}, ${symbols},`))}];\n`,
);
// The commonest code is the commonest character of the code around it, and so on, because a page compresses both together.
const counts = Array(64).fill(0);
for (const code of model) counts[code]++;
const byCount = [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b);
const characterOf = (code) => CHARACTERS[byCount.indexOf(code)];
const characters = [...model].map(characterOf).join('');
const alphabet = [...counts.keys()].map(characterOf).join('');
put(
  'shipped-model.ts',
  `${generated}/** The characters of the codes from 0 to 63; then those of the shipped model, one for each byte. */\n` +
    `export const SHIPPED =\n  ${JSON.stringify(alphabet + characters)};\n`,
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
