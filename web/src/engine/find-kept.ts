/** Finds what an earlier visit left, packet by packet, in steps between which the page can do other things. */

import type { ContentReader } from '../reading/content-reader.js';
import { PACKET_BYTES } from './port.js';

/** Packets that are looked at in one step. */
const STEP_PACKETS = 4_096;

export async function findKept(reader: Pick<ContentReader, 'sizeBytes' | 'until'>, signal: AbortSignal): Promise<void> {
  for (let at = 0; at < reader.sizeBytes && !signal.aborted; ) {
    for (let step = 0; step < STEP_PACKETS && at < reader.sizeBytes; step += 1) {
      const until = reader.until(at);
      at = (Math.floor(until / PACKET_BYTES) + 1) * PACKET_BYTES;
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
}
