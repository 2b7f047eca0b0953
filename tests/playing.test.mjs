// Row C5: a video plays while it comes, by the service worker, in the page and in a site of its own: real videos, real seeders
// whose upload is capped, so that what is not there yet is known to be missing.

import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { scenario, secondShown, seed, seedFolder, startTracker, until, webDist, writeVideo } from './harness/index.mjs';

const VIDEO = { seconds: 60, bytesPerS: 150_000 };
/** The video takes 14 s to come, and is used up in a minute. */
const UPLOAD = ['--upload-limit', '700kB'];
const options = { timeoutMs: 180_000 };

const inElement = (page, read, argument) =>
  page.evaluate(`(${read})(document.querySelector('pleach-download, pleach-video'), ${JSON.stringify(argument)})`);
const progress = (page) => inElement(page, (it) => it.progress);
const inVideo = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download, pleach-video').shadowRoot.querySelector('video'))`);

async function plays(page, fromS = 0.3) {
  await until('the video plays', () => inVideo(page, `(video) => video && !video.paused && video.currentTime > ${fromS}`), { timeoutMs: 60_000 });
}

/** Seeks, and gives the time until the frame there is shown. */
async function seek(page, second) {
  const tookMs = await inVideo(
    page,
    `(video) => new Promise((resolve) => {
      const from = performance.now();
      video.addEventListener('seeked', () => requestAnimationFrame(() => resolve(performance.now() - from)), { once: true });
      video.currentTime = ${second} + 0.1;
    })`,
  );
  const shown = await inVideo(page, secondShown);
  assert.ok(Math.abs(shown - second) <= 1, `the frame of second ${second} is shown, not of ${shown}`);
  return tookMs;
}

for (const name of ['video.webm', 'front.mp4', 'end.mp4']) {
  scenario(`${name} plays while it comes, and where it is sought`, options, async (lab, t) => {
    const file = await writeVideo(lab, name, VIDEO);
    const { address } = await startTracker(lab);
    const { link } = await seed(lab, file, address, UPLOAD);
    const page = await (await lab.chromium()).open(link);
    await page.getByRole('button', { name: 'Play', exact: true }).click();
    await plays(page);
    const share = await progress(page);
    const from = await inVideo(page, (video) => video.currentTime);
    assert.ok(share < 0.6, `it began before all was there: ${share}`);
    assert.ok(Math.abs((await inVideo(page, secondShown)) - from) <= 1.5, 'the frame that it says');
    const tookMs = await seek(page, 50);
    const after = await progress(page);
    t.diagnostic(`played with ${percent(share)} there; a seek to ${percent(50 / 60)} took ${tookMs.toFixed(0)} ms, with ${percent(after)} there then`);
    assert.ok(after < 0.8, `what was sought had not come by itself: ${after}`);
    await plays(page, 50.2);
    // Back to where it is missing again, and on to the end of the download.
    t.diagnostic(`a seek back to a half took ${(await seek(page, 30)).toFixed(0)} ms`);
    await until('all is there', async () => (await inElement(page, (it) => it.state)) === 'complete', { timeoutMs: 60_000 });
  });
}

scenario('a video goes on where it was after a reload', options, async (lab, t) => {
  const file = await writeVideo(lab, 'video.webm', VIDEO);
  const { address } = await startTracker(lab);
  const { link } = await seed(lab, file, address, UPLOAD);
  const page = await (await lab.chromium()).open(link);
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await plays(page);
  await until('some of it is there', async () => (await progress(page)) > 0.3);
  await page.reload();
  await page.getByText(/went on from/i).first().waitFor({ timeout: 30_000 });
  const from = Date.now();
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await plays(page);
  t.diagnostic(`played again ${Date.now() - from} ms after the button was pressed`);
  const share = await progress(page);
  assert.ok(share > 0.3 && share < 1, `it went on: ${share}`);
});

