// How much memory a browser's pages take, from what Linux tells of its processes (`/proc`): the proportional set size, so
// that what processes share counts once. What is cached of files does not count.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';

const LOOK_MS = 200;
const MIB = 1 << 20;

/** MiB of the browser with this profile: of its pages (`renderer`), and of all its processes. */
export function memoryOf(profileFolder) {
  const processes = processesOf(profileFolder);
  const sum = (those) => those.reduce((bytes, { pid }) => bytes + pssBytes(pid), 0) / MIB;
  return { pages: sum(processes.filter(({ command }) => command.includes(' --type=renderer'))), all: sum(processes) };
}

/** The process ids of the browser with this profile, its own first. */
export function pidsOf(profileFolder) {
  return processesOf(profileFolder).map(({ pid }) => pid);
}

/** Looks again and again; `stop` gives the most that was seen of each. */
export function watchMemory(profileFolder) {
  const most = { pages: 0, all: 0 };
  const look = () => {
    const now = memoryOf(profileFolder);
    for (const what of Object.keys(most)) most[what] = Math.max(most[what], now[what]);
  };
  look();
  const timer = setInterval(look, LOOK_MS);
  return {
    stop() {
      clearInterval(timer);
      look();
      return most;
    },
  };
}

/** The same of the page's own buffers (`ArrayBuffer`), those included that nobody needs and that are not collected yet. */
export async function watchBuffers(page) {
  const devTools = await page.context().newCDPSession(page);
  let most = 0;
  const look = async () => {
    const { backingStorageSize } = await devTools.send('Runtime.getHeapUsage');
    most = Math.max(most, backingStorageSize / MIB);
  };
  await look();
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      await setTimeout(LOOK_MS);
      await look();
    }
  })();
  // It ends with the page; who stops it is told.
  looking.catch(() => undefined);
  return {
    async stop() {
      isOver = true;
      await looking;
      await devTools.detach();
      return most;
    },
  };
}

function processesOf(profileFolder) {
  const all = new Map();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const parent = Number(readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')[1]);
      all.set(Number(name), { pid: Number(name), parent, command: ` ${readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')} ` });
    } catch {
      // It has ended meanwhile.
    }
  }
  // Some are forked with a title in place of their arguments, which has spaces between them.
  const own = ` --user-data-dir=${path.resolve(profileFolder)} `;
  const found = [...all.values()].filter(({ command }) => command.includes(own) && !command.includes(' --type='));
  for (let at = 0; at < found.length; at += 1) found.push(...[...all.values()].filter(({ parent }) => parent === found[at].pid));
  return found;
}

function pssBytes(pid) {
  try {
    const kib = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
    return Number(kib?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
