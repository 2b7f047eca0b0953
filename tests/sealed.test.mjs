// Encrypted and compressed content in a page: opened with the key of the link or a password, saved, played while it
// comes; and nothing of the key, the names or the bytes in what the browser asks of servers. Real tracker, real seeders,
// real pages.

import assert from 'node:assert/strict';
import { cp, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { scenario, secondShown, sha256, share, until, webDist, writeVideo } from './harness/index.mjs';

const MIB = 1 << 20;
const options = { timeoutMs: 180_000 };
const keyOf = (link) => link.split('&k1.')[1];

/** A browser that saves by its downloads: nobody is there to answer a picker. */
async function openBrowser(lab) {
  const browser = await lab.chromium({ acceptDownloads: true });
  await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'showSaveFilePicker', { value: undefined }));
  return browser;
}

/** Everything that pages and workers of a browser ask of servers by HTTP, and say over sockets. */
function tap(browser) {
  const said = [];
  browser.context.on('request', (request) => said.push(request.url(), JSON.stringify(request.headers()), request.postData() ?? ''));
  browser.context.on('page', (page) =>
    page.on('websocket', (socket) => {
      said.push(socket.url());
      socket.on('framesent', ({ payload }) => said.push(String(payload)));
      socket.on('framereceived', ({ payload }) => said.push(String(payload)));
    }),
  );
  return said;
}

const inElement = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download, pleach-video'))`);

async function complete(page) {
  await until(
    'the page has everything',
    async () => {
      const state = await inElement(page, (it) => it.state);
      assert.notEqual(state, 'failed');
      return state === 'complete';
    },
    { timeoutMs: 90_000 },
  );
}

async function downloaded(page, lab, press) {
  const [download] = await Promise.all([page.waitForEvent('download', { timeout: 60_000 }), press()]);
  const file = path.join(await lab.folder(), `${Math.random().toString(36).slice(2)}.saved`);
  await download.saveAs(file);
  return { name: download.suggestedFilename(), file };
}

async function sampleFolder(lab) {
  const folder = path.join(await lab.folder(), 'Whistleblower');
  await mkdir(path.join(folder, 'deep'), { recursive: true });
  const sizes = { 'big.bin': 9 * MIB, 'deep/note.txt': 70_001, 'empty.txt': 0 };
  for (const [name, size] of Object.entries(sizes)) await rename(await lab.sample('part', size, size + 1), path.join(folder, name));
  return { folder, names: Object.keys(sizes) };
}

scenario('an encrypted file comes out as it was, and no server is asked for its name or told its key', options, async (lab) => {
  const file = await lab.sample('whistleblower.bin', 5 * MIB + 7, 3);
  const { link } = await share(lab, file, ['--encrypt']);
  const browser = await openBrowser(lab);
  const said = tap(browser);
  const page = await browser.open(link);
  await complete(page);
  await page.getByText('whistleblower.bin').first().waitFor();
  await page.getByText(/encrypted/).first().waitFor();
  // Before it is saved: on its way to the browser's downloads it lies there as it is, as it will where they put it.
  const stored = await storedBytes(page);
  assert.ok(stored.size > 5 * MIB, 'what is stored is looked at');
  assert.equal(stored.find(await firstBytes(file)), false, 'what is stored is encrypted');
  assert.equal(stored.find(Buffer.from(keyOf(link), 'base64url')), false, 'the key is not stored');
  const saved = await downloaded(page, lab, () => page.getByRole('button', { name: 'Save file' }).click());
  assert.equal(saved.name, 'whistleblower.bin');
  assert.equal(await sha256(saved.file), await sha256(file));
  const all = said.join('\n');
  assert.ok(all.includes(link.split('#')[0]) && all.includes('"status"'), 'what is asked and said is looked at');
  for (const secret of [keyOf(link), keyOf(link).slice(0, 16), 'whistleblower']) assert.ok(!all.includes(secret), `nobody is told ${secret}`);
  assert.ok(!browser.lines.some((line) => line.replaceAll(link, '').includes(keyOf(link))), 'the console does not tell the key');
});

