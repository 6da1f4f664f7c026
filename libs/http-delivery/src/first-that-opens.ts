import type { Socket } from 'node:net';
import type { IpAddress } from '#libs/core';
import { ConnectFailure } from './connect-failure.js';

export const tooLate = (ms: number): ConnectFailure =>
  new ConnectFailure('connect-timeout', `no connection within ${ms} ms`);

/**
 * One after the other, each with its share of the time: an address that swallows what it is sent must not use up all of
 * it. The last one's failure is the failure.
 */
export async function firstThatOpens(
  addresses: readonly IpAddress[],
  open: (address: IpAddress, signal: AbortSignal) => Promise<Socket>,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Socket> {
  const shareMs = timeoutMs / addresses.length;
  let failure: unknown;
  for (const [index, address] of addresses.entries()) {
    const isLast = index === addresses.length - 1;
    try {
      return await (isLast ? open(address, signal) : within(shareMs, signal, (share) => open(address, share)));
    } catch (error) {
      if (signal.aborted) throw error;
      failure = error;
    }
  }
  throw failure;
}

async function within<T>(ms: number, signal: AbortSignal, work: (share: AbortSignal) => Promise<T>): Promise<T> {
  const share = new AbortController();
  const stop = (): void => share.abort(signal.reason);
  const timer = setTimeout(() => share.abort(tooLate(ms)), ms);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await work(share.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** The work goes on, and nobody looks at what becomes of it. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
