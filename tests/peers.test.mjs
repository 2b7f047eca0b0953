/**
 * The engine in a page, with everything real but the tracker: data channels, timers, a store in memory.
 *
 * Needs bindings of `pleach-browser` built with the feature `testing`; PLEACH_TESTING_PKG names their folder.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { root, scenario } from './harness/index.mjs';

const bindings = process.env.PLEACH_TESTING_PKG;
const options = { skip: bindings === undefined && 'PLEACH_TESTING_PKG is not set', timeoutMs: 180_000 };
const MIB = 1024 * 1024;

scenario('a chain of three peers carries a content to its end', options, async (lab, t) => {
  const page = await openPage(lab);
  const result = await page.evaluate(async (sizeBytes) => {
    const content = makeContent(sizeBytes);
    const tracker = new FakeTracker([
      [0, 1],
      [1, 2],
    ]);
    const seeder = await startPeer(content, { complete: true });
    const middle = await startPeer(content);
    const leaf = await startPeer(content);
    const began = performance.now();
    await Promise.all([middle.heard('complete'), leaf.heard('complete')]);
    const seconds = (performance.now() - began) / 1000;
    const [s, m, l] = [seeder, middle, leaf].map(({ peer }) => peer.stats());
    const right = await Promise.all([middle, leaf].map(async ({ store }) => equal(await store.read(0, sizeBytes), content.bytes)));
    for (const { peer } of [leaf, middle, seeder]) peer.stop();
    await Promise.all([seeder, middle, leaf].map((each) => each.heard('stopped')));
    const names = ({ events }) => events.map(({ type }) => type);
    return {
      seconds,
      right,
      seeder: { phase: s.phase, sentBytes: s.sentBytes, events: names(seeder) },
      middle: { receivedBytes: m.receivedBytes, sentBytes: m.sentBytes, events: names(middle) },
      leaf: { haveBytes: l.haveBytes, events: names(leaf) },
      afterStop: leaf.peer.stats().phase,
      socketsOpen: tracker.openSockets(),
    };
  }, 6 * MIB + 5_000);

  t.diagnostic(`6 MiB over two links in ${result.seconds.toFixed(1)} s`);
  assert.deepEqual(result.right, [true, true]);
  assert.deepEqual(result.seeder.events.slice(0, 3).toSorted(), ['complete', 'resumed', 'trackerUp']);
  assert.equal(result.seeder.phase, 'seeding');
  assert.ok(result.seeder.sentBytes < 1.1 * 6 * MIB, 'the seeder sends about one copy');
  assert.equal(result.middle.events.filter((type) => type === 'linkUp').length, 2);
  assert.equal(result.middle.receivedBytes, 6 * MIB + 5_000);
  assert.ok(result.middle.sentBytes >= 6 * MIB, 'the middle passes all of it on');
  assert.equal(result.leaf.haveBytes, 6 * MIB + 5_000);
  assert.equal(result.leaf.events.at(-1), 'stopped');
  assert.equal(result.afterStop, 'stopped');
  assert.equal(result.socketsOpen, 0);
});

scenario('an event handler may call the peer, fail, and stop it', options, async (lab) => {
  const page = await openPage(lab);
  const result = await page.evaluate(async (sizeBytes) => {
    const content = makeContent(sizeBytes);
    new FakeTracker([[0, 1]]);
    await startPeer(content, { complete: true });
    const seen = [];
    const receiver = await startPeer(content, {
      onEvent(event, peer) {
        seen.push([event.type, peer.stats().phase]);
        if (event.type === 'trackerUp') throw new Error('a handler that fails');
        if (event.type !== 'complete') return;
        peer.setUploadLimit(0);
        peer.stop();
        peer.stop();
        peer.free();
      },
    });
    await receiver.heard('stopped');
    return { seen, recordBytes: receiver.recordBytes };
  }, MIB);
  const types = result.seen.map(([type]) => type);
  assert.ok(types.includes('linkUp') && types.includes('complete'), types.join());
  assert.ok(result.recordBytes > 0);
});

scenario('a store that fails ends the peer with its reason', options, async (lab) => {
  const page = await openPage(lab);
  const failed = await page.evaluate(async (sizeBytes) => {
    const content = makeContent(sizeBytes);
    new FakeTracker([[0, 1]]);
    await startPeer(content, { complete: true });
    const receiver = await startPeer(content, { write: () => Promise.reject(new Error('There is not enough space')) });
    await receiver.heard('stopped');
    return receiver.events.find(({ type }) => type === 'failed');
  }, MIB);
  assert.equal(failed.failure, 'store');
  assert.match(failed.message, /There is not enough space/);
});

scenario('a tracker that is not there is told and tried again', options, async (lab) => {
  const page = await openPage(lab);
  const events = await page.evaluate(async () => {
    const content = makeContent(1000);
    const { peer, heard, events } = await startPeer(content, { trackerUrl: 'ws://127.0.0.1:9/ws' });
    await heard('trackerDown');
    peer.stop();
    await heard('stopped');
    return events;
  });
  assert.equal(events[0].type, 'trackerDown');
  assert.equal(events[0].reason, 'the tracker cannot be reached');
  assert.ok(events[0].retryMs > 0);
});

scenario('what is wrong with an option, a manifest or a link is said', options, async (lab) => {
  const page = await openPage(lab);
  const said = await page.evaluate(() => {
    const { manifest } = makeContent(1000);
    const messageOf = (act) => {
      try {
        return act() && 'nothing';
      } catch (error) {
        return error instanceof Error ? error.message : `not an Error: ${error}`;
      }
    };
    const store = {};
    const onEvent = () => {};
    const right = { manifest, trackerUrl: 'ws://localhost/ws', store, onEvent };
    return [
      messageOf(() => new engine.PleachPeer({ ...right, manifest: 'text' })),
      messageOf(() => new engine.PleachPeer({ ...right, manifest: new Uint8Array(9) })),
      messageOf(() => new engine.PleachPeer({ ...right, trackerUrl: 'ftp://host' })),
      messageOf(() => new engine.PleachPeer({ ...right, uploadLimit: -1 })),
      messageOf(() => new engine.PleachPeer({ ...right, onEvent: undefined })),
      messageOf(() => engine.parseManifest(manifest, '00'.repeat(16))),
      messageOf(() => engine.parseLink('hello')),
    ];
  });
  for (const message of said) assert.match(message, /^[^:]*\b\w+ .+/, said.join('\n'));
  assert.deepEqual(said.slice(2, 6), [
    'the tracker\'s address must begin with ws or wss, not with ftp:',
    'the option uploadLimit must be a number of bytes a second, or null',
    'the option onEvent must be a function',
    'this is not the manifest that the link promises',
  ]);
});

scenario('a manifest and a link are read', options, async (lab) => {
  const page = await openPage(lab);
  const { info, link } = await page.evaluate(() => {
    const { manifest } = makeContent(1000);
    const info = engine.parseManifest(manifest);
    return { info, link: engine.parseLink(`https://example.org/share/${info.id}`) };
  });
  assert.match(info.id, /^[0-9a-f]{64}$/);
  assert.match(info.digest, /^[0-9a-f]{32}$/);
  assert.deepEqual({ name: info.name, sizeBytes: info.sizeBytes, mediaType: info.mediaType }, { name: 'sample.bin', sizeBytes: 1000, mediaType: null });
  assert.deepEqual(info.files, [{ path: 'sample.bin', sizeBytes: 1000, mediaType: null }]);
  assert.deepEqual(link, {
    id: info.id,
    manifestUrl: `https://example.org/share/${info.id}.pleach`,
    trackerUrl: 'wss://example.org/share/ws',
    manifestDigest: null,
    key: null,
  });
});

async function openPage(lab) {
  const folder = await lab.folder();
  const tsc = path.join(root, 'node_modules/.bin/tsc');
  const project = path.join(root, 'tests/storage.tsconfig.json');
  await promisify(execFile)(tsc, ['-p', project, '--outDir', path.join(folder, 'storage')]);
  await cp(bindings, path.join(folder, 'pkg'), { recursive: true });
  await writeFile(path.join(folder, 'index.html'), '<!doctype html><meta charset="utf-8"><title>peers</title>');
  const server = await lab.serve(folder);
  const browser = await lab.chromium();
  const page = await browser.open(server.url);
  await page.evaluate(prepare);
  return page;
}

/** Runs in the page. */
async function prepare() {
  const engine = await import('/pkg/pleach_browser.js');
  const { MemoryStore } = await import('/storage/memory-store.js');
  await engine.default({ module_or_path: '/pkg/pleach_browser_bg.wasm' });
  const RealSocket = globalThis.WebSocket;

  /** Links peers as `edges` say, `[parent, child]` by order of joining, and carries their signals. */
  class FakeTracker {
    #edges;
    #peers = [];

    constructor(edges) {
      this.#edges = edges;
      const tracker = this;
      globalThis.WebSocket = class {
        readyState = 0;
        constructor() {
          setTimeout(() => {
            this.readyState = 1;
            this.onopen?.();
            this.say({ type: 'hello', nonce: '00'.repeat(16) });
          });
        }
        send(text) {
          tracker.#hear(this, JSON.parse(text));
        }
        say(message) {
          setTimeout(() => this.onmessage?.({ data: JSON.stringify(message) }));
        }
        close() {
          this.readyState = 3;
        }
      };
    }

    openSockets() {
      return this.#peers.filter(({ socket }) => socket.readyState === 1).length;
    }

    #hear(socket, message) {
      if (message.type === 'join') this.#join(socket, message);
      if (message.type !== 'signal') return;
      const from = this.#peers.find((peer) => peer.socket === socket).id;
      const to = this.#peers.find(({ id }) => id === message.to);
      to.socket.say({ ...message, to: undefined, from });
    }

    #join(socket, { key }) {
      const peer = { socket, id: engine.peerIdOf(key) };
      this.#peers.push(peer);
      socket.say({ type: 'welcome', version: 1, peer: peer.id, stripes: 1, ice_servers: ['stun::9'], manifest_wanted: false });
      for (const [parent, child] of this.#edges.map((edge) => edge.map((at) => this.#peers[at]))) {
        if (parent === undefined || child === undefined || (parent !== peer && child !== peer)) continue;
        parent.socket.say({ type: 'plan', open: [{ peer: child.id, role: 'child', stripes: 1, dial: true }], close: [] });
        child.socket.say({ type: 'plan', open: [{ peer: parent.id, role: 'parent', stripes: 1, dial: false }], close: [] });
      }
    }
  }

  function makeContent(sizeBytes) {
    const bytes = new Uint8Array(sizeBytes);
    for (let i = 0; i < sizeBytes; i++) bytes[i] = Math.imul(i, 2_654_435_761) >>> 24;
    const [manifest, record] = engine.describeContent('sample.bin', bytes);
    return { bytes, manifest, record };
  }

  /** A peer, what it told, and a promise for what it will. */
  async function startPeer(content, { complete = false, onEvent, write, trackerUrl } = {}) {
    const { store } = await MemoryStore.open({ sizeBytes: content.bytes.length });
    if (complete) await store.write(0, content.bytes);
    const started = { store, events: [], recordBytes: 0 };
    const waiting = [];
    started.heard = (type) => {
      return new Promise((resolve) => {
        if (started.events.some((event) => event.type === type)) resolve();
        else waiting.push({ type, resolve });
      });
    };
    if (trackerUrl !== undefined) globalThis.WebSocket = RealSocket;
    started.peer = new engine.PleachPeer({
      manifest: content.manifest,
      record: complete ? content.record : undefined,
      trackerUrl: trackerUrl ?? 'ws://tracker.invalid/ws',
      store: {
        write: write ?? ((offset, bytes) => store.write(offset, bytes)),
        read: (offset, length) => store.read(offset, length),
        appendRecord: (bytes) => (started.recordBytes += bytes.length),
      },
      onEvent(event) {
        started.events.push(event);
        for (const { type, resolve } of waiting) if (type === event.type) resolve();
        if (event.type !== 'stopped') onEvent?.(event, started.peer);
      },
    });
    // The tracker numbers peers as they join, and a complete one checks what it has first.
    if (trackerUrl === undefined) await started.heard('trackerUp');
    return started;
  }

  const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
  Object.assign(globalThis, { engine, FakeTracker, makeContent, startPeer, equal });
}
