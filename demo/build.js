/**
 * Builds the page into the folder from which the server takes it. `--check` writes nothing and fails when what lies there is
 * not what the sources give; `--serve PORT` rebuilds while you work and hands everything else to a server.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const SDK = '../sdk/typescript/packages';
const OUT = here('../crates/gateway/page');
const PAGE = 'crates/gateway/page';

/** Where the source of each module of the SDK lies, by the name that its users import. */
function sdkSources() {
  const sources = [];
  for (const name of ['core', 'web']) {
    const { exports } = JSON.parse(readFileSync(here(`${SDK}/${name}/package.json`), 'utf8'));
    for (const [path, { default: built }] of Object.entries(exports)) {
      if (built.endsWith('.min.js')) continue;
      const source = built.replace('/dist/', '/src/').replace(/\.js$/, '.ts');
      sources.push([`@oddswire/${name}${path.slice(1)}`, here(`${SDK}/${name}/${source}`)]);
    }
  }
  // The longer names first: the name of a package begins those of its modules.
  return Object.fromEntries(sources.sort(([a], [b]) => b.length - a.length));
}

/** The files of the page by name. */
async function page() {
  const bundle = async (entry) => {
    const { outputFiles } = await build({
      entryPoints: [here(entry)],
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2022',
      charset: 'utf8',
      legalComments: 'none',
      write: false,
      // The sources, so that nothing but this folder has to be installed or built first.
      alias: sdkSources(),
    });
    return outputFiles[0].text;
  };
  const files = { 'board.js': await bundle('src/main.ts'), 'board.css': await bundle('src/board.css') };
  let html = readFileSync(here('src/index.html'), 'utf8').replace(/\n\s*/g, '\n');
  // A name with the content in it may be kept for ever.
  for (const [name, text] of Object.entries(files)) {
    const digest = createHash('sha256').update(text).digest('hex').slice(0, 12);
    html = html.replace(`"${name}"`, `"${name}?v=${digest}"`);
  }
  return { 'index.html': html, ...files };
}

const files = await page();
if (process.argv.includes('--check')) {
  const stale = Object.entries(files).filter(([name, text]) => read(`${OUT}/${name}`) !== text);
  if (stale.length > 0) {
    console.error(`${stale.map(([name]) => `${PAGE}/${name}`).join(', ')}: not what the sources give; run \`npm run build\` in demo/ and commit it`);
    process.exit(1);
  }
  console.log(`${PAGE} is what the sources give`);
} else {
  mkdirSync(OUT, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(`${OUT}/${name}`, text);
  for (const [name, text] of Object.entries(files)) console.log(`${PAGE}/${name}: ${Buffer.byteLength(text)} bytes`);
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
