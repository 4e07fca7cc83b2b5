// What the scripts for Node share: counting checks, and saying which of them failed. `run` reads what is printed here.

import { isDeepStrictEqual, inspect } from 'node:util';

let checks = 0;

/** The two must be equal, deeply. */
export function expect(what, wanted, found) {
  checks += 1;
  if (!isDeepStrictEqual(wanted, found)) {
    console.log(`FAILED: ${what}: expected ${inspect(wanted)}, found ${inspect(found).slice(0, 400)}`);
    process.exitCode = 1;
  }
}

/** Something worth reading that is no check. */
export function note(text) {
  console.log(`NOTE: ${text}`);
}

/** Runs the parts one after the other. What one throws is its failure, and the others run all the same. */
export async function run(parts) {
  for (const part of parts) {
    try {
      await part();
    } catch (error) {
      expect(part.name, 'no error', error.stack);
    }
  }
  console.log(`${checks} checks`);
}