scenario('a folder: subtitles, exact ranges, and nothing of a stranger’s that runs', options, async (lab) => {
  const video = await writeVideo(lab, 'front.mp4', { ...VIDEO, seconds: 20 });
  const folder = await lab.folder();
  const files = [{ path: 'films/talk.mp4', file: video }];
  const texts = {
    'films/talk.en.vtt': 'WEBVTT\n\n00:00.000 --> 00:09.000\nGood evening.\n',
    'films/page.html': '<script>fetch("/stolen")</script>',
    'films/drawing.svg': '<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("/stolen")</script></svg>',
    'films/guide.pdf': pdf(),
  };
  for (const [name, text] of Object.entries(texts)) {
    await writeFile(path.join(folder, path.basename(name)), text);
    files.push({ path: name, file: path.join(folder, path.basename(name)) });
  }
  const { address } = await startTracker(lab);
  const { link } = await seedFolder(lab, 'Films', files, address, UPLOAD);
  const browser = await lab.chromium();
  const page = await browser.open(link);
  await page.getByRole('button', { name: 'Play talk.mp4' }).click();
  await plays(page);
  const cues = await until('the subtitles are there', () =>
    inVideo(page, (video) => {
      const [track] = video.textTracks;
      if (track) track.mode = 'showing';
      return track?.cues?.length && { label: track.label, language: track.language, text: track.cues[0].text };
    }),
  );
  assert.deepEqual(cues, { label: 'English', language: 'en', text: 'Good evening.' });

  const base = await inVideo(page, (video) => video.src.replace(/0\/talk\.mp4$/, ''));
  assert.match(base, new RegExp(`^http://${address}/~pleach/[0-9a-f]{64}/$`));
  const ask = (file, range) =>
    page.evaluate(
      async ({ url, range }) => {
        const answer = await fetch(url, range ? { headers: { range } } : {});
        const bytes = new Uint8Array(await answer.arrayBuffer());
        return { status: answer.status, headers: Object.fromEntries(answer.headers), bytes: Array.from(bytes.subarray(0, 1000)), length: bytes.length };
      },
      { url: `${base}${file}/x`, range },
    );
  const whole = await readFile(video);
  const from = whole.length - 100_000;
  const end = await ask(0, `bytes=${from}-${from + 99}`);
  assert.equal(end.status, 206);
  assert.equal(end.headers['content-range'], `bytes ${from}-${from + 99}/${whole.length}`);
  assert.deepEqual(Buffer.from(end.bytes), whole.subarray(from, from + 100));
  assert.equal((await ask(0, `bytes=${whole.length}-`)).status, 416);
  for (const file of [2, 3]) {
    const answer = await ask(file);
    assert.equal(answer.headers['content-type'], 'application/octet-stream');
    assert.match(answer.headers['content-security-policy'], /sandbox/);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.equal(answer.length, texts[files[file].path].length);
  }
  assert.equal((await ask(99)).status, 404, 'there is no such file');

  // Not even as a page of its own: it is saved, and runs nowhere.
  const other = await browser.open();
  await other.goto(`${base}2/page.html`).catch(() => {});
  assert.ok(!browser.lines.some((line) => line.includes('/stolen')), browser.lines.join('\n'));

  await page.getByRole('button', { name: 'Open guide.pdf' }).click();
  // From the stored file, where everything has come meanwhile.
  await until('the viewer is there', () => page.frames().some((frame) => /guide\.pdf$|^blob:/.test(frame.url())));
  await page.getByRole('button', { name: 'Close guide.pdf' }).click();
  assert.equal(await page.evaluate(() => document.querySelector('pleach-download').shadowRoot.activeElement?.ariaLabel), 'Open guide.pdf', 'the focus is back');
});

scenario('<pleach-video> in a site that serves the service worker', options, async (lab, t) => {
  const file = await writeVideo(lab, 'video.webm', VIDEO);
  const { address } = await startTracker(lab);
  const { link } = await seed(lab, file, address, UPLOAD);
  const site = await siteWith(lab, address, link);
  await copyFile(path.join(webDist, 'pleach-sw.js'), path.join(site.folder, 'pleach-sw.js'));
  const page = await (await lab.chromium()).open(site.url);
  await page.getByRole('button', { name: /^Play/ }).click();
  await plays(page);
  const share = await progress(page);
  assert.ok(share < 0.6, `it began before all was there: ${share}`);
  t.diagnostic(`a seek took ${(await seek(page, 45)).toFixed(0)} ms`);
  assert.equal(await inElement(page, (it) => it.hasAttribute('waits-for-all')), false);
});

scenario('<pleach-video> in a site that does not waits for all, says so, and plays then', options, async (lab) => {
  const file = await writeVideo(lab, 'video.webm', { ...VIDEO, seconds: 20 });
  const { address } = await startTracker(lab);
  const { link } = await seed(lab, file, address, UPLOAD);
  const site = await siteWith(lab, address, link);
  const page = await (await lab.chromium()).open(site.url);
  await page.getByRole('button', { name: /^Play/ }).click();
  await page.getByText(/opens by itself when everything is here/).first().waitFor({ timeout: 30_000 });
  assert.equal(await inElement(page, (it) => it.hasAttribute('waits-for-all')), true);
  await plays(page);
  assert.equal(await progress(page), 1);
  assert.equal(await inElement(page, (it) => it.hasAttribute('waits-for-all')), false);
});

scenario('a site’s own service worker stays, and may have this one in it', options, async (lab) => {
  const file = await writeVideo(lab, 'video.webm', VIDEO);
  const { address } = await startTracker(lab);
  const { link } = await seed(lab, file, address, UPLOAD);
  const site = await siteWith(lab, address, link);
  await copyFile(path.join(webDist, 'pleach-sw.js'), path.join(site.folder, 'pleach-sw.js'));
  await writeFile(path.join(site.folder, 'own.js'), `importScripts('pleach-sw.js'); addEventListener('fetch', (event) => { if (event.request.url.endsWith('/own')) event.respondWith(new Response('mine')); });`);
  const page = await (await lab.chromium()).open(site.url);
  await page.evaluate(() => navigator.serviceWorker.register('own.js').then(() => navigator.serviceWorker.ready));
  await page.reload();
  await page.getByRole('button', { name: /^Play/ }).click();
  await plays(page);
  assert.ok((await progress(page)) < 0.8);
  assert.equal(await page.evaluate(() => fetch('/own').then((answer) => answer.text())), 'mine');
});

/** A site of its own that has the element in its page. */
async function siteWith(lab, address, link) {
  const folder = path.join(await lab.folder());
  const page = `<!doctype html><meta charset="utf-8"><title>A site</title>
    <script type="module" src="http://${address}/pleach.js"></script>
    <pleach-video src="${link}" controls muted></pleach-video>`;
  await writeFile(path.join(folder, 'index.html'), page);
  const { url } = await lab.serve(folder);
  return { folder, url };
}

/** The smallest that a viewer takes. */
function pdf() {
  return `%PDF-1.1
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj
trailer<</Root 1 0 R>>
%%EOF
`;
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}
