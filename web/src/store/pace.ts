/**
 * How long will it take? A smoothed pace of verified bytes, from which the time left follows.
 *
 * The engine's speed covers the last few seconds, which is right for "how fast is it now" and too nervous for "when
 * will it be done". The pace here forgets slowly (`MEMORY_MS`), so that one slow second does not turn two minutes
 * into ten, and counts verified bytes only, so that bytes found on the disk after a reload do not look like speed:
 * callers begin anew when the checking is over.
 */

/** After so long, two thirds of what was measured before is forgotten. */
const MEMORY_MS = 8_000;
/** Before so much was measured, a guess would only jump. */
const WARM_UP_MS = 2_000;
/** Slower than this is "not moving": hours and days of a guess help nobody. */
const SLOWEST_BYTES_PER_S = 64;

/** What was measured so far. */
export interface Pace {
  readonly startedAtMs: number;
  readonly atMs: number;
  readonly haveBytes: number;
  readonly bytesPerS: number;
}

export function startPace(nowMs: number, haveBytes: number): Pace {
  return { startedAtMs: nowMs, atMs: nowMs, haveBytes, bytesPerS: 0 };
}

export function measurePace(pace: Pace, nowMs: number, haveBytes: number): Pace {
  const stepMs = nowMs - pace.atMs;
  if (stepMs <= 0) return pace;
  const measured = (Math.max(0, haveBytes - pace.haveBytes) * 1000) / stepMs;
  // A plain mean while there is less than the memory, so that the start weighs no more than what follows.
  const elapsedMs = nowMs - pace.startedAtMs;
  const weight = Math.max(stepMs / elapsedMs, 1 - Math.exp(-stepMs / MEMORY_MS));
  return {
    startedAtMs: pace.startedAtMs,
    atMs: nowMs,
    haveBytes,
    bytesPerS: pace.bytesPerS + (measured - pace.bytesPerS) * weight,
  };
}

/** Seconds until all is there, or `null` if nobody can tell. */
export function timeRemainingS(pace: Pace, sizeBytes: number): number | null {
  const missingBytes = sizeBytes - pace.haveBytes;
  if (missingBytes <= 0) return 0;
  if (pace.atMs - pace.startedAtMs < WARM_UP_MS || pace.bytesPerS < SLOWEST_BYTES_PER_S) return null;
  return missingBytes / pace.bytesPerS;
}
