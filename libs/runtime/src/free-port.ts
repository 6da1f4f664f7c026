import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range from which systems take the ports of outgoing connections (32768 upwards on Linux): a port there
 * could be taken by some client while its broker is down, and the broker could not come back on it.
 */
const LOWEST = 12_000;
const HIGHEST = 32_000;

/** A port of 127.0.0.1 that nobody listens on, none of `taken`. `wanted` if that one is free. */
async function freePort(taken: ReadonlySet<number>, wanted?: number): Promise<number> {
  if (wanted !== undefined && !taken.has(wanted) && (await isFree(wanted))) return wanted;
  for (let tries = 0; tries < 200; tries += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`No free port on 127.0.0.1 between ${LOWEST} and ${HIGHEST}`);
}

/** `count` different free ports; `wanted` are kept where they are still free. */
export async function freePorts(count: number, wanted: readonly number[] = []): Promise<number[]> {
  const taken = new Set<number>();
  for (let index = 0; index < count; index += 1) taken.add(await freePort(taken, wanted[index]));
  return [...taken];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
