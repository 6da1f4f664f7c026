import { describe, expect, it } from 'vitest';
import { ConnectFailure } from './connect-failure.js';
import { resolverOf, type ResolverPorts } from './resolve-host.js';

/** Ports that count what they are asked. */
function ports(answers: Partial<ResolverPorts> = {}): ResolverPorts & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    askDns(hostname) {
      asked.push(`dns ${hostname}`);
      return answers.askDns?.(hostname) ?? Promise.resolve(null);
    },
    askSystem(hostname) {
      asked.push(`system ${hostname}`);
      return answers.askSystem?.(hostname) ?? Promise.reject(new Error('unknown'));
    },
  };
}

describe('resolverOf', () => {
  it('asks the operating system only for what DNS does not know', async () => {
    const known = ports({
      askDns: (name) => Promise.resolve(name === 'a.example' ? ['8.8.8.8'] : null),
      askSystem: () => Promise.resolve(['10.0.0.1']),
    });
    const resolve = resolverOf(known);
    expect(await resolve('a.example')).toEqual(['8.8.8.8']);
    expect(await resolve('billing')).toEqual(['10.0.0.1']);
    expect(known.asked).toEqual(['dns a.example', 'dns billing', 'system billing']);
  });

  it('does not ask it where DNS gave no answer: a thread is not to wait for a server that hangs', async () => {
    const silent = ports({ askDns: () => Promise.reject(new ConnectFailure('dns', 'ETIMEOUT')) });
    await expect(resolverOf(silent)('a.example')).rejects.toThrow('ETIMEOUT');
    expect(silent.asked).toEqual(['dns a.example']);
  });

  it('fails as dns does where nobody knows the name', async () => {
    await expect(resolverOf(ports())('a.example')).rejects.toMatchObject({
      kind: 'dns',
      message: 'a.example has no address',
    });
  });

  it('never asks for localhost', async () => {
    const none = ports();
    const resolve = resolverOf(none);
    for (const name of ['localhost', 'LOCALHOST.', 'a.localhost']) {
      expect(await resolve(name)).toEqual(['127.0.0.1', '::1']);
    }
    expect(none.asked).toEqual([]);
  });

  it('shares a question among those that wait, and asks anew afterwards', async () => {
    const counted = ports({ askDns: () => Promise.resolve(['8.8.8.8']) });
    const resolve = resolverOf(counted);
    await Promise.all([resolve('a.example'), resolve('a.example'), resolve('b.example')]);
    expect(counted.asked).toEqual(['dns a.example', 'dns b.example']);
    await resolve('a.example');
    expect(counted.asked).toHaveLength(3);
  });

  it('lets two at once wait for the operating system, and the others in their turn, also after a failure', async () => {
    const waiting = new Map<string, (addresses: string[] | Error) => void>();
    const slow = ports({
      askSystem: (name) =>
        new Promise((resolve, reject) => {
          waiting.set(name, (answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
        }),
    });
    const resolve = resolverOf(slow);
    const results = Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map((name) => resolve(name)));
    const turns: string[][] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      await new Promise(setImmediate);
      turns.push([...waiting.keys()]);
      const answer = waiting.get(name);
      waiting.delete(name);
      answer?.(name === 'a' ? new Error('unknown') : [name]);
    }
    expect(turns).toEqual([['a', 'b'], ['b', 'c'], ['c', 'd'], ['d', 'e'], ['e']]);
    expect((await results).map(({ status }) => status)).toEqual(['rejected', ...Array<string>(4).fill('fulfilled')]);
  });
});
