import { promises as dns } from 'node:dns';
import { ConnectFailure } from './connect-failure.js';

/** Of one name server, for one question; each is asked twice. */
const answerTimeoutMs = 2_000;

/**
 * The addresses of a name, IPv4 first, asked of DNS outside of libuv's threads.
 * @param servers `address` or `address:port`; none: those of the machine
 * @returns null when there is no such name, or no address of it
 * @throws ConnectFailure `dns` when it could not be found out
 */
export async function askNameServers(servers: readonly string[], hostname: string): Promise<readonly string[] | null> {
  // A new one each time reads resolv.conf anew: it changes while a worker runs.
  const resolver = new dns.Resolver({ timeout: answerTimeoutMs, tries: 2 });
  if (servers.length > 0) resolver.setServers(servers);
  const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (found.length > 0) return found;
  const codes = answers.map((answer) => (answer.status === 'rejected' ? codeOf(answer.reason) : 'ENODATA'));
  const fault = codes.find((code) => code !== 'ENODATA' && code !== 'ENOTFOUND');
  // No name server is set up on this machine: it may know names all the same.
  if (fault === undefined || (fault === 'ECONNREFUSED' && servers.length === 0)) return null;
  throw new ConnectFailure('dns', `the address of ${hostname} could not be found out (${fault})`);
}

const codeOf = (error: unknown): string => {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'unknown';
};
