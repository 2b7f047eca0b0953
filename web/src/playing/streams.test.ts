// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { fakeFolder } from '../testing/fake-engine.js';
import type { FromPage, ToPage } from './protocol.js';
import { Streams, type Offer } from './streams.js';

const CONTENT = fakeFolder('Films', [['notes.txt', 100], ['talk.mp4', 1_000]]);

let container: EventTarget & { startMessages(): void; controller: { postMessage: ReturnType<typeof vi.fn> } };
let offer: Offer;
let read: ReturnType<typeof vi.fn>;
let repace: ReturnType<typeof vi.fn<() => void>>;
let signals: AbortSignal[];

beforeEach(() => {
  container = Object.assign(new EventTarget(), { startMessages: () => {}, controller: { postMessage: vi.fn() } });
  signals = [];
  repace = vi.fn<() => void>();
  read = vi.fn((start: number, end: number, { signal }: { signal: AbortSignal }) => {
    signals.push(signal);
    let at = start;
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        const next = Math.min(end, at + 400);
        // As the store gives it: a part of something larger.
        controller.enqueue(new Uint8Array(2_000).fill(7).subarray(at, next));
        at = next;
        if (at === end) controller.close();
      },
    }, { highWaterMark: 0 });
  });
  const streams = new Streams(container as unknown as ServiceWorkerContainer, 'https://pleach.example/~pleach/');
  offer = streams.offer({ content: CONTENT, read: read as never, repace });
});

/** Asks as the worker does. */
function ask(id: string, file: number, range: string | null) {
  const { port1, port2 } = new MessageChannel();
  const heard: FromPage[] = [];
  port1.onmessage = ({ data }: MessageEvent<FromPage>) => void heard.push(data);
  container.dispatchEvent(new MessageEvent('message', { data: { pleach: 'ask', id, file, range }, ports: [port2] as never }));
  return { heard, say: (what: ToPage) => port1.postMessage(what) };
}

describe('a stream', () => {
  it('sends a piece each time that one is pulled', async () => {
    const { heard, say } = ask(CONTENT.id, 1, 'bytes=100-899');
    await vi.waitFor(() => expect(heard).toHaveLength(1));
    expect(heard[0]).toMatchObject({ say: 'head', head: { status: 206 } });
    expect(read).not.toHaveBeenCalled();
    say('pull');
    await vi.waitFor(() => expect(heard).toHaveLength(2));
    expect(read).toHaveBeenCalledWith(200, 1_000, expect.objectContaining({ playing: true }));
    expect(heard[1]).toMatchObject({ say: 'bytes', bytes: new Uint8Array(400).fill(7) });
    say('pull');
    await vi.waitFor(() => expect(heard).toHaveLength(3));
    say('pull');
    await vi.waitFor(() => expect(heard[3]).toEqual({ say: 'end' }));
  });

  it('ends when the player seeks', async () => {
    const { heard, say } = ask(CONTENT.id, 1, null);
    say('pull');
    await vi.waitFor(() => expect(heard).toHaveLength(2));
    say('cancel');
    await vi.waitFor(() => expect(signals[0]?.aborted).toBe(true));
  });

  it('is not given of what is not open here', async () => {
    const others = [ask('0'.repeat(64), 1, null), ask(CONTENT.id, 2, null)];
    for (const { heard } of others) await vi.waitFor(() => expect(heard).toEqual([{ say: 'no' }]));
    offer.close();
    const { heard } = ask(CONTENT.id, 1, null);
    await vi.waitFor(() => expect(heard).toEqual([{ say: 'no' }]));
  });

  it('knows the pace', async () => {
    offer.setPace(1, 250_000);
    expect(repace).toHaveBeenCalled();
    const { heard, say } = ask(CONTENT.id, 1, null);
    say('pull');
    await vi.waitFor(() => expect(heard).toHaveLength(2));
    expect((read.mock.calls[0]?.[2] as { bytesPerS: () => number }).bytesPerS()).toBe(250_000);
  });

  it('keeps the worker awake', async () => {
    ask(CONTENT.id, 1, null).say('pull');
    await vi.waitFor(() => expect(container.controller.postMessage).toHaveBeenCalledWith({ pleach: 'awake' }));
  });

  it('is one of a bounded number: the oldest ends', async () => {
    for (let at = 0; at < 33; at += 1) ask(CONTENT.id, 1, null).say('pull');
    await vi.waitFor(() => expect(signals).toHaveLength(33));
    // The oldest had been ended before it was begun.
    expect(signals.filter(({ aborted }) => aborted)).toHaveLength(1);
  });
});

it('an address tells the content, the number and the name, whatever it is', () => {
  expect(offer.address(1)).toBe(`https://pleach.example/~pleach/${CONTENT.id}/1/talk.mp4`);
});
