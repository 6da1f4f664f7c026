import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IpAddress } from '#libs/core';
import { firstThatOpens, unlessAborted } from './first-that-opens.js';

const addresses: readonly IpAddress[] = [1n, 2n, 3n].map((bits) => ({ family: 4, bits }));

/** One that swallows what it is sent. */
const silent = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('firstThatOpens', () => {
  it('leaves those alone that come after the one that opens', async () => {
    const tried: bigint[] = [];
    const socket = new Socket();
    const open = ({ bits }: IpAddress): Promise<Socket> => {
      tried.push(bits);
      return bits === 2n ? Promise.resolve(socket) : Promise.reject(new Error(`no ${bits}`));
    };
    expect(await firstThatOpens(addresses, open, new AbortController().signal, 3_000)).toBe(socket);
    expect(tried).toEqual([1n, 2n]);
  });

  it('gives a silent one its share of the time, and the last one what is left', async () => {
    const tried: [bigint, number][] = [];
    const overall = new AbortController();
    const start = Date.now();
    const opened = firstThatOpens(
      addresses,
      ({ bits }, signal) => {
        tried.push([bits, Date.now() - start]);
        return silent(signal);
      },
      overall.signal,
      3_000,
    );
    const failure = opened.catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(2_900);
    expect(tried).toEqual([
      [1n, 0],
      [2n, 1_000],
      [3n, 2_000],
    ]);
    overall.abort(new Error('over'));
    expect(await failure).toEqual(new Error('over'));
  });

  it('tries no other when all the time is over', async () => {
    let tried = 0;
    const overall = new AbortController();
    const opened = firstThatOpens(
      addresses,
      (_, signal) => {
        tried += 1;
        return silent(signal);
      },
      overall.signal,
      3_000,
    );
    overall.abort(new Error('over'));
    await expect(opened).rejects.toThrow('over');
    expect(tried).toBe(1);
  });

  it('fails as the last one does', async () => {
    const open = ({ bits }: IpAddress): Promise<Socket> => Promise.reject(new Error(`no ${bits}`));
    await expect(firstThatOpens(addresses, open, new AbortController().signal, 3_000)).rejects.toThrow('no 3');
  });
});

describe('unlessAborted', () => {
  it('waits for the work, or for the end of its time', async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve(1), signal)).toBe(1);
    const other = new AbortController();
    const never = unlessAborted(new Promise(() => undefined), other.signal);
    other.abort(new Error('over'));
    await expect(never).rejects.toThrow('over');
  });
});
