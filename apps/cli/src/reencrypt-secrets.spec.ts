// Real: the passes, sealing, the codec. Doubled: the tables, the log (in memory), the registry.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { noCredentials, type EndpointCredentials } from '#libs/contracts';
import { openSecret, parseMasterKeys, sealEnvelope, sealSecret } from '#libs/core';
import { InMemoryLog } from '#libs/kafka';
import type { ResealPass } from '#libs/persistence';
import { InMemoryRegistry, openSchemaCodec, platformSchemas } from '#libs/schema-codec';
import { anEndpointConfig } from '#libs/testing';
import { publishedSeals } from './published-seals.js';
import { reportLeft, resealAll, type ReencryptPorts } from './reencrypt-secrets.js';

const [one, two] = [1, 2].map((version) => `${version}:${randomBytes(32).toString('base64')}`);
const first = parseMasterKeys(one!);
const both = parseMasterKeys(`${one},${two}`);

/** A table of one secret per endpoint. */
function tableOf(secrets: Map<string, string>, options: { readonly busy?: Set<string> } = {}) {
  const calls: string[] = [];
  let unpublished = 0;
  const seals: ReencryptPorts['seals'] = {
    counts: () =>
      Promise.resolve(Map.groupBy(secrets.values(), (text) => text.split('.')[0]!)).then(
        (groups) => new Map([...groups].map(([seal, all]) => [seal, all.length])),
      ),
    unpublished: () => Promise.resolve(unpublished),
    reseal(reseal, { after, seal, limit }) {
      calls.push(after);
      const found = [...secrets].filter(([id, text]) => id > after && !text.startsWith(seal)).slice(0, limit);
      const failures: ResealPass['failures'][number][] = [];
      let done = 0;
      for (const [endpointId, text] of found) {
        if (options.busy?.has(endpointId)) continue;
        try {
          secrets.set(endpointId, reseal(text, endpointId));
          done += 1;
        } catch (error) {
          failures.push({ endpointId, secretId: 's', reason: (error as Error).message });
        }
      }
      unpublished += done * 300;
      const busy = found.filter(([id]) => options.busy?.has(id)).length;
      return Promise.resolve({ next: found.at(-1)?.[0] ?? null, secrets: done, endpoints: done, busy, failures });
    },
  };
  const publish = () => (unpublished = 0);
  return { seals, calls, publish };
}
async function run(seals: ReencryptPorts['seals'], keys = both, pause: () => void = () => undefined) {
  const lines: string[] = [];
  const ports = { seals, now: () => 1_000, pause: () => Promise.resolve(pause()) };
  const failures = await resealAll(ports, keys, { batch: 2 }, (line) => lines.push(line));
  return { failures, lines };
}
const ids = ['a', 'b', 'c', 'd', 'e'];
const sealedBy = (keys: typeof both) => new Map(ids.map((id) => [id, sealEnvelope(keys, `of ${id}`, id, randomBytes)]));

describe('posthorn secrets reencrypt', () => {
  it('seals every secret with the newest key, in batches, and waits for the api between them', async () => {
    const secrets = sealedBy(first);
    secrets.set('b', sealSecret(first, 'of b', 'b', randomBytes(12)));
    const { seals, calls, publish } = tableOf(secrets);
    const { failures, lines } = await run(seals, both, publish);
    expect(failures).toBe(0);
    expect(calls).toEqual(['', 'b', 'd', 'e']);
    const secondAlone = parseMasterKeys(two!);
    for (const [id, text] of secrets) expect(openSecret(secondAlone, text, id)).toBe(`of ${id}`);
    expect(lines).toEqual([
      'waiting for an api to publish what was done so far',
      '5 secrets of 5 endpoints are sealed with master key 2 now',
    ]);
  });

  it('goes on where it was broken off, and then has nothing to do', async () => {
    const secrets = sealedBy(first);
    const { seals, publish } = tableOf(secrets);
    const broken = {
      ...seals,
      reseal: (...args: Parameters<typeof seals.reseal>) => {
        if (args[1].after === 'b') return Promise.reject(new Error('the connection broke'));
        return seals.reseal(...args);
      },
    };
    await expect(run(broken, both, publish)).rejects.toThrow('broke');
    expect((await run(seals, both, publish)).lines.at(-1)).toMatch(/^3 secrets of 3/);
    const after = new Map(secrets);
    expect((await run(seals, both, publish)).lines.at(-1)).toMatch(/^0 secrets of 0/);
    expect(secrets).toEqual(after);
  });

  it('comes back to what somebody was changing', async () => {
    const busy = new Set(['c']);
    const secrets = sealedBy(first);
    const { seals, publish } = tableOf(secrets, { busy });
    const { lines } = await run(seals, both, () => {
      publish();
      busy.clear();
    });
    expect(lines.at(-1)).toMatch(/^5 secrets of 5/);
    expect([...secrets.values()].every((text) => text.startsWith('e2.'))).toBe(true);
  });

  it('names what it cannot open, and does the rest', async () => {
    const secrets = sealedBy(first);
    secrets.set('c', 'e7.A.A');
    const { seals, publish } = tableOf(secrets);
    const { failures, lines } = await run(seals, both, publish);
    expect(failures).toBe(1);
    expect(lines).toContain('s of c: not a sealed secret');
    expect(lines.at(-1)).toMatch(/^4 secrets of 4/);
  });
});

