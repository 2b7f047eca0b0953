/** Opens packed content and decodes its segments, where it holds up nobody. See `protocol.ts`. */

import init, { PackedContent } from '../../pkg-packing/pleach_packing_web.js';
import type { Answer, Ask, Numbered, SegmentPlace } from './protocol.js';

/** A dedicated worker's global scope, as far as it is used. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Numbered>) => void) | null;
  postMessage(message: unknown, transfer: Transferable[]): void;
}

const scope = self as unknown as WorkerScope;
const loading = init({ module_or_path: new URL('../../pkg-packing/pleach_packing_web_bg.wasm', import.meta.url) });
let opened: PackedContent | null = null;

async function answer(question: Ask): Promise<{ done: unknown; transfer?: Transferable[] }> {
  await loading;
  if (question.ask === 'open') {
    opened = PackedContent.open(question.manifest, question.key, question.password);
    return { done: JSON.parse(opened.info()) };
  }
  if (!opened) throw new Error('nothing is open');
  if (question.ask === 'segmentAt') return { done: placeOf(opened, question.offset) };
  const { segment, packed } = question;
  const plain = opened.decode(segment, packed, new Uint8Array(packed.buffer)) as Uint8Array<ArrayBuffer>;
  return { done: plain, transfer: [plain.buffer] };
}

function placeOf(content: PackedContent, offset: number): SegmentPlace | null {
  const place = content.segmentAt(offset);
  if (!place) return null;
  const { segment, start, end, packedStart, packedEnd } = place;
  place.free();
  return { segment, start, end, packedStart, packedEnd };
}

scope.onmessage = async ({ data: { number, question } }: MessageEvent<Numbered>) => {
  try {
    const { done, transfer } = await answer(question);
    scope.postMessage({ number, done } satisfies Answer, transfer ?? []);
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    scope.postMessage({ number, refused: { name, message } } satisfies Answer, []);
  }
};
