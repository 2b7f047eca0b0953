// What a browser keeps for a site: listed, deleted, evicted when room is short, never while it is used. Real storage, real
// pages, a real tracker.

import assert from 'node:assert/strict';
import path from 'node:path';
import { cp, writeFile } from 'node:fs/promises';

import { scenario, seed, share, startTracker, until, webDist } from './harness/index.mjs';
import { openPage, prepare } from './harness/storage.mjs';

const MIB = 1 << 20;
const options = { timeoutMs: 120_000 };
const id = (digit) => digit.repeat(64);

/** Keeps a content that nobody uses; `at` is when it was used last. */
function keep(page, content, sizeBytes, at, name = `${content[0]}.bin`) {
  return page.evaluate(
    async ({ content, sizeBytes, at, name }) => {
      const { store } = await openStore(content, sizeBytes, { name, quotaBytes: 1e9 });
      await store.write(0, pattern(0, sizeBytes / 2));
      store.appendRecord(Uint8Array.of(1));
      await store.close();
      // As if it had been then.
      const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach');
      const about = await (await all.getDirectoryHandle(content)).getFileHandle('about');
      const told = JSON.parse(await (await about.getFile()).text());
      const file = await about.createWritable();
      await file.write(JSON.stringify({ ...told, lastUsedMs: at }));
      await file.close();
    },
    { content, sizeBytes, at, name },
  );
}

const listed = (page) => page.evaluate(async () => (await storage.listKept()).map(({ id }) => id[0]).join(''));
const refused = (page, content, sizeBytes, quotaBytes) =>
  page.evaluate(
    ({ content, sizeBytes, quotaBytes }) =>
      openStore(content, sizeBytes, { quotaBytes }).then(
        () => 'open',
        ({ code, message, neededBytes, availableBytes }) => ({ code, message, neededBytes, availableBytes }),
      ),
    { content, sizeBytes, quotaBytes },
  );

scenario('what is kept is listed with name, size and how much is there; a secret name is not', options, async (lab) => {
  const { page } = await openPage(lab);
  await keep(page, id('a'), 2 * MIB, 1_000);
  await keep(page, id('b'), 4 * MIB, 2_000, '');
  const kept = await page.evaluate(() => storage.listKept());
  assert.deepEqual(kept, [
    { id: id('b'), name: '', page: '', sizeBytes: 4 * MIB, heldBytes: 2 * MIB, lastUsedMs: 2_000, isInUse: false },
    { id: id('a'), name: 'a.bin', page: '', sizeBytes: 2 * MIB, heldBytes: MIB, lastUsedMs: 1_000, isInUse: false },
  ]);
  const after = await page.evaluate(async (content) => {
    globalThis.held = await openStore(content, 2 * MIB, { name: 'a.bin' });
    held.store.noteHeld(2 * MIB);
    await held.store.flush();
    return (await storage.listKept())[0];
  }, id('a'));
  assert.deepEqual({ ...after, lastUsedMs: 0 }, { id: id('a'), name: 'a.bin', page: '', sizeBytes: 2 * MIB, heldBytes: 2 * MIB, lastUsedMs: 0, isInUse: true });
  assert.ok(Math.abs(after.lastUsedMs - Date.now()) < 60_000);
});

scenario('a note that was torn or tampered with costs the name, and nothing else', options, async (lab) => {
  const { page } = await openPage(lab);
  await keep(page, id('a'), 2 * MIB, 1_000);
  for (const text of ['', '{"name":"a.b', '{"name":7,"sizeBytes":1,"heldBytes":1,"lastUsedMs":1}', '[]', ' '.repeat(20_000)]) {
    const [kept] = await page.evaluate(
      async ({ content, text }) => {
        const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach');
        const file = await (await (await all.getDirectoryHandle(content)).getFileHandle('about')).createWritable();
        await file.write(text);
        await file.close();
        return storage.listKept();
      },
      { content: id('a'), text },
    );
    assert.deepEqual([kept.name, kept.sizeBytes, kept.heldBytes], ['', 2 * MIB, 0]);
  }
  assert.equal(await page.evaluate(async (content) => (await openStore(content, 2 * MIB)).record.length, id('a')), 1);
});

