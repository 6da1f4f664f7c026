import { promises as dns } from 'node:dns';
import { ConnectFailure } from './connect-failure.js';

/** All addresses of a host name, IPv4 first. @throws ConnectFailure of kind `dns` */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>;

/** Of one name server, for one question; each is asked twice. */
const answerTimeoutMs = 2_000;
/** At most so many of libuv's four threads wait for getaddrinfo. */
const systemLookups = 2;

/**
 * Asks DNS itself, outside of libuv's threads: a name whose server hangs holds up nobody but those who wait for it, who
 * share one question. Nothing is remembered: a question is asked per connection, and its answer is judged each time.
 * @param servers `address` or `address:port`; none: the machine's own, and then what DNS does not know is asked of
 * the operating system, which knows hosts files and search domains
 */
export function hostResolver(servers: readonly string[] = []): ResolveHost {
  const asking = new Map<string, Promise<readonly string[]>>();
  const askSystem = inTurns(systemLookups, (hostname: string) => dns.lookup(hostname, { all: true }));
  const ask = async (hostname: string): Promise<readonly string[]> => {
    if (/^(.+\.)?localhost\.?$/i.test(hostname)) return ['127.0.0.1', '::1'];
    const found = await askServers(hostname, servers);
    if (found !== null) return found;
    if (servers.length > 0) throw new ConnectFailure('dns', `${hostname} has no address`);
    try {
      return (await askSystem(hostname)).map(({ address }) => address);
    } catch (cause) {
      throw new ConnectFailure('dns', `${hostname} has no address`, { cause });
    }
  };
  return (hostname) => {
    const shared = asking.get(hostname);
    if (shared !== undefined) return shared;
    const answer = ask(hostname).finally(() => asking.delete(hostname));
    asking.set(hostname, answer);
    return answer;
  };
}

/** @returns null when there is no such name, or no address of it */
async function askServers(hostname: string, servers: readonly string[]): Promise<readonly string[] | null> {
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

/** At most `limit` at once; the others wait for their turn. */
function inTurns<A, R>(limit: number, work: (argument: A) => Promise<R>): (argument: A) => Promise<R> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (argument) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work(argument);
    } finally {
      // The turn is handed on, not given back: nobody may come between.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
