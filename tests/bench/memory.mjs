// How much memory a page takes for a large file: above an empty page, while it comes, when it is there, and while it is
// saved. The bound is 150 MiB for 2 GiB.
//
//   cargo xtask bench memory [--json] [--mib N] [--encrypt]
//
// What counts is the proportional set size of the browser's renderers; beside it stand all processes of the browser, which
// do WebRTC's and the disk's work.

import { parseArgs } from 'node:util';

import { withLab } from '../harness/index.mjs';
import { measureDownload } from '../harness/memory-run.mjs';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    mib: { type: 'string', default: '2048' },
    encrypt: { type: 'boolean', default: false },
  },
});
const PAGES_MIB_MAX = 150;
const say = (line) => process.stderr.write(`${line}\n`);

const result = await withLab('bench memory', (lab) =>
  measureDownload(lab, { mib: Number(options.mib), args: options.encrypt ? ['--encrypt'] : [], timeoutMs: 3_600_000 }),
);
const line = (name, { pages, all }) => say(`${name.padEnd(24)} ${pages.toFixed(0).padStart(5)} MiB in pages, ${all.toFixed(0).padStart(5)} in all processes`);
line('empty', result.empty);
line('above, at most coming', result.coming);
line('above, all there', result.there);
line('above, at most saving', result.saving);
say(`${result.mib} MiB at ${result.mibPerS.toFixed(1)} MiB/s; ${result.right ? 'right to the byte' : 'WRONG BYTES'}`);
if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
const most = Math.max(result.coming.pages, result.there.pages, result.saving.pages);
if (!result.right || most > PAGES_MIB_MAX) {
  say(`more than ${PAGES_MIB_MAX} MiB, or wrong`);
  process.exitCode = 1;
}
