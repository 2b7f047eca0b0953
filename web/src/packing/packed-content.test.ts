import { describe, expect, it, vi } from 'vitest';
import { openPacked, WrongPassword, type WorkerLike } from './packed-content.js';
import type { Answer, Ask, Numbered } from './protocol.js';

vi.mock('./packing-worker.ts?worker&url', () => ({ default: 'packing-worker.js' }));

/** A worker that answers in its own time. */
class FakeWorker extends EventTarget implements WorkerLike {
  terminated = false;
  constructor(readonly reply: (question: Ask) => { done: unknown } | { refused: { name: string; message: string } }) {
    super();
  }
  postMessage({ number, question }: Numbered): void {
    queueMicrotask(() => this.dispatchEvent(new MessageEvent('message', { data: { number, ...this.reply(question) } as Answer })));
  }
  terminate(): void {
    this.terminated = true;
  }
}

const MANIFEST = new Uint8Array([1]);
const SECRETS = { key: null, password: 'horse' };

describe('opening packed content', () => {
  it('tells what is in it, and decodes', async () => {
    const worker = new FakeWorker((question) => ({ done: question.ask === 'open' ? { name: 'Plans' } : new Uint8Array([7]) }));
    const content = await openPacked(MANIFEST, SECRETS, () => worker);
    expect(content.info.name).toBe('Plans');
    expect(await content.decode(3, new Uint8Array([1, 2]))).toEqual(new Uint8Array([7]));
    content.close();
    expect(worker.terminated).toBe(true);
    await expect(content.decode(3, new Uint8Array([1]))).rejects.toThrow('closed');
  });

  it('tells a wrong password apart, and leaves no worker behind', async () => {
    const worker = new FakeWorker(() => ({ refused: { name: 'WrongPassword', message: 'the password is wrong' } }));
    await expect(openPacked(MANIFEST, SECRETS, () => worker)).rejects.toBeInstanceOf(WrongPassword);
    expect(worker.terminated).toBe(true);
  });

  it('fails what waits when the worker breaks down', async () => {
    const worker = new FakeWorker(() => ({ done: null }));
    worker.postMessage = () => void queueMicrotask(() => worker.dispatchEvent(Object.assign(new Event('error'), { message: 'no such file' })));
    await expect(openPacked(MANIFEST, SECRETS, () => worker)).rejects.toThrow('no such file');
  });
});
