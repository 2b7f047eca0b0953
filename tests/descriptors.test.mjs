// Row E5: a picture in four parts, any of which show it. Real encoder, real seeder, real page: each part is told of
// as soon as it is there, and what is there can be looked at before the rest has come.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { pleachBinary, scenario, share, until } from './harness/index.mjs';

const PACKET = 65_536;
const COUNT = 4;
const WIDTH = 800;
const HEIGHT = 600;

const run = promisify(execFile);
const coder = () => path.join(path.dirname(pleachBinary()), 'pleach-descriptors');

/** A picture with waves and an edge, and its descriptors. */
async function makePicture(lab) {
  const folder = await lab.folder();
  const rgb = Buffer.alloc(WIDTH * HEIGHT * 3);
  for (let at = 0; at < WIDTH * HEIGHT; at += 1) {
    const [x, y] = [at % WIDTH, Math.floor(at / WIDTH)];
    rgb[at * 3] = 127 + 100 * Math.sin(x / 23) * Math.cos(y / 17);
    rgb[at * 3 + 1] = x > y ? 200 : 60;
    rgb[at * 3 + 2] = (255 * y) / HEIGHT;
  }
  const ppm = Buffer.concat([Buffer.from(`P6\n${WIDTH} ${HEIGHT}\n255\n`), rgb]);
  const [picture, content] = [path.join(folder, 'photo.ppm'), path.join(folder, 'photo.descriptors')];
  await writeFile(picture, ppm);
  await run(coder(), ['encode', picture, '--count', String(COUNT), '-o', content]);
  return { ppm, content };
}

/** What some descriptors, given as bytes, show: a picture, and how near it comes. */
async function decode(lab, descriptors, ppm) {
  const folder = await lab.folder();
  const files = descriptors.map((_, at) => path.join(folder, `part-${at}`));
  await Promise.all(files.map((file, at) => writeFile(file, descriptors[at])));
  const out = path.join(folder, 'shown.ppm');
  const { stderr } = await run(coder(), ['decode', ...files, '-o', out]);
  const shown = await readFile(out);
  assert.equal(shown.length, ppm.length);
  let squares = 0;
  for (let at = 0; at < ppm.length; at += 1) squares += (ppm[at] - shown[at]) ** 2;
  return { layers: Number(/(\d) of 4 layers/.exec(stderr)[1]), error: Math.sqrt(squares / ppm.length) };
}

/** Bytes of a descriptor, as a page gives them. */
const descriptor = async (page, index) =>
  Buffer.from(
    await page.evaluate(async (index) => {
      const blob = await document.querySelector('pleach-download').descriptor(index);
      const reader = new FileReader();
      await new Promise((resolve) => {
        reader.onload = resolve;
        reader.readAsDataURL(blob);
      });
      return reader.result.split(',')[1];
    }, index),
    'base64',
  );

scenario('a page shows a picture of the descriptors that are there, before the rest has come', { timeoutMs: 120_000 }, async (lab, t) => {
  const { ppm, content } = await makePicture(lab);
  const packets = (await readFile(content)).length / PACKET;
  // The author wants two of them first: 3 and 1.
  const first = Array.from({ length: packets }, (_, at) => at).filter((at) => at % COUNT === 1 || at % COUNT === 3);
  const priorities = first.flatMap((at) => ['--priority', `${at * PACKET}-${(at + 1) * PACKET}=200`]);
  const { link } = await share(lab, content, ['--descriptors', String(COUNT), '--upload-limit', '250kB', ...priorities]);
  const browser = await lab.chromium();
  await browser.context.addInitScript(() => {
    globalThis.told = [];
    addEventListener('pleach-descriptor', ({ detail, target }) => told.push({ ...detail, progress: target.progress }));
  });
  const page = await browser.open(link);
  await until('two are there', () => page.evaluate(() => told.length >= 2), { timeoutMs: 60_000 });
  const told = await page.evaluate(() => told);
  t.diagnostic(`told: ${JSON.stringify(told)}`);
  assert.deepEqual(told.slice(0, 2).map(({ index }) => index).sort(), [1, 3]);
  assert.ok(told[1].progress < 1, 'the rest was still on its way');
  const parts = [await descriptor(page, 3), await descriptor(page, 1)];
  const one = await decode(lab, parts.slice(0, 1), ppm);
  const two = await decode(lab, parts, ppm);
  await until('all are there', () => page.evaluate(() => told.length === 4), { timeoutMs: 60_000 });
  parts.push(await descriptor(page, 0), await descriptor(page, 2));
  const three = await decode(lab, parts.slice(0, 3), ppm);
  const four = await decode(lab, parts, ppm);
  t.diagnostic(`error with one to four: ${[one, two, three, four].map(({ error }) => error.toFixed(1)).join(', ')}`);
  assert.deepEqual([one, two, three, four].map(({ layers }) => layers), [1, 2, 3, 4]);
  assert.ok(one.error > two.error && two.error > three.error && three.error > 0);
  assert.equal(four.error, 0, 'with all it is the picture itself');
  assert.equal(await page.evaluate(() => document.querySelector('pleach-download').descriptor(4).catch(({ message }) => message)), 'there is no descriptor 4');
  // Those that an earlier visit left are told of, too.
  await page.reload();
  await until('all are told again', () => page.evaluate(() => told.length === 4));
});

scenario('`pleach get --json` tells of each descriptor, and goes on with those that it has', { timeoutMs: 120_000 }, async (lab) => {
  const { ppm, content } = await makePicture(lab);
  const { link } = await share(lab, content, ['--descriptors', String(COUNT)]);
  const out = path.join(await lab.folder(), 'got.descriptors');
  const get = lab.start('get', pleachBinary(), ['get', link, '-o', out, '--json', '-q']);
  assert.deepEqual(await get.ended, { code: 0, signal: null });
  const events = get.lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  const at = (wanted) => events.findIndex(({ event }) => event === wanted);
  const told = events.filter(({ event }) => event === 'descriptor').map((line) => line.descriptor);
  assert.deepEqual([...told].sort(), [0, 1, 2, 3]);
  assert.ok(at('descriptor') < at('complete'));
  const shown = path.join(await lab.folder(), 'half.ppm');
  const { stderr } = await run(coder(), ['decode', out, '--count', '4', '--with', '0,2', '-o', shown]);
  assert.match(stderr, /2 of 4 layers/);
  assert.equal((await readFile(shown)).length, ppm.length);
  const { stdout } = await run(pleachBinary(), ['inspect', link]);
  assert.match(stdout, /descriptor 3, /);
});
