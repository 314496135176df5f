/**
 * The whole of `@oddswire/web` in one small module, for pages that load it as it is: names of properties that nobody outside
 * can see are shortened. `size.js` measures it.
 */
import { writeFileSync } from 'node:fs';

import { build } from 'esbuild';

/**
 * Properties of what is held, of readers and of the session's own objects. What applications see, or the platform has under
 * the same name, must not stand here; a test plays the golden vectors with this bundle and with the modules, and compares
 * all that can be seen.
 */
const INTERNAL = (
  'runners ladders pairs isHighestFirst amountAt setAt definitionDigest subscribers become touched isSynced unanswered membership ' +
  'marketOf subscribersOf isSilent showsAmounts staleAfterMs isResumable resumeFrom isStrict pieces fields nextDelayMs ceilingMs ' +
  'cleared undo skip hex ladder hears tell say advance ends high low long pos reader mirrors request keepsChanges'
).split(' ');

/** Bundles the exports of a module, or some of them; the text. */
export async function bundle(module, names = '*') {
  return (await built(module, names)).outputFiles[0].text;
}

/** For each module in a bundle, greatest first: its minified length, and the text of the bundle with its part cut out. */
export async function bundleWithout(module) {
  const { outputFiles, metafile } = await built(module, '*');
  const { text } = outputFiles[0];
  // Parts stand in the bundle in the order in which they are listed.
  let at = 0;
  const parts = Object.entries(Object.values(metafile.outputs)[0].inputs).map(([path, { bytesInOutput }]) => {
    const from = at;
    at += bytesInOutput;
    return { module: path.replace(/^packages\//, '').replace('dist/', ''), minified: bytesInOutput, without: text.slice(0, from) + text.slice(at) };
  });
  return parts.filter(({ minified }) => minified > 0).sort((a, b) => b.minified - a.minified);
}

async function built(module, names) {
  return build({
    stdin: { contents: `export ${names} from ${JSON.stringify(module)}`, resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    mangleProps: new RegExp(`^(${INTERNAL.join('|')})$`),
    write: false,
    metafile: true,
  });
}

export const WEB = new URL('../packages/web/dist/index.js', import.meta.url).pathname;

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(new URL('../packages/web/dist/oddswire.min.js', import.meta.url), await bundle(WEB));
}
