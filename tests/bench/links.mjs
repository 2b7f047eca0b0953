// What Pleach carries over one link, beside a bare data channel between the same two ends in the same run: same message
// size, same flags, by turns, and first by turns too. The ratio is the figure, the median of the rounds'; absolute ones
// move with the machine.
//
//   cargo xtask bench links [--json] [--rounds N] [--mib N] [--memory]
//
// What is measured is the transfer of a content that one end has already, to another that has nothing of it. Pleach does
// more than the bare channel in that time: it reads a file, hashes it at both ends, writes it, and shows how far it is.

import { mkdtemp, rm } from 'node:fs/promises';
import { readFileSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { Browser } from '../harness/browser.mjs';
import { NativeProcess } from '../harness/native-process.mjs';
import { writeSample } from '../harness/files.mjs';
import { examplesFolder, pleachBinary } from '../harness/paths.mjs';
import { until } from '../harness/wait.mjs';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    mib: { type: 'string', default: '' },
    memory: { type: 'boolean', default: false },
  },
});
const MESSAGE_BYTES = 64 * 1024;
const MIB = 1 << 20;
const rounds = Number(options.rounds);
const say = (line) => process.stderr.write(`${line}\n`);

/** Everything that one measurement starts, closed in the end. */
class Bench {
  #open = [];

  static async create() {
    const bench = new Bench();
    bench.folder = await mkdtemp(path.join(os.tmpdir(), 'pleach-bench-'));
    return bench;
  }

  start(name, command, args, options) {
    const child = new NativeProcess(name, command, args, options);
    this.#open.push(() => child.stop());
    return child;
  }

  async browser(name) {
    const browser = await Browser.launch(name, await mkdtemp(path.join(this.folder, 'profile-')));
    this.#open.push(() => browser.close());
    return browser;
  }

