/** Endpoints that want none of a tenant's events: each is known by something else that an event of the bench never has. */
import { randomBytes } from 'node:crypto';
import { noCredentials, plainContent, type EndpointConfig, withoutVerification } from '#libs/contracts';
import { formatSecret, parseMasterKeys, scheduleOf, sealSecret } from '#libs/core';
import { connectSchemaCodec } from '#libs/schema-codec';
import { appendAll, eventType } from './load.js';
import type { Platform } from './platform.js';

const atOnce = 10_000;
const otherTenants = 1_000;
const otherTypes = 500;

type Wish = Pick<EndpointConfig, 'tenantId' | 'eventTypes' | 'filters'>;

/** In turn: another tenant, another type, and the same type with a filter that looks at an attribute, or at data. */
const wishes: readonly ((tenantId: string, n: number) => Wish)[] = [
  (tenantId, n) => ({ tenantId: `${tenantId}-other-${n % otherTenants}`, eventTypes: ['comment.*'], filters: null }),
  (tenantId, n) => ({ tenantId, eventTypes: [`other.kind_${n % otherTypes}.*`], filters: null }),
  (tenantId, n) => filtered(tenantId, { exact: { subject: `nothing/${n}` } }),
  (tenantId, n) => filtered(tenantId, { cel: `data.text == "nothing ${n}"` }),
  (tenantId, n) => filtered(tenantId, { cel: `source == "/bench" && data.taskId == "nothing-${n}"` }),
];

const filtered = (tenantId: string, filter: object): Wish => ({
  tenantId,
  eventTypes: [eventType],
  filters: JSON.stringify([filter]),
});

/** Numbers `from` to `to` of the tenant's bystanders. */
export function* bystanders(
  tenantId: string,
  from: number,
  to: number,
  place: { readonly masterKeys: string; readonly receiverUrl: string },
): Generator<EndpointConfig, void, undefined> {
  const keys = parseMasterKeys(place.masterKeys);
  const secret = formatSecret(randomBytes(32));
  for (let n = from; n < to; n += 1) {
    const endpointId = `ep_bystander_${tenantId}_${n}`;
    const wish = wishes[n % wishes.length]?.(tenantId, n);
    if (wish === undefined) throw new RangeError('there are no wishes');
    // A worker takes a configuration whose secret it cannot open for a broken one.
    const ciphertext = sealSecret(keys, secret, endpointId, randomBytes(12));
    yield {
      ...plainContent,
      ...noCredentials,
      ...withoutVerification,
      ...wish,
      endpointId,
      url: `${place.receiverUrl}/bystander/${n}`,
      state: 'active',
      ordering: 'none',
      onExhausted: 'skip',
      secrets: [{ secretId: `sec_bystander_${n}`, ciphertext, expiresAt: null }],
      maxInFlight: 16,
      timeoutMs: 15_000,
      retry: scheduleOf([5_000]),
      rateLimit: null,
      adaptiveConcurrency: true,
      circuit: null,
      resolutions: [],
      backfill: null,
      revision: 1,
      updatedAt: Date.now(),
    };
  }
}

/** Writes them as the API's outbox would: so many would take it hours. */
export async function appendBystanders(platform: Platform, tenantId: string, from: number, to: number): Promise<void> {
  const { schemaRegistryUrl: registryUrl } = platform.services.runtime;
  const { endpointConfig } = (await connectSchemaCodec({ registryUrl })).platform;
  const topic = platform.topics.endpoints;
  const place = { masterKeys: platform.masterKeys, receiverUrl: platform.services.receiver.url };
  for (let first = from; first < to; first += atOnce) {
    const configs = bystanders(tenantId, first, Math.min(to, first + atOnce), place);
    const records = Array.from(configs, (config) => ({
      topic,
      partition: 0,
      key: config.endpointId,
      value: endpointConfig.encode(config),
    }));
    await appendAll(platform.sender, records);
  }
}
