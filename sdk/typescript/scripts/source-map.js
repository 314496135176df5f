/** Which module each part of a bundle comes from, by its source map. */

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** For each module in a bundle of one line, greatest first: its minified length, and the code with its parts cut out. */
export function withoutModules({ code, map }) {
  const parts = partsOf(map.mappings);
  return map.sources
    .map((source, at) => {
      let without = '';
      parts.forEach(([from, origin], part) => {
        if (origin !== at) without += code.slice(from, parts[part + 1]?.[0]);
      });
      return { module: source.replace('../../core/src', 'core').replace('../src', 'web'), minified: code.length - without.length, without };
    })
    .filter(({ minified }) => minified > 0)
    .sort((a, b) => b.minified - a.minified);
}

/** Where each part begins in the first line, and the place of its module in the list of sources. */
function partsOf(mappings) {
  const parts = [[0, -1]];
  let column = 0;
  let source = 0;
  for (const segment of mappings.split(';')[0].split(',')) {
    const [forth, other] = numbersOf(segment);
    column += forth;
    source += other ?? 0;
    parts.push([column, source]);
  }
  return parts;
}

/** The numbers of a segment: base 64, five bits a digit, the lowest first; a sixth bit says that more follow. */
function numbersOf(segment) {
  const numbers = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value |= (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return numbers;
}
