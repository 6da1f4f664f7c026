import { randomBytes } from 'node:crypto';
import { startTestCluster, type TestCluster } from '#libs/runtime';
import { testAuthority, type Issued, type TestAuthority } from '#libs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectTuned } from '../src/connect.js';
import type { KafkaConnection, KafkaLog } from '../src/ports.js';

const password = randomBytes(16).toString('hex');
const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
/** A value of Java's properties: lines are kept apart by `\n` in two letters. */
const property = (pem: string): string => pem.trim().replaceAll(/\r?\n/g, String.raw`\n`);

/**
 * Brokers that ask who is there, and can show who they are. Real: one broker with two listeners beside its plain one,
 * SASL/PLAIN over TLS and mutual TLS; certificates of an authority that nobody knows but who is told.
 */
describe('a broker behind TLS', () => {
  let authority: TestAuthority;
  let own: Issued;
  let cluster: TestCluster;

  beforeAll(async () => {
    authority = await testAuthority('Posthorn Test Root');
    const broker = await authority.issue('broker', ['127.0.0.1']);
    own = await authority.issue('posthorn');
    const shown = (name: string) => ({
      [`listener.name.${name}.ssl.keystore.type`]: 'PEM',
      [`listener.name.${name}.ssl.keystore.certificate.chain`]: property(broker.cert),
      [`listener.name.${name}.ssl.keystore.key`]: property(broker.key),
    });
    cluster = await startTestCluster({
      brokers: 1,
      listeners: { LOGIN: 'SASL_SSL', MUTUAL: 'SSL' },
      config: {
        ...shown('login'),
        ...shown('mutual'),
        'listener.name.login.sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.login.plain.sasl.jaas.config': `${login} user_posthorn="${password}";`,
        'listener.name.mutual.ssl.client.auth': 'required',
        'listener.name.mutual.ssl.truststore.type': 'PEM',
        'listener.name.mutual.ssl.truststore.certificates': property(authority.ca),
      },
    });
  });
  afterAll(async () => {
    await cluster?.stop();
  });

  const logged: object[] = [];
  const connect = (listener: string, over: Partial<KafkaConnection>): KafkaLog =>
    connectTuned(
      {
        brokers: [cluster.listeners[listener] ?? ''],
        clientId: 'secured',
        log: (entry) => logged.push(entry),
        ...over,
      },
      { requestTimeoutMs: 3_000 },
    );
  const sasl = { mechanism: 'plain', username: 'posthorn', password } as const;

  it.each([
    ['LOGIN', () => ({ tls: { ca: authority.ca }, sasl })],
    ['MUTUAL', () => ({ tls: { ca: authority.ca, ...own } })],
  ])(
    'takes what is sent to its listener %s, and gives it back; a group has its place there',
    async (listener, over) => {
      const log = connect(listener, over());
      const topic = `secured-${listener}`;
      const admin = log.administration();
      expect(await admin.ensure([{ name: topic, partitions: 1, replicationFactor: 1, config: {} }])).toEqual([]);
      const sender = log.sender();
      await sender.send([{ topic, partition: 0, key: null, value: Buffer.from('it'), headers: {} }]);
      const reader = log.reader();
      const values: string[] = [];
      for await (const records of reader.range({ topic, partition: 0 }, 0, 1))
        values.push(...records.map((r) => String(r.value)));
      expect(values).toEqual(['it']);
      await admin.setCommits(topic, [{ topic, partition: 0, offset: 1 }]);
      expect((await admin.committed(topic, [{ topic, partition: 0 }]))[0]?.offset).toBe(1);
      await Promise.all([admin.close(), sender.close(), reader.close()]);
    },
  );

  it.each([
    [
      'a wrong password',
      'LOGIN',
      () => ({ tls: { ca: authority.ca }, sasl: { ...sasl, password: `${password}x` } }),
      /SASL|uthentication/,
    ],
    [
      'another mechanism',
      'LOGIN',
      () => ({ tls: { ca: authority.ca }, sasl: { ...sasl, mechanism: 'scram-sha-256' } }),
      /SASL mechanism/,
    ],
    ['a broker that strangers vouch for', 'LOGIN', () => ({ tls: true, sasl }), /certificate/],
    ['no client certificate', 'MUTUAL', () => ({ tls: { ca: authority.ca } }), /certificate|alert|closed/i],
    [
      'a client certificate of strangers',
      'MUTUAL',
      () => ({ tls: { ca: authority.ca, ...stranger } }),
      /certificate|alert|closed/i,
    ],
    ['no TLS', 'LOGIN', () => ({ sasl }), /./],
  ] as const)(
    'is not spoken to with %s, and it is said why, without the password',
    async (_what, listener, over, reason) => {
      const failure = await connect(listener, over() as Partial<KafkaConnection>)
        .ping()
        .then(() => null, String);
      expect(failure).toMatch(reason);
      expect(failure).not.toContain(password);
      expect(JSON.stringify(logged)).not.toContain(password);
    },
  );

  let stranger: Issued;
  beforeAll(async () => {
    stranger = await (await testAuthority('Another Root')).issue('posthorn');
  });
});