scenario('an encrypted and compressed folder: one file before the rest, then all of it', options, async (lab) => {
  const { folder, names } = await sampleFolder(lab);
  const { link } = await share(lab, folder, ['--encrypt', '--compress', '--upload-limit', '1500kB']);
  const page = await (await openBrowser(lab)).open(link);
  const save = page.getByRole('button', { name: 'Save note.txt' });
  await save.waitFor();
  const one = await downloaded(page, lab, () => save.click());
  assert.equal(one.name, 'note.txt');
  assert.equal(await sha256(one.file), await sha256(path.join(folder, 'deep/note.txt')));
  assert.ok((await inElement(page, (it) => it.progress)) < 1, 'the rest was still on its way');
  await complete(page);
  await page.evaluate(async () => {
    const chosen = await (await navigator.storage.getDirectory()).getDirectoryHandle('chosen', { create: true });
    globalThis.showDirectoryPicker = async () => chosen;
  });
  await page.getByRole('button', { name: 'Save into a folder' }).click();
  await page.getByText('Saved into “Whistleblower”').first().waitFor({ timeout: 60_000 });
  for (const name of names) assert.equal(await digestIn(page, ['chosen', 'Whistleblower', ...name.split('/')]), await sha256(path.join(folder, name)), name);
  const zip = await downloaded(page, lab, () => page.getByRole('button', { name: 'Save all as ZIP' }).click());
  assert.ok((await readFile(zip.file)).includes('big.bin'));
});

scenario('a password, wrong and then right, by the keyboard alone', options, async (lab) => {
  const file = await lab.sample('talk.bin', 2 * MIB, 4);
  const password = path.join(await lab.folder(), 'password');
  await writeFile(password, 'correct horse\n');
  const { link } = await share(lab, file, ['--password-file', password]);
  assert.equal(keyOf(link), undefined);
  const page = await (await openBrowser(lab)).open(link);
  const field = page.getByLabel('This is encrypted. Password:');
  await field.waitFor();
  assert.equal(await page.getByText('talk.bin').count(), 0, 'the name is not known before');
  await field.focus();
  await page.keyboard.type('incorrect horse');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('The password is wrong').waitFor({ timeout: 30_000 });
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  await page.keyboard.type('correct horse');
  await page.keyboard.press('Enter');
  await complete(page);
  assert.equal(await field.isVisible(), false);
  const saved = await downloaded(page, lab, () => page.getByRole('button', { name: 'Save file' }).click());
  assert.equal(saved.name, 'talk.bin');
  assert.equal(await sha256(saved.file), await sha256(file));
});

scenario('who stops and goes on is not asked for the password again; a reload asks, and no list has the name', options, async (lab) => {
  const file = await lab.sample('talk.bin', 3 * MIB, 4);
  const password = path.join(await lab.folder(), 'password');
  await writeFile(password, 'correct horse\n');
  const { link } = await share(lab, file, ['--password-file', password, '--upload-limit', '700kB']);
  const browser = await openBrowser(lab);
  const page = await browser.open(link);
  const field = page.getByLabel('This is encrypted. Password:');
  const state = () => inElement(page, (it) => it.state);
  const unlock = async () => {
    await field.fill('correct horse');
    await page.keyboard.press('Enter');
    await until('something comes', () => inElement(page, (it) => it.state === 'downloading' && it.progress > 0));
  };
  await unlock();
  await page.getByRole('button', { name: 'Stop' }).click();
  await until('it has stopped', async () => (await state()) === 'stopped');
  await inElement(page, (it) => it.start());
  await until('it goes on', async () => (await state()) === 'downloading');
  assert.equal(await field.isVisible(), false);
  await page.reload();
  await unlock();
  const kept = await browser.open(`${new URL(link).origin}/kept`);
  await kept.getByText(`No name, ${new URL(link).pathname.slice(1, 9)}…`).waitFor();
  assert.equal(await kept.getByText('talk.bin').count(), 0);
});

scenario('a link whose key is lost or damaged says so', options, async (lab) => {
  const file = await lab.sample('talk.bin', 1_000, 4);
  const { link } = await share(lab, file, ['--encrypt']);
  const browser = await lab.chromium();
  for (const broken of [link.split('&k1.')[0], `${link.slice(0, -8)}AAAAAAAA`, link.slice(0, -3)]) {
    const page = await browser.open(broken);
    await page.getByText('its key is missing or wrong').first().waitFor({ timeout: 30_000 });
    await page.close();
  }
});

