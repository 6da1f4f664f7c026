import { promises as dns } from 'node:dns';
import { ConnectFailure } from './connect-failure.js';
import { askNameServers } from './name-servers.js';

/** All addresses of a host name; none: it has none. @throws ConnectFailure `dns` when it could not be found out */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>;

export interface ResolverPorts {
  /** Null: there is no such name. */
  readonly askDns: (hostname: string) => Promise<readonly string[] | null>;
  /** Hosts files, search domains; it takes a thread. Rejects when it knows nothing. */
  readonly askSystem: (hostname: string) => Promise<readonly string[]>;
}

/** At most so many of libuv's four threads wait for getaddrinfo. */
const systemLookups = 2;
const localhost = /^(.+\.)?localhost\.?$/i;

/** @param servers name servers to ask alone; none: the machine's own, and what it knows besides */
export function hostResolver(servers: readonly string[] = []): ResolveHost {
  return resolverOf({
    askDns: (hostname) => askNameServers(servers, hostname),
    async askSystem(hostname) {
      if (servers.length > 0) return [];
      return (await dns.lookup(hostname, { all: true })).map(({ address }) => address);
    },
  });
}

/**
 * DNS first, which holds up nobody but those who wait for the name; the operating system where DNS knows nothing. Who waits
 * for the same name shares one question. Nothing is remembered: each connection asks, and looks at its answer.
 */
export function resolverOf({ askDns, askSystem }: ResolverPorts): ResolveHost {
  const asking = new Map<string, Promise<readonly string[]>>();
  const askInTurns = inTurns(systemLookups, askSystem);
  const ask = async (hostname: string): Promise<readonly string[]> => {
    // Never another machine (RFC 6761 §6.3).
    if (localhost.test(hostname)) return ['127.0.0.1', '::1'];
    const found = await askDns(hostname);
    if (found !== null) return found;
    try {
      return await askInTurns(hostname);
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