  /** Ends what was started since the last call, but keeps the folder. */
  async settle() {
    for (const close of this.#open.splice(0).reverse()) await close();
  }

  async close() {
    await this.settle();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** CPU seconds that processes and their descendants have used so far. */
function cpuSeconds(pids) {
  const all = processTable();
  const wanted = new Set(pids);
  for (let grew = true; grew; ) {
    grew = false;
    for (const [pid, { parent }] of all) {
      if (wanted.has(parent) && !wanted.has(pid)) grew = wanted.add(pid) !== undefined;
    }
  }
  return [...wanted].reduce((sum, pid) => sum + (all.get(pid)?.ticks ?? 0), 0) / 100;
}

function processTable() {
  const table = new Map();
  for (const name of readdirNumbers('/proc')) {
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
      // From the third field on: state, parent, …; user, system and waited-for children's time.
      table.set(name, { parent: Number(fields[1]), ticks: [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0) });
    } catch {
      // It has ended meanwhile.
    }
  }
  return table;
}

function readdirNumbers(folder) {
  return readdirSync(folder).filter((name) => /^\d+$/.test(name)).map(Number);
}

// --- Bare ends -------------------------------------------------------------------------------------------------------

/** In a page: one end of a bare channel. Signals go out by `emit`, come in by `globalThis.bareSignal`. */
function bareInPage({ role, dial, messageBytes, totalBytes }) {
  const connection = new RTCPeerConnection();
  const channel = connection.createDataChannel('pleach', { negotiated: true, id: 0 });
  channel.binaryType = 'arraybuffer';
  channel.bufferedAmountLowThreshold = 128 * 1024;
  connection.onicecandidate = ({ candidate }) => {
    if (candidate) {
      emit({ kind: 'candidate', candidate: candidate.candidate, sdp_mid: candidate.sdpMid, sdp_m_line_index: candidate.sdpMLineIndex });
    }
  };
  let queue = Promise.resolve();
  const early = [];
  globalThis.bareSignal = (signal) => {
    queue = queue.then(async () => {
      if (signal.kind !== 'candidate') {
        await connection.setRemoteDescription({ type: signal.kind, sdp: signal.sdp });
        for (const candidate of early.splice(0)) await connection.addIceCandidate(candidate);
        if (signal.kind === 'offer') {
          await connection.setLocalDescription();
          emit({ kind: 'answer', sdp: connection.localDescription.sdp });
        }
        return;
      }
      const candidate = { candidate: signal.candidate, sdpMid: signal.sdp_mid, sdpMLineIndex: signal.sdp_m_line_index };
      if (connection.remoteDescription) await connection.addIceCandidate(candidate);
      else early.push(candidate);
    });
  };
  if (dial) connection.setLocalDescription().then(() => emit({ kind: 'offer', sdp: connection.localDescription.sdp }));
  globalThis.bareDone = new Promise((resolve, reject) => {
    channel.onerror = ({ error }) => reject(error);
    channel.onopen = () => {
      const began = performance.now();
      const done = () => resolve(totalBytes / 1e6 / ((performance.now() - began) / 1000));
      if (role === 'receive') {
        let received = 0;
        channel.onmessage = ({ data }) => {
          received += data.byteLength;
          if (received >= totalBytes) {
            channel.send(new Uint8Array([1]));
            done();
          }
        };
        return;
      }
      const message = new Uint8Array(messageBytes);
      let left = totalBytes;
      const pump = () => {
        while (left > 0 && channel.bufferedAmount + messageBytes <= 256 * 1024) {
          channel.send(message);
          left -= messageBytes;
        }
      };
      channel.onbufferedamountlow = pump;
      channel.onmessage = done;
      pump();
    };
  });
}

/** An end in a page of its own. `onSignal` hears what it says. */
async function pageEnd(browser, url, blast, onSignal) {
  const page = await browser.open(url);
  await page.exposeFunction('emit', onSignal);
  return {
    page,
    begin: () => page.evaluate(bareInPage, blast),
    signal: (signal) => page.evaluate((it) => globalThis.bareSignal(it), signal),
    mbps: () => page.evaluate(() => globalThis.bareDone),
  };
}

/** An end in a process of its own. */
function nativeEnd(bench, { role, dial, messageBytes, totalBytes }, onSignal) {
  const args = [role, dial ? 'dial' : 'answer', String(messageBytes), String(totalBytes)];
  const child = bench.start(`bare-${role}`, path.join(examplesFolder(), 'bare_end'), args, { input: true });
  const report = child.waitFor(/^\{"mbps":([\d.]+)/, { timeoutMs: 600_000 });
  child.onLine((line) => line.startsWith('{"kind"') && onSignal(JSON.parse(line)));
  return { child, begin: () => {}, signal: (signal) => child.write(`${JSON.stringify(signal)}\n`), mbps: async () => Number((await report)[1]) };
}

// --- The pairs -------------------------------------------------------------------------------------------------------

const nothing = 'data:text/html,<title>bare</title>';

async function bareNativeToNative(bench, totalBytes) {
  const ends = {};
  ends.from = nativeEnd(bench, { role: 'send', dial: true, messageBytes: MESSAGE_BYTES, totalBytes }, (it) => ends.to.signal(it));
  ends.to = nativeEnd(bench, { role: 'receive', dial: false, messageBytes: MESSAGE_BYTES, totalBytes }, (it) => ends.from.signal(it));
  return ends.to.mbps();
}

async function bareNativeToPage(bench, totalBytes, browser) {
  const ends = {};
  ends.to = await pageEnd(browser, nothing, { role: 'receive', dial: true, messageBytes: MESSAGE_BYTES, totalBytes }, (it) => ends.from.signal(it));
  ends.from = nativeEnd(bench, { role: 'send', dial: false, messageBytes: MESSAGE_BYTES, totalBytes }, (it) => ends.to.signal(it));
  await ends.to.begin();
  const mbps = await ends.to.mbps();
  await ends.to.page.close();
  return mbps;
}

async function barePageToPage(_bench, totalBytes, browsers) {
  const ends = {};
  ends.from = await pageEnd(browsers[0], nothing, { role: 'send', dial: true, messageBytes: MESSAGE_BYTES, totalBytes }, (it) => ends.to.signal(it));
  ends.to = await pageEnd(browsers[1], nothing, { role: 'receive', dial: false, messageBytes: MESSAGE_BYTES, totalBytes }, (it) => ends.from.signal(it));
  await ends.to.begin();
  await ends.from.begin();
  const mbps = await ends.to.mbps();
  for (const { page } of [ends.from, ends.to]) await page.close();
  return mbps;
}

function share(bench, file) {
  const flags = ['share', file, '--listen', '127.0.0.1:0', '--host', '127.0.0.1', '--no-qr'];
  return bench.start('share', pleachBinary(), flags);
}

async function linkOf(child) {
  return (await child.waitFor(/^http:\S+/, { timeoutMs: 60_000 }))[0];
}

/** A transfer's speed, with the CPU that everything we run has used meanwhile, per GiB. */
async function metered(bytes, transfer) {
  const before = cpuSeconds([process.pid]);
  const mbps = await transfer();
  return { mbps, cpu: (cpuSeconds([process.pid]) - before) / (bytes / (1 << 30)) };
}

async function pleachNativeToNative(bench, sample) {
  const sharing = share(bench, sample.file);
  const link = await linkOf(sharing);
  const out = path.join(bench.folder, 'got.bin');
  await rm(out, { force: true });
  const result = await metered(sample.bytes, async () => {
    const get = bench.start('get', pleachBinary(), ['get', link, '-o', out, '--linger', '0', '-v']);
    await get.waitFor(/connected to peer/);
    const began = performance.now();
    const exit = await get.ended;
    if (exit.code !== 0) throw new Error(`get failed: ${get.lines.join('\n')}`);
    return sample.bytes / 1e6 / ((performance.now() - began) / 1000);
  });
  await sharing.stop();
  return result;
}

/** Opens a link and waits for all of it; the speed from the first connection on. */
async function pleachToPage(browser, link, bytes) {
  const page = await browser.open(link);
  const seconds = await page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const element = document.querySelector('pleach-download');
        let began;
        const timer = setInterval(() => {
          if (began === undefined && element.numPeers > 0) began = performance.now();
        }, 10);
        element.addEventListener('pleach-complete', () => {
          clearInterval(timer);
          resolve((performance.now() - began) / 1000);
        });
        element.addEventListener('pleach-error', ({ detail }) => reject(new Error(detail.title)));
      }),
  );
  return { page, mbps: bytes / 1e6 / seconds };
}

