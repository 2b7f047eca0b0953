/** From what went wrong, in the words of browsers, servers and the engine, to one of the kinds that people are told of. */

import { StoreError, type StoreErrorCode } from '../storage/store.js';
import type { Problem, ProblemKind } from './port.js';

/** A failure whose kind is known where it happens. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly kind: ProblemKind;

  constructor(kind: ProblemKind, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.kind = kind;
  }
}

/** Runs a step; whatever it throws is of this kind, unless it knows better. */
export async function as<T>(kind: ProblemKind, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw error instanceof ProblemError ? error : new ProblemError(kind, textOf(error), { cause: error });
  }
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return { kind: error.kind, detail: error.message };
  if (error instanceof StoreError) return { kind: STORE_KINDS[error.code], detail: error.message };
  if (isCompileError(error)) return { kind: 'no-wasm', detail: textOf(error) };
  return { kind: 'engine', detail: textOf(error) };
}

const STORE_KINDS: Record<StoreErrorCode, ProblemKind> = {
  'no-space': 'storage-full',
  // It is waited for.
  'already-open': 'storage',
  'too-large': 'too-large',
  unsupported: 'storage',
  closed: 'storage',
  failed: 'storage',
};

/** Why the engine gave up. Of a store's error it tells the sentence only; the store itself knows the kind. */
export function failureProblem(
  failure: 'store' | 'contentChanged' | 'refused',
  message: string,
  storeError: StoreError | undefined,
): Problem {
  switch (failure) {
    case 'store':
      return { kind: storeError ? STORE_KINDS[storeError.code] : 'storage', detail: message };
    case 'contentChanged':
      return { kind: 'changed', detail: message };
    case 'refused':
      return { kind: 'refused', detail: message };
  }
}

/** What a browser lacks without which nothing goes, or `null`. */
export function missingIn(scope: { readonly WebAssembly?: unknown }): Problem | null {
  return scope.WebAssembly === undefined ? { kind: 'no-wasm', detail: 'WebAssembly is not defined' } : null;
}

/** Whether a browser can connect to others. */
export function canConnectIn(scope: { readonly RTCPeerConnection?: unknown }): boolean {
  return scope.RTCPeerConnection !== undefined;
}

/** `name: message` where the name tells something. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'Error' || error.name === 'ProblemError' ? error.message : `${error.name}: ${error.message}`;
}

/** Thrown where SIMD or something else that the engine is compiled for is missing. */
function isCompileError(error: unknown): boolean {
  return typeof WebAssembly !== 'undefined' && (error instanceof WebAssembly.CompileError || error instanceof WebAssembly.LinkError);
}