scenario('room is made by what was used longest ago, and by no more than is needed', options, async (lab) => {
  const { page } = await openPage(lab);
  await keep(page, id('a'), 2 * MIB, 3_000);
  await keep(page, id('b'), 2 * MIB, 1_000);
  await keep(page, id('c'), 2 * MIB, 2_000);
  assert.equal(await listed(page), 'acb');
  // Two at most beside a new one of 2 MiB.
  assert.equal(await refused(page, id('d'), 2 * MIB, 6 * MIB), 'open');
  assert.equal(await listed(page), 'dac');
  // All that is not in use has to go, and does.
  assert.equal(await refused(page, id('e'), 4 * MIB, 6 * MIB), 'open');
  assert.equal(await listed(page), 'ed');
  // Once more the same: it is there already, and needs no room.
  await page.reload();
  await prepare(page);
  assert.equal(await refused(page, id('e'), 4 * MIB, 0), 'open');
});

scenario('what is in use in any tab stays, and what does not fit is told before anything is deleted', options, async (lab) => {
  const { page, browser, server } = await openPage(lab);
  await keep(page, id('a'), 2 * MIB, 1_000);
  await keep(page, id('b'), 2 * MIB, 2_000);
  const other = await browser.open(server.url);
  await prepare(other);
  await other.evaluate(async (content) => (globalThis.held = await openStore(content, 2 * MIB)), id('a'));
  const fault = await refused(page, id('c'), 5 * MIB, 6 * MIB);
  assert.deepEqual(fault, {
    code: 'no-space',
    message: 'This site keeps 6.3 MB at most, of which 2.1 MB are in use: 5.2 MB are needed.',
    neededBytes: 5 * MIB,
    availableBytes: 4 * MIB,
  });
  assert.equal(await listed(page), 'ab', 'nothing was deleted in vain, and nothing is left of what did not fit');
  assert.equal(await page.evaluate((content) => storage.removeKept(content), id('a')), false);
  assert.equal(await refused(page, id('c'), 4 * MIB, 6 * MIB), 'open');
  assert.equal(await listed(page), 'ca', 'the older one was in use');
  const byte = await other.evaluate(async () => [...(await held.store.read(0, 3))]);
  assert.deepEqual(byte, await page.evaluate(() => [...pattern(0, 3)]), 'and is whole');
  await other.close();
  await until('the lock is free', () => page.evaluate((content) => storage.removeKept(content), id('a')));
  assert.equal(await listed(page), 'c');
});

scenario('room on the device is made in the same way, for a copy on its way to the downloads too', options, async (lab) => {
  const { page, browser, server } = await openPage(lab);
  await keep(page, id('a'), 8 * MIB, 1_000);
  const devtools = await browser.context.newCDPSession(page);
  const { usage } = await page.evaluate(() => navigator.storage.estimate());
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.url, quotaSize: usage + 4 * MIB });
  const result = await page.evaluate(async (content) => {
    const { store } = await openStore(content, 2 * MIB, { quotaBytes: 1e9 });
    const before = (await storage.listKept()).length;
    const spool = await store.spool(6 * MIB);
    for (let at = 0; at < 6; at += 1) await spool.write(new Uint8Array(MIB));
    const { size } = await spool.finish();
    return { before, after: (await storage.listKept()).length, size };
  }, id('b'));
  assert.deepEqual(result, { before: 2, after: 1, size: 6 * MIB });
});

scenario('storage that fails in the middle of making room fails the download, with the reason', options, async (lab) => {
  const { page } = await openPage(lab);
  await keep(page, id('a'), 2 * MIB, 1_000);
  // Somebody has a file of it open without the lock, and it can't be deleted.
  const fault = await page.evaluate(
    async ({ old, content }) => {
      const source = `onmessage = async ({ data }) => {
        const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach');
        const file = await (await all.getDirectoryHandle(data)).getFileHandle('data');
        self.held = await file.createSyncAccessHandle();
        postMessage('held');
      }`;
      globalThis.blocker = new Worker(URL.createObjectURL(new Blob([source])));
      blocker.postMessage(old);
      await new Promise((resolve) => (blocker.onmessage = resolve));
      return openStore(content, 2 * MIB, { quotaBytes: 3 * MIB }).catch(({ code, message }) => ({ code, message }));
    },
    { old: id('a'), content: id('b') },
  );
  assert.equal(fault.code, 'no-space', fault.message);
  assert.equal(await listed(page), 'a');
  await page.evaluate(() => blocker.terminate());
  await until('it can be deleted', async () => (await refused(page, id('b'), 2 * MIB, 3 * MIB)) === 'open');
  assert.equal(await listed(page), 'b');
});

