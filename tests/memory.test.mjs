// A page takes no more memory for a larger file, also of one that is encrypted, which is decrypted while it is saved.

import assert from 'node:assert/strict';

import { scenario } from './harness/index.mjs';
import { measureDownload } from './harness/memory-run.mjs';

/** MiB above the empty page; the benchmark `memory` holds 2 GiB to the same. */
const ABOVE_EMPTY_MAX = 150;

/**
 * MiB of a page's buffers while it saves what is encrypted: 16 of segments that are kept, one or two of 4 MiB under way, and
 * what is left of getting it. With a new buffer for each read it is more.
 */
const BUFFERS_MAX = 40;

const inMib = ({ pages, all }) => `${pages.toFixed(0)} MiB (all processes: ${all.toFixed(0)})`;

for (const args of [[], ['--encrypt']]) {
  const what = ['256 MiB', ...args].join(' ');
  scenario(`${what} through a page take no more than ${ABOVE_EMPTY_MAX} MiB above an empty one`, { timeoutMs: 400_000 }, async (lab, t) => {
    const { right, coming, there, saving, mibPerS } = await measureDownload(lab, { mib: 256, args, timeoutMs: 180_000 });
    t.diagnostic(`above empty: coming ${inMib(coming)}, there ${inMib(there)}, saving ${inMib(saving)}; ${mibPerS.toFixed(1)} MiB/s`);
    t.diagnostic(`buffers while saving: ${saving.buffers.toFixed(0)} MiB`);
    assert.equal(right, true, 'the bytes are right');
    for (const each of [coming, there, saving]) assert.ok(each.pages <= ABOVE_EMPTY_MAX, inMib(each));
    if (args.includes('--encrypt')) assert.ok(saving.buffers <= BUFFERS_MAX, `${saving.buffers.toFixed(0)} MiB of buffers`);
  });
}
