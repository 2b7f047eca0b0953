/**
 * Who has a content open, over all tabs of a site.
 *
 * A Web Lock is held by each. Who may write has it alone. A newcomer tells that it wants the content too; who has all of
 * it, now or later, then writes no more and holds the lock together with others (`shareLock`), who read what lies there. A
 * second lock is held by those who do: it tells that the content is whole, and stays so while anybody holds the first.
 */

export const lockName = (content: string): string => `pleach:${content}`;
const wholeName = (content: string): string => `pleach-whole:${content}`;

/** How long a page waits for another to let go: a page that is being reloaded does so within a moment. */
const WAIT_MS = 1_500;
/** How long somebody may have a content open without its lock: one whose page has just gone. */
const UNLOCKED_MS = 1_000;

/** A content's lock, as it was granted. */
export interface ContentLock {
  /** The content is whole, and others read it too: nobody writes. */
  readonly isShared: boolean;
  readonly release: () => void;
}

/**
 * Takes a content's lock: alone, or together with others that have all of it; `null` if another tab keeps it. `onWanted`
 * hears, from the start, of others that want the content while this one has it alone.
 */
export async function takeLock(content: string, onWanted: () => void): Promise<ContentLock | null> {
  const signal = AbortSignal.timeout(WAIT_MS);
  const channel = new BroadcastChannel(lockName(content));
  channel.onmessage = onWanted;
  for (;;) {
    const alone = await hold(lockName(content), { ifAvailable: true });
    if (alone) return { isShared: false, release: () => (channel.close(), alone()) };
    // What it says itself it does not hear.
    channel.postMessage('wanted');
    const together = await hold(lockName(content), { mode: 'shared', signal }).catch(unlessTimeout);
    const isToRead = together !== null && (await isWhole(content));
    if (!together || isToRead) channel.close();
    if (!together) return null;
    if (isToRead) {
      const whole = await hold(wholeName(content), { mode: 'shared' });
      return { isShared: true, release: () => (whole?.(), together()) };
    }
    // Who had it alone has gone, and left it as it is.
    together();
  }
}

/** Of who has the lock alone, and writes no more: others that want the content get it from now on. */
export async function shareLock(content: string, lock: ContentLock): Promise<ContentLock> {
  const together = hold(lockName(content), { mode: 'shared' });
  const whole = await hold(wholeName(content), { mode: 'shared' });
  // Those who waited are granted it together with this one.
  lock.release();
  const release = await together;
  return { isShared: true, release: () => (whole?.(), release?.()) };
}

/** Resolves when it is worth while to open the content again; another may be quicker. Hidden pages are told as well. */
export async function untilFree(content: string, signal: AbortSignal): Promise<void> {
  const wasFree = await navigator.locks.request(lockName(content), { ifAvailable: true }, (lock) => lock !== null);
  if (wasFree) return new Promise((resolve) => setTimeout(resolve, UNLOCKED_MS));
  await navigator.locks.request(lockName(content), { mode: 'shared', signal }, () => {});
}

async function isWhole(content: string): Promise<boolean> {
  const { held } = await navigator.locks.query();
  return held?.some(({ name }) => name === wholeName(content)) ?? false;
}

/** Waits until a lock is granted, and gives back how to let go of it; `null` if it is not to be waited for. */
function hold(name: string, options: LockOptions): Promise<(() => void) | null> {
  return new Promise((resolve, reject) => {
    const held = navigator.locks.request(name, options, (lock) => {
      return lock ? new Promise<void>((release) => resolve(release)) : resolve(null);
    });
    held.catch(reject);
  });
}

function unlessTimeout(error: unknown): null {
  if (error instanceof DOMException && error.name === 'TimeoutError') return null;
  throw error;
}