scenario('a compressed file takes less of the line and comes out as it was', options, async (lab) => {
  const file = path.join(await lab.folder(), 'book.txt');
  await writeFile(file, Array.from({ length: 200_000 }, (_, at) => `line ${at} of a long book\n`).join(''));
  const { link } = await share(lab, file, ['--compress']);
  const page = await (await openBrowser(lab)).open(link);
  await complete(page);
  assert.ok((await storedBytes(page)).size < (await stat(file)).size / 2, 'what was transported is stored');
  const saved = await downloaded(page, lab, () => page.getByRole('button', { name: 'Save file' }).click());
  assert.equal(await sha256(saved.file), await sha256(file));
});

const VIDEO = { seconds: 60, bytesPerS: 150_000 };
/** The video takes 14 s to come, and is used up in a minute. */
const UPLOAD = ['--upload-limit', '700kB'];

const inVideo = (page, read) => page.evaluate(`(${read})(document.querySelector('pleach-download, pleach-video').shadowRoot.querySelector('video'))`);

scenario('an encrypted video plays while it comes, and where it is sought', options, async (lab, t) => {
  const file = await writeVideo(lab, 'end.mp4', VIDEO);
  const { link } = await share(lab, file, ['--encrypt', ...UPLOAD]);
  const browser = await lab.chromium();
  const said = tap(browser);
  const page = await browser.open(link);
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await until('the video plays', () => inVideo(page, '(video) => video && !video.paused && video.currentTime > 0.3'), { timeoutMs: 60_000 });
  const there = await inElement(page, (it) => it.progress);
  t.diagnostic(`played with ${Math.round(there * 100)} % there`);
  assert.ok(there < 0.7, `it began before all was there: ${there}`);
  await inVideo(
    page,
    `(video) => new Promise((resolve) => {
      video.addEventListener('seeked', () => requestAnimationFrame(resolve), { once: true });
      video.currentTime = 50.1;
    })`,
  );
  assert.ok(Math.abs((await inVideo(page, secondShown)) - 50) <= 1, 'the frame that was sought');
  assert.ok(!said.join('\n').includes('end.mp4'), 'no address has its name');
  await complete(page);
});

scenario('<pleach-video> plays an encrypted video', options, async (lab) => {
  const file = await writeVideo(lab, 'video.webm', { seconds: 10, bytesPerS: 100_000 });
  const { link } = await share(lab, file, ['--encrypt']);
  const site = path.join(await lab.folder(), 'site');
  await cp(webDist, site, { recursive: true });
  await writeFile(
    path.join(site, 'embed.html'),
    `<!doctype html><title>site</title><script type="module" src="pleach.js"></script><pleach-video src="${link}" autoplay muted></pleach-video>`,
  );
  const server = await lab.serve(site);
  const page = await (await lab.chromium()).open(`${server.url}/embed.html`);
  await until('the video plays', () => inVideo(page, '(video) => video && !video.paused && video.currentTime > 0.3'), { timeoutMs: 60_000 });
  assert.ok(!server.requests.some((request) => request.path.includes('video.webm')), 'the site’s server is not asked for it');
});

async function firstBytes(file) {
  return [...(await readFile(file)).subarray(0, 24)];
}

/** What the page keeps on the device: how much, and whether some bytes are in it. */
async function storedBytes(page) {
  const files = await page.evaluate(async () => {
    const found = [];
    const walk = async (folder) => {
      for await (const handle of folder.values()) {
        if (handle.kind === 'directory') await walk(handle);
        else {
          const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
          let text = '';
          for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
          found.push(btoa(text));
        }
      }
    };
    await walk(await navigator.storage.getDirectory());
    return found;
  });
  const all = Buffer.concat(files.map((text) => Buffer.from(text, 'base64')));
  return { size: all.length, find: (bytes) => all.includes(Buffer.from(bytes)) };
}

function digestIn(page, place) {
  return page.evaluate(async (parts) => {
    let folder = await navigator.storage.getDirectory();
    for (const part of parts.slice(0, -1)) folder = await folder.getDirectoryHandle(part);
    const file = await (await folder.getFileHandle(parts.at(-1))).getFile();
    const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }, place);
}