describe('what is left of older master keys', () => {
  const topic = { inForce: new Map([['e2', 3]]), superseded: new Map<string, number>() };
  const left = async (counts: Record<string, number>, found: typeof topic, unpublished = 0) => {
    const lines: string[] = [];
    const seals = {
      counts: () => Promise.resolve(new Map(Object.entries(counts))),
      unpublished: () => Promise.resolve(unpublished),
    };
    await reportLeft(seals, found, both, (line) => lines.push(line));
    return lines.join('\n');
  };
  const may = /may be taken out/;

  it('is nothing: they may go', async () => {
    const said = await left({ e2: 3 }, topic);
    expect(said).toMatch(may);
    expect(said).not.toMatch(/destroy/);
  });

  it('is old records until the topic is compacted', async () => {
    const said = await left({ e2: 3 }, { ...topic, superseded: new Map([['v1', 2]]) });
    expect(said).toMatch(may);
    expect(said).toMatch(/by 2 that were replaced since[^]*destroy the older master keys after that/);
  });

  it.each([
    ['a row', { e2: 2, e1: 1, v1: 4 }, topic, 0, /5 secrets in the tables \(e1: 1, v1: 4\)/],
    ['a record in force', { e2: 3 }, { ...topic, inForce: new Map([['e1', 1]]) }, 0, /by 1 records/],
    ['what no api has published', { e2: 3 }, topic, 7, /7 records wait/],
  ])('is %s: keep them', async (_, counts, found, unpublished, words) => {
    const said = await left(counts, found, unpublished);
    expect(said).toMatch(words);
    expect(said).toMatch(/keep the older master keys/);
    expect(said).not.toMatch(may);
  });
});

it('the endpoints topic tells the seals in force from those replaced', async () => {
  const log = new InMemoryLog();
  log.createTopic('p.endpoints', 1, {});
  const registry = new InMemoryRegistry();
  for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
  const { platform } = await openSchemaCodec(registry);
  const record = (key: string, ...ciphertexts: string[]) => recordWith(noCredentials, key, ...ciphertexts);
  const recordWith = (credentials: EndpointCredentials, key: string, ...ciphertexts: string[]) => {
    const secrets = ciphertexts.map((ciphertext, n) => ({ secretId: `s${n}`, ciphertext, expiresAt: null }));
    const config = anEndpointConfig({ endpointId: key, secrets, ...credentials });
    return { topic: 'p.endpoints', partition: 0, key, value: platform.endpointConfig.encode(config) };
  };
  log.write([
    record('ep_1', 'v1.a', 'e1.b'),
    record('ep_2', 'v1.a'),
    { topic: 'p.endpoints', partition: 0, key: 'tenant:acme', value: Buffer.from('?') },
    record('ep_1', 'e2.a', 'e2.b'),
    record('ep_3', 'e1.a'),
    recordWith({ sealedAuthentication: 'e4.a', sealedClientCertificate: 'e5.a', caPem: 'e6.' }, 'ep_4', 'e2.a'),
    { topic: 'p.endpoints', partition: 0, key: 'ep_2', value: null },
  ]);
  const found = await publishedSeals(log.reader(), platform, 'p.endpoints');
  expect(Object.fromEntries(found.inForce)).toEqual({ e2: 2, e1: 1, e4: 1, e5: 1 });
  expect(Object.fromEntries(found.superseded)).toEqual({ v1: 2, e1: 1 });
});