/** The same, metered; the page is closed after it. */
async function pleachToPageMetered(browser, link, bytes) {
  let page;
  const result = await metered(bytes, async () => {
    const done = await pleachToPage(browser, link, bytes);
    page = done.page;
    return done.mbps;
  });
  await page.close();
  return result;
}

async function pleachNativeToPage(bench, sample, browser) {
  const sharing = share(bench, sample.file);
  const result = await pleachToPageMetered(browser, await linkOf(sharing), sample.bytes);
  await sharing.stop();
  return result;
}

async function pleachPageToPage(bench, sample, browsers) {
  const tracker = bench.start('tracker', pleachBinary(), ['tracker', '--listen', '127.0.0.1:0']);
  const [, address] = await tracker.waitFor(/https?:\/\/([\d.]+:\d+)/);
  const seeding = bench.start('seed', pleachBinary(), ['seed', sample.file, '--tracker', `http://${address}`]);
  const link = await linkOf(seeding);
  const { page: from } = await pleachToPage(browsers[0], link, sample.bytes);
  await seeding.stop();
  const result = await pleachToPageMetered(browsers[1], link, sample.bytes);
  await from.close();
  await tracker.stop();
  return result;
}

// --- Runs ------------------------------------------------------------------------------------------------------------

/** Runs bare and Pleach by turns; medians, and the CPU of both ends of Pleach's transfers. */
async function row(bench, pair, mib, bare, pleach) {
  const bytes = mib * MIB;
  const bares = [];
  const payloads = [];
  const cpus = [];
  for (let round = 0; round < rounds; round++) {
    // Another content each time: what a browser keeps of the last one must not help.
    const sample = { file: path.join(bench.folder, `sample-${round}.bin`), bytes };
    await writeSample(sample.file, bytes, Math.floor(Math.random() * 1e9));
    const turns = [
      async () => bares.push(await bare(bytes)),
      async () => {
        const { mbps, cpu } = await pleach(sample);
        payloads.push(mbps);
        cpus.push(cpu);
      },
    ];
    for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
    say(`${pair}, round ${round + 1}: bare ${bares.at(-1).toFixed(1)} MB/s, Pleach ${payloads.at(-1).toFixed(1)} MB/s`);
    await rm(sample.file);
  }
  const ratios = payloads.map((payload, i) => payload / bares[i]);
  return {
    pair,
    payload_mbps: round2(median(payloads)),
    bare_mbps: round2(median(bares)),
    ratio: round2(median(ratios)),
    cpu_s_per_gib: round2(median(cpus)),
  };
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const round2 = (value) => Math.round(value * 100) / 100;

/** Peak memory of a tab, above one that shows nothing, while it gets 1 GiB. */
async function memory(bench) {
  const sample = { file: path.join(bench.folder, 'large.bin'), bytes: Number(options.mib || 1024) * MIB };
  await writeSample(sample.file, sample.bytes);
  const sharing = share(bench, sample.file);
  const link = await linkOf(sharing);
  const browser = await bench.browser('memory');
  const page = await browser.open('about:blank');
  const empty = await tabMemory();
  const began = performance.now();
  await page.goto(link);
  let done = false;
  const finished = until('all of it is there', () => page.evaluate(() => document.querySelector('pleach-download').state === 'complete'), { timeoutMs: 900_000 }).then(() => (done = true));
  let peak = 0;
  while (!done) {
    peak = Math.max(peak, await tabMemory());
    await Promise.race([finished, new Promise((resolve) => setTimeout(resolve, 200))]);
  }
  const seconds = (performance.now() - began) / 1000;
  await bench.settle();
  return { mib: sample.bytes / MIB, empty_mib: round2(empty), peak_mib: round2(peak), above_empty_mib: round2(peak - empty), seconds: round2(seconds) };
}

/** Memory of the largest renderer among our descendants, without what it shares with others, in MiB. */
async function tabMemory() {
  let largest = 0;
  for (const pid of readdirNumbers('/proc')) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer')) continue;
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      const kib = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce((sum, [, kib]) => sum + Number(kib), 0);
      largest = Math.max(largest, kib / 1024);
    } catch {
      // It has ended meanwhile.
    }
  }
  return largest;
}

