/**
 * Which names of properties may be shortened in the bundle: those that the sources declare and that neither an application
 * can meet nor the platform has. It asks the compiler, so there is no list to keep.
 *
 * What applications meet is what the types say that they import: everything that can be reached from the exports of an entry,
 * except members marked `@internal`.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const ts = createRequire(import.meta.url)('typescript');
const OURS = /\/packages\/(core|web)\/src\//;

/** Names to shorten in a bundle of these entries, which are paths of sources. */
export function internalNames(entries) {
  const program = ts.createProgram(entries, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: [],
    strict: true,
    noEmit: true,
    paths: sources(),
  });
  const checker = program.getTypeChecker();
  const ours = program.getSourceFiles().filter(({ fileName }) => OURS.test(fileName));
  const declared = new Set();
  const kept = new Set();
  for (const source of ours) {
    visit(source, (node) => {
      const name = nameOf(node);
      if (!name) return;
      if (isDeclaration(node.parent, node)) declared.add(name);
      // What the platform declares as well keeps its name everywhere, whoever has it.
      const symbol = checker.getSymbolAtLocation(node);
      if (symbol?.declarations?.some((declaration) => !OURS.test(declaration.getSourceFile().fileName))) kept.add(name);
      // Keys that are looked up by their text.
      const object = node.parent;
      if (ts.isObjectLiteralElement(object) && object.name === node && checker.getContextualType(object.parent)?.getStringIndexType()) kept.add(name);
      // A property of something without a type may belong to anybody.
      if (!symbol && ts.isPropertyAccessExpression(node.parent)) kept.add(name);
    });
  }
  const seen = new Set();
  for (const entry of entries) {
    for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)))) meet(symbol);
  }
  return [...declared].filter((name) => !kept.has(name)).sort();

  /** Keeps the names that can be reached from a symbol. */
  function meet(symbol) {
    if (symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
    if (seen.has(symbol)) return;
    seen.add(symbol);
    for (const declaration of symbol.declarations ?? []) {
      if (!OURS.test(declaration.getSourceFile().fileName)) continue;
      meetTypes(declaration);
    }
  }

  /** Keeps the names of members, and goes on with all types that a declaration names. */
  function meetTypes(declaration) {
    visit(declaration, (node) => {
      if (isHidden(node)) return false;
      // Bodies and initial values are nobody's business, except that what they evaluate to has a type.
      if (ts.isBlock(node)) return false;
      if (ts.isIdentifier(node) || ts.isStringLiteral(node)) {
        if (isDeclaration(node.parent, node)) kept.add(node.text);
        const symbol = checker.getSymbolAtLocation(node);
        if (symbol) meet(symbol);
      }
      return true;
    });
  }
}

/** Where the sources of modules lie, by the names that their users import. */
function sources() {
  const found = {};
  for (const name of ['core', 'web']) {
    const folder = new URL(`../packages/${name}/`, import.meta.url);
    const { exports } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
    for (const [path, { types }] of Object.entries(exports)) {
      found[`@oddswire/${name}${path.slice(1)}`] = [new URL(types.replace('/dist/', '/src/').replace('.d.ts', '.ts'), folder).pathname];
    }
  }
  return found;
}

function visit(node, action) {
  if (action(node) === false) return;
  ts.forEachChild(node, (child) => visit(child, action));
}

/** What a node is called, where it is a name. */
function nameOf(node) {
  return ts.isIdentifier(node) ? node.text : undefined;
}

/** Whether `name` is what a member of an object or a class is called by. */
function isDeclaration(parent, name) {
  return (
    (ts.isPropertyDeclaration(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent) ||
      ts.isGetAccessor(parent) ||
      ts.isSetAccessor(parent) ||
      (ts.isParameter(parent) && ts.isParameterPropertyDeclaration(parent, parent.parent))) &&
    parent.name === name
  );
}

/** Members that applications do not meet. */
function isHidden(node) {
  if (!ts.isClassElement(node) && !ts.isTypeElement(node) && !ts.isParameter(node)) return false;
  const { Private, Protected } = ts.ModifierFlags;
  return (
    Boolean(ts.getCombinedModifierFlags(node) & (Private | Protected)) ||
    (node.name && ts.isPrivateIdentifier(node.name)) ||
    ts.getJSDocTags(node).some(({ tagName }) => tagName.text === 'internal')
  );
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const entry = new URL('../packages/web/src/index.ts', import.meta.url).pathname;
  console.log(internalNames([entry]).join(' '));
}
