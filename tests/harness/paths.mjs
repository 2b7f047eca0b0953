// Where the tests find what they run. `cargo xtask test` names the binary and the browser in the environment; by hand
// (`node --test tests/smoke.test.mjs`) the usual places are looked at.

import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const artifacts = path.join(root, 'tests/artifacts');
export const webDist = path.join(root, 'web/dist');

/** The `pleach` binary under test. */
export function pleachBinary() {
  const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
  const binary = process.env.PLEACH_BIN ?? path.resolve(root, target, 'release/pleach');
  if (!isExecutable(binary)) throw new Error(`no program at ${binary}: run \`cargo xtask build\` first`);
  return binary;
}

/** Where the programs are that only tests and benchmarks run: examples of the native crate. */
export function examplesFolder() {
  return path.join(path.dirname(pleachBinary()), 'examples');
}

/** The Chromium of the headless tests. */
export function chromiumBinary() {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const onPath = names.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  const binary = process.env.PLEACH_CHROMIUM ?? onPath.find(isExecutable);
  if (!binary) throw new Error('no Chromium: run `cargo xtask setup` first, or name one in PLEACH_CHROMIUM');
  return binary;
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