function printTable(rows) {
  console.log('pair                 Pleach MB/s   bare MB/s   ratio   CPU s/GiB');
  for (const { pair, payload_mbps, bare_mbps, ratio, cpu_s_per_gib } of rows) {
    const cells = [payload_mbps.toFixed(1).padStart(11), bare_mbps.toFixed(1).padStart(11), ratio.toFixed(2).padStart(7), cpu_s_per_gib.toFixed(1).padStart(11)];
    console.log(`${pair.padEnd(20)} ${cells.join(' ')}`);
  }
}

const bench = await Bench.create();
try {
  if (options.memory) {
    const result = await memory(bench);
    console.log(options.json ? JSON.stringify(result) : `a tab that gets ${result.mib} MiB peaks ${result.above_empty_mib} MiB above an empty one (${result.peak_mib} against ${result.empty_mib}; ${result.seconds} s)`);
  } else {
    const rows = [];
    const nativeMib = Number(options.mib || 1024);
    const pageMib = Number(options.mib || 256);
    rows.push(await row(bench, 'native <- native', nativeMib, (bytes) => bareNativeToNative(bench, bytes), (sample) => pleachNativeToNative(bench, sample)));
    await bench.settle();
    const browser = await bench.browser('page');
    rows.push(await row(bench, 'page <- native', pageMib, (bytes) => bareNativeToPage(bench, bytes, browser), (sample) => pleachNativeToPage(bench, sample, browser)));
    const browsers = [browser, await bench.browser('other')];
    rows.push(await row(bench, 'page <- page', Math.min(pageMib, 128), (bytes) => barePageToPage(bench, bytes, browsers), (sample) => pleachPageToPage(bench, sample, browsers)));
    if (options.json) console.log(JSON.stringify({ rows }));
    else printTable(rows);
  }
} finally {
  await bench.close();
}
