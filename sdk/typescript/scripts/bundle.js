/**
 * The whole of `@oddswire/web` in one small module, for pages that load it as it is: names of properties that nobody outside
 * can see are shortened (see `names.js`). A test plays the golden vectors with this bundle and with the modules, and compares
 * all that can be seen. `size.js` measures it.
 */
import { writeFileSync } from 'node:fs';

import { build } from 'esbuild';
import { minify } from 'terser';

import { internalNames } from './names.js';

const web = (path) => new URL(`../packages/web/${path}`, import.meta.url).pathname;
/** The shipped model compresses unlike the code, so it comes first and does not stand between what is alike. */
const MODEL = new URL('../packages/core/dist/compact/shipped-model.js', import.meta.url).pathname;

/** The entry of a package's module, built. */
export const entry = (name) => web(`dist/${name}.js`);

/** Bundles all exports of modules: the code and its source map. Unless it `shortens`, names stay as they are. */
export async function bundle(modules, shortens = true) {
  const internal = shortens ? internalNames(modules.map((module) => module.replace('/dist/', '/src/').replace(/\.js$/, '.ts'))) : [];
  const exports = modules.map((module) => `export * from ${JSON.stringify(module)};`).join('');
  const { outputFiles } = await build({
    stdin: { contents: `import ${JSON.stringify(MODEL)};${exports}`, resolveDir: process.cwd() },
    // That import is there for the order alone.
    logOverride: { 'ignored-bare-import': 'silent' },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    ...(internal.length > 0 && { mangleProps: new RegExp(`^(${internal.join('|')})$`) }),
    write: false,
    outfile: entry('oddswire.min'),
    sourcemap: 'external',
  });
  const [map, text] = outputFiles.map(({ text }) => text);
  // One word compresses better than two; the blanks keep places as the map has them.
  const oneWord = text.replace(/(^ +|\()const /gm, '$1let   ');
  const { code, map: shortMap } = await minify(oneWord, {
    module: true,
    ecma: 2022,
    compress: { passes: 3, pure_getters: true, reduce_funcs: false },
    sourceMap: { content: map, asObject: true },
  });
  return { code, map: shortMap };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { code, map } = await bundle([entry('index')]);
  writeFileSync(entry('oddswire.min'), `${code}\n//# sourceMappingURL=oddswire.min.js.map\n`);
  writeFileSync(`${entry('oddswire.min')}.map`, JSON.stringify(map));
}
