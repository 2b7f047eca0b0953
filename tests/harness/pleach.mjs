// The `pleach` binary as tests start it: sharing, a tracker, a seeder, each on this machine alone.

import { pleachBinary } from './paths.mjs';

/** Shares a file on a free port of this machine; returns the process and its link. */
export async function share(lab, file, args = [], name = 'share') {
  const flags = ['share', file, '--listen', '127.0.0.1:0', '--host', '127.0.0.1', '--no-qr', '-v', ...args];
  const process = lab.start(name, pleachBinary(), flags);
  const [link] = await process.waitFor(/^http:\S+/);
  return { process, link };
}

/** A tracker of its own; returns the process and its address. */
export async function startTracker(lab, { listen = '127.0.0.1:0', name = 'tracker', args = [] } = {}) {
  const process = lab.start(name, pleachBinary(), ['tracker', '--listen', listen, '-v', ...args]);
  const [, address] = await process.waitFor(/https?:\/\/([\d.]+:\d+)/);
  return { process, address };
}

/** Somebody who has the file, at a tracker; returns the process and the link. */
export async function seed(lab, file, address, args = [], name = 'seed') {
  const process = lab.start(name, pleachBinary(), ['seed', file, '--tracker', `http://${address}`, '-v', ...args]);
  const [link] = await process.waitFor(/^http:\S+/);
  return { process, link };
}
