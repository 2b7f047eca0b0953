/**
 * When a content is to be had (`active_from_ms`, `active_until_ms`; see docs/format.md, Time), by the clock of this machine.
 *
 * The engine knows no calendar, so who starts it looks. A page does not wait for the first moment: that may be months away,
 * and it says when. The clock may be set at any time, and timers stand still while a page is frozen, so for the second one
 * the clock is looked at again and again, instead of one timer that is set for it.
 */

import type { Problem } from './port.js';
import { ProblemError } from './problems.js';

/** Milliseconds since 1970; `null`: ever. */
export interface ActiveTime {
  readonly activeFromMs: number | null;
  readonly activeUntilMs: number | null;
}

/** How often the clock is looked at. A hidden page may look once a minute only. */
export const LOOK_MS = 1_000;

/** Throws a `not-yet` or an `over` if the content is not to be had now. */
export function checkActive(time: ActiveTime, nowMs: number): void {
  const over = overAt(time, nowMs);
  if (over) throw new ProblemError(over.kind, over.detail);
  const { activeFromMs } = time;
  if (activeFromMs !== null && nowMs < activeFromMs) throw new ProblemError('not-yet', `It is to be had from ${momentText(activeFromMs)} on.`);
}

/** Tells once when the content's time is over, unless `signal` comes first. */
export function watchOver(time: ActiveTime, now: () => number, signal: AbortSignal, onOver: (problem: Problem) => void): void {
  if (time.activeUntilMs === null || signal.aborted) return;
  const timer = setInterval(() => {
    const over = overAt(time, now());
    if (!over) return;
    clearInterval(timer);
    onOver(over);
  }, LOOK_MS);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}

function overAt({ activeUntilMs }: ActiveTime, nowMs: number): Problem | null {
  if (activeUntilMs === null || nowMs < activeUntilMs) return null;
  return { kind: 'over', detail: `It was to be had until ${momentText(activeUntilMs)}.` };
}

/** `May 1, 2031, 8:00 PM`, where the reader is. */
function momentText(momentMs: number): string {
  const moment = new Date(momentMs);
  // A manifest may name moments that no calendar has.
  if (Number.isNaN(moment.getTime())) return `${momentMs} ms after 1970`;
  return new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' }).format(moment);
}
