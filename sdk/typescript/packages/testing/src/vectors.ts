import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A golden vector, as `tests/vectors/README.md` describes it. */
export interface Vector {
  /** `area/case`. */
  readonly path: string;
  // The files are JSON of several shapes, and what a case does not have its test will miss.
  readonly input: any;
  readonly frames: Uint8Array[];
  readonly expected: any;
}

/** Where the repository is. */
export const REPOSITORY = fileURLToPath(new URL('../../../../../', import.meta.url));

/** All vectors, in order. */
export function vectors(): Vector[] {
  const root = join(REPOSITORY, 'tests/vectors');
  const paths = readdirSync(root).flatMap((area) =>
    area.includes('.') ? [] : readdirSync(join(root, area)).map((name) => `${area}/${name}`),
  );
  return paths.sort().filter((path) => existsSync(join(root, path, 'input.json'))).map((path) => {
    const file = (name: string): string => readFileSync(join(root, path, name), 'utf8');
    // A line without digits is a frame without bytes.
    const lines = file('frame.hex').split('\n').slice(0, -1).filter((line) => !line.startsWith('#'));
    return {
      path,
      input: JSON.parse(file('input.json')),
      frames: lines.map((line) => Uint8Array.from(Buffer.from(line.replaceAll(' ', ''), 'hex'))),
      expected: JSON.parse(file('expected.json')),
    };
  });
}
