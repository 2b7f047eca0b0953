// How fast contents are made: hashed, compressed, encrypted by `pleach publish`, each beside the program that people use
// for just that (`b3sum`, `zstd`, `rage`, which is age in Rust), by turns on the same file in the same run. The ratio is
// the figure.
//
//   cargo xtask bench publish [--json] [--rounds N] [--mib N]
//
// `b3sum` and `rage` are installed into `target/tools` by cargo if they are not there; `zstd` comes from the system.
// Pleach does more in that time: it hashes what it compresses and encrypts. It waits until its files are on the disk, so
// those of the others are waited for too. What is not installed is said to be missing.

import { spawn } from 'node:child_process';
import { access, mkdtemp, open, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { pleachBinary, root } from '../harness/paths.mjs';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    mib: { type: 'string', default: '512' },
  },
});
const MIB = 1 << 20;
const rounds = Number(options.rounds);
const sizeBytes = Number(options.mib) * MIB;
const say = (line) => process.stderr.write(`${line}\n`);

/** Half of it compresses, a mebibyte by turns, as a folder of documents and pictures does. */
async function writeFile(file) {
  const handle = await open(file, 'w');
  try {
    const words = Array.from({ length: 4096 }, (_, at) => `${(at * 2654435761) >>> 0} `);
    for (let at = 0; at < sizeBytes / MIB; at += 1) {
      const piece = Buffer.alloc(MIB);
      if (at % 2 === 0) for (let from = 0; from < MIB; from += 65536) crypto.getRandomValues(piece.subarray(from, from + 65536));
      else for (let from = 0, word = at; from < MIB; word = (word * 31 + 7) % words.length) from += piece.write(words[word], from);
      await handle.write(piece);
    }
  } finally {
    await handle.close();
  }
}

/** Seconds that a program takes, and until the file that it writes is on the disk; `null` if it is not installed. */
async function time(command, args, written = null) {
  const begin = performance.now();
  if (!(await run(command, args))) return null;
  if (written) {
    const handle = await open(written, 'r+');
    await handle.sync().finally(() => handle.close());
  }
  return (performance.now() - begin) / 1000;
}

/** Whether the program is installed; rejects if it failed. */
function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    child.on('error', (error) => (error.code === 'ENOENT' ? resolve(false) : reject(error)));
    child.on('close', (code) => {
      if (code === 0) resolve(true);
      else reject(new Error(`${command} failed: ${said}`));
    });
  });
}

/** A program of a crate of the same name, which cargo installs where it is missing; `null` if that is not possible. */
async function tool(crate) {
  const target = path.resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');
  const place = path.join(target, 'tools');
  const binary = path.join(place, 'bin', crate);
  if (await access(binary).then(() => true, () => false)) return binary;
  say(`installing ${crate} into ${place}, once`);
  try {
    // Built in a place of its own: its profile has nothing to do with ours.
    await run('cargo', ['install', '--locked', '--root', place, '--target-dir', path.join(place, 'build'), crate]);
    return binary;
  } catch (error) {
    say(`${crate} can't be installed: ${error.message}`);
    return null;
  }
}

/** The public half of an identity that `rage-keygen` makes. */
function recipientOf(keygen) {
  return new Promise((resolve) => {
    const child = spawn(keygen, [], { stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    child.on('error', () => resolve(null));
    child.on('close', () => resolve(/public key: (\S+)/.exec(said)?.[1] ?? null));
  });
}

const median = (numbers) => [...numbers].sort((one, other) => one - other)[numbers.length >> 1];

const folder = await mkdtemp(path.join(os.tmpdir(), 'pleach-bench-'));
try {
  const file = path.join(folder, 'sample.bin');
  await writeFile(file);
  const out = path.join(folder, 'out');
  const publish = (...how) => [pleachBinary(), ['publish', file, '-q', '-f', '-o', `${out}.pleach`, ...how]];
  const [b3sum, rage] = [await tool('b3sum'), await tool('rage')];
  const recipient = rage && (await recipientOf(`${rage}-keygen`));
  const pairs = [
    { what: 'hash', ours: publish(), name: 'b3sum', theirs: b3sum && [b3sum, [file]] },
    { what: 'compress', ours: publish('--compress'), name: 'zstd', theirs: ['zstd', ['-q', '-f', '-3', '-T0', file, '-o', `${out}.zst`], `${out}.zst`] },
    { what: 'encrypt', ours: publish('--encrypt'), name: 'rage', theirs: recipient && [rage, ['-r', recipient, '-o', `${out}.age`, file], `${out}.age`] },
  ];
  const results = [];
  for (const { what, ours, name, theirs } of pairs) {
    const times = { ours: [], theirs: [] };
    for (let round = 0; round < rounds; round += 1) {
      times.ours.push(await time(...ours));
      const their = theirs && (await time(...theirs));
      if (their !== null) times.theirs.push(their);
    }
    const gbPerS = (seconds) => sizeBytes / seconds / 1e9;
    const isThere = times.theirs.length === rounds;
    const result = { what, gbPerS: gbPerS(median(times.ours)), beside: name, besideGbPerS: isThere ? gbPerS(median(times.theirs)) : null };
    result.ratio = isThere ? result.gbPerS / result.besideGbPerS : null;
    results.push(result);
    const beside = isThere ? `${name} ${result.besideGbPerS.toFixed(2)} GB/s, ratio ${result.ratio.toFixed(2)}` : `${name} is not installed`;
    say(`${what}: pleach ${result.gbPerS.toFixed(2)} GB/s, ${beside}`);
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ sizeBytes, rounds, results })}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