const rows = (page) => page.locator('pleach-kept').getByRole('listitem');

/** A browser with two contents of a tracker, the first complete and closed, the second still coming in its own page. */
async function withTwo(lab) {
  const first = await lab.sample('talk.bin', 3 * MIB, 1);
  const { link } = await share(lab, first);
  const browser = await lab.chromium();
  const page = await browser.open(link);
  await until('it is complete', () => page.evaluate(() => document.querySelector('pleach-download').state === 'complete'));
  const origin = new URL(link).origin;
  return { browser, page, origin, link };
}

scenario('the page of what is kept: empty, listed, in use, deleted; by the keyboard, told to screen readers', options, async (lab) => {
  const { browser, page, origin } = await withTwo(lab);
  const kept = await browser.open(`${origin}/kept`);
  await kept.getByText('1 file or folder, 3.1 MB of at most').waitFor();
  await rows(kept).getByText('talk.bin').waitFor();
  await rows(kept).getByText('3.1 MB · open in a tab').waitFor();
  const button = kept.getByRole('button', { name: 'Delete talk.bin' });
  assert.equal(await button.getAttribute('aria-disabled'), 'true');
  await button.click({ force: true });
  await kept.getByRole('status').getByText('It is open in a tab. Close that first.').waitFor();
  await page.close();
  await until('the page sees that it is closed', async () => {
    await kept.evaluate(() => document.querySelector('pleach-kept').refresh());
    return (await button.getAttribute('aria-disabled')) === 'false';
  });
  await rows(kept).getByText('used just now').waitFor();
  await button.focus();
  await kept.keyboard.press('Enter');
  await kept.getByText('Nothing is kept here.').waitFor();
  await kept.getByRole('status').getByText('talk.bin is deleted.').waitFor();
  assert.equal(await kept.evaluate(() => document.querySelector('pleach-kept').shadowRoot.activeElement?.className), 'card');
  assert.deepEqual(
    await kept.evaluate(async () => Array.fromAsync((await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach')).keys())),
    [],
  );
});

scenario('what is kept is opened again from the list, with nobody else there; what needs a key says so', options, async (lab) => {
  const { address } = await startTracker(lab);
  const password = path.join(await lab.folder(), 'password');
  await writeFile(password, 'correct horse\n');
  const browser = await lab.chromium();
  let talk = '';
  for (const [name, ...args] of [['talk.bin'], ['secret.bin', '--encrypt'], ['shared.bin', '--password-file', password]]) {
    const seeder = await seed(lab, await lab.sample(name, MIB, name.length), address, args, name);
    const page = await browser.open(seeder.link);
    if (args.length > 1) {
      await page.getByLabel('This is encrypted. Password:').fill('correct horse');
      await page.keyboard.press('Enter');
    }
    await until('it is complete', () => page.evaluate(() => document.querySelector('pleach-download').state === 'complete'), { timeoutMs: 60_000 });
    if (args.length === 0) talk = seeder.link;
    await page.close();
    await seeder.process.stop();
  }
  const kept = await browser.open(`http://${address}/kept`);
  await kept.getByText('3 files and folders').waitFor();
  assert.equal(await rows(kept).getByText('Opens by the link that you got: a key in it is not kept here.').count(), 1);
  assert.equal(await rows(kept).getByRole('link').count(), 2, 'a password is asked for again, a key is nowhere');
  const noted = await kept.evaluate(async () => {
    const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach');
    const notes = [];
    for await (const folder of all.values()) notes.push(await (await (await folder.getFileHandle('about')).getFile()).text());
    return notes.join();
  });
  for (const secret of ['k1.', 'secret.bin', 'shared.bin', 'horse']) assert.ok(!noted.includes(secret), noted);
  await rows(kept).getByRole('link', { name: 'talk.bin' }).press('Enter');
  await kept.waitForURL((url) => url.href === talk);
  await until('it is complete', () => kept.evaluate(() => document.querySelector('pleach-download').state === 'complete'));
});

scenario('a note leads nowhere but to a page of this site', options, async (lab) => {
  const { page } = await openPage(lab);
  const pages = ['https://elsewhere.example/', '//elsewhere.example/', '/\\elsewhere.example', 'javascript:alert(1)', 'x', '/a b', `/${'a'.repeat(5_000)}`];
  const read = await page.evaluate((all) => all.map((to) => storage.parseAbout(JSON.stringify({ name: '', page: to, sizeBytes: 1, heldBytes: 1, lastUsedMs: 1 })).page), pages);
  assert.deepEqual(read, pages.map(() => ''));
  const old = await page.evaluate(() => storage.parseAbout('{"name":"a","sizeBytes":1,"heldBytes":1,"lastUsedMs":1}').page);
  assert.equal(old, '', 'a note of an earlier build has none');
});

scenario('all is deleted after a question, which Escape answers with no', options, async (lab) => {
  const { browser, page, origin, link } = await withTwo(lab);
  await page.close();
  const kept = await browser.open(`${origin}/kept.html`);
  // Two more, as an earlier visit would have left them.
  await kept.evaluate(async () => {
    const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('pleach', { create: true });
    for (const digit of ['a', 'b']) {
      const folder = await all.getDirectoryHandle(digit.repeat(64), { create: true });
      const file = await (await folder.getFileHandle('data', { create: true })).createWritable();
      await file.write(new Uint8Array(1000));
      await file.close();
    }
    await document.querySelector('pleach-kept').refresh();
  });
  await kept.getByText('3 files and folders').waitFor();
  await rows(kept).getByText('No name, aaaaaaaa…').waitFor();
  await until('the tab that was closed has let go', async () => {
    await kept.evaluate(() => document.querySelector('pleach-kept').refresh());
    return (await kept.getByText('open in a tab').count()) === 0;
  });
  await kept.getByRole('button', { name: 'Delete all' }).click();
  await kept.getByText('Delete all 3.1 MB? They would have to be downloaded again.').waitFor();
  await kept.keyboard.press('Escape');
  assert.equal(await rows(kept).count(), 3);
  await kept.getByRole('button', { name: 'Delete all' }).press('Enter');
  await kept.getByRole('button', { name: 'Delete', exact: true }).click();
  await kept.getByText('Nothing is kept here.').waitFor();
  await kept.getByRole('status').getByText('3 are deleted.').waitFor();
  // What was deleted is downloaded again, from its beginning.
  const again = await browser.open(link);
  await until('it is complete', () => again.evaluate(() => document.querySelector('pleach-download').state === 'complete'));
  assert.equal(await again.getByText('What is kept on this device').getAttribute('href'), './kept.html');
});

scenario('a download that does not fit into the quota of the site says so before it begins', options, async (lab) => {
  const { link } = await share(lab, await lab.sample('talk.bin', 3 * MIB, 1));
  const site = path.join(await lab.folder(), 'site');
  await cp(webDist, site, { recursive: true });
  await writeFile(
    path.join(site, 'embed.html'),
    `<!doctype html><title>site</title><script type="module" src="pleach.js"></script><pleach-download src="${link}" quota="2MB" autostart></pleach-download><pleach-kept quota="2MB"></pleach-kept>`,
  );
  const server = await lab.serve(site);
  const page = await (await lab.chromium()).open(`${server.url}/embed.html`);
  await page.getByText('There is not enough room on this device.').first().waitFor();
  await page.getByText('This site keeps 2.0 MB at most: 3.1 MB are needed.').first().waitFor();
  await page.getByText('Nothing is kept here.').waitFor();
  await page.evaluate(() => {
    const element = document.querySelector('pleach-download');
    element.setAttribute('quota', '4MB');
    element.start();
  });
  await until('it is complete', () => page.evaluate(() => document.querySelector('pleach-download').state === 'complete'));
  await page.evaluate(() => document.querySelector('pleach-kept').refresh());
  await page.getByText('1 file or folder, 3.1 MB of at most 2.0 MB').waitFor();
});
