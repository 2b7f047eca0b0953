// "Who feeds whom" in a real swarm: what the page draws and tells is what is.

import assert from 'node:assert/strict';
import path from 'node:path';

import { pleachBinary, scenario, seed, startTracker, until } from './harness/index.mjs';

const MIB = 1 << 20;

const inSection = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download').shadowRoot.querySelector('.feeding'))`);
const rows = (page) =>
  inSection(page, (section) =>
    [...section.querySelectorAll('tbody tr')].map((row) => {
      const [number, name, relation, down, up, got] = [...row.children].map((cell) => cell.textContent);
      return { number, name, relation, down, up, got };
    }),
  );
const marks = (page, kind) => inSection(page, `(section) => section.querySelectorAll('.drawing .${kind}').length`);
const peers = (page) => page.evaluate(() => document.querySelector('pleach-download').peers);

async function openPage(lab, link) {
  const page = await (await lab.chromium()).open(link);
  await page.getByText('Who feeds whom').click();
  return page;
}

scenario('the picture and the table show who feeds the page, with a tracker and without', { timeoutMs: 240_000 }, async (lab) => {
  const file = await lab.sample('picture.bin', 40 * MIB);
  // One tree in which each feeds one, never put in another order: source, native, first page, second page.
  const { process: tracker, address } = await startTracker(lab, { args: ['--stripes', '1', '--fan-out-max', '1', '--laterals', '0', '--epoch-ms', '600000'] });
  const { link } = await seed(lab, file, address, ['--slots', '1', '--upload-limit', '600kB']);
  const out = path.join(await lab.folder(), 'native.bin');
  const native = lab.start('native', pleachBinary(), ['get', link, '-o', out, '--seed', '-v']);
  await native.waitFor(/connected to peer/);
  const first = await openPage(lab, link);
  await until('the first page is fed', async () => (await rows(first)).some(({ down }) => down !== '–'));
  const second = await openPage(lab, link);
  await until('the second page is fed', async () => (await rows(second)).some(({ down }) => down !== '–'));

  const forest = await until('the tracker shows all four', async () => {
    const answer = await (await fetch(`http://${address}/swarms/${new URL(link).pathname.slice(1)}/forest.json`)).json();
    return answer.peers.length === 4 && answer;
  });
  await until('the picture shows all four', async () => (await marks(second, 'peer-mark')) === 4 && (await marks(first, 'peer-mark')) === 4);
  await truthfully(forest, first, second);

  await tracker.stop({ signal: 'SIGKILL' });
  await until('the picture is of the page alone', () => inSection(second, (it) => /your own connections only/.test(it.textContent)), { timeoutMs: 30_000 });
  // Without the tracker it looks for others itself, so there may be more than the one that feeds it: all are there, and
  // marked as what they are.
  await until('the picture is of its neighbours', async () => (await marks(second, 'peer-mark')) === 1 + (await peers(second)).length);
  const { arrows, feeders } = await inSection(second, (section) => {
    const bring = ([, , relation, down]) => relation.startsWith('feeds you') || down !== '–';
    const cells = [...section.querySelectorAll('tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent));
    return { arrows: section.querySelectorAll('.drawing .own.down').length, feeders: cells.filter(bring).length };
  });
  assert.ok(feeders >= 1);
  assert.equal(arrows, feeders);

  // It is remembered, and it rests while it is closed.
  await second.getByText('Who feeds whom').click();
  await until('it is closed', async () => !(await inSection(second, (it) => it.open)));
  assert.ok(await inSection(first, (it) => it.open));
});

/** Each page's feeder in its table is the one that the tracker has above it, and that its engine counts bytes from. */
async function truthfully(forest, ...pages) {
  const depths = [];
  for (const page of pages) {
    const [table, links] = [await rows(page), await peers(page)];
    const feeding = table.filter(({ relation }) => relation.startsWith('feeds you'));
    assert.equal(feeding.length, 1, JSON.stringify(table));
    const link = links[Number(feeding[0].number) - 1];
    assert.ok(link.receivedBytes > 0 && link.stripesDown === 1, JSON.stringify(links));
    const feeder = forest.peers.findIndex(({ id }) => link.id.startsWith(id));
    const below = forest.peers.filter(({ parents }) => parents[0] === feeder);
    assert.equal(below.length, 1, JSON.stringify(forest));
    depths.push(below[0].depth);
    assert.equal(await marks(page, 'me'), 1);
    assert.equal(await marks(page, 'source .held'), 1, 'the source is known by its shape');
  }
  assert.deepEqual(depths, [2, 3], 'source, native, first page, second page');
  // What a page sends is counted once it is acknowledged, later than what comes is counted at the far end.
  await until('the first feeds the second', async () => (await rows(pages[0])).some(({ relation, up }) => relation === 'you feed it' && up !== '–'));
}
