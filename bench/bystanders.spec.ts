import { describe, expect, it } from 'vitest';
import { newMasterKeys } from '#libs/config';
import { openSecret, parseMasterKeys, typeMatcher, type JsonValue } from '#libs/core';
import { compileFilters, parseFilters } from '#libs/filters';
import { bystanders } from './bystanders.js';
import { eventOf } from './load.js';

const place = { masterKeys: newMasterKeys(), receiverUrl: 'http://127.0.0.1:1' };
const some = [...bystanders('acme', 0, 50, place)];

describe('bystanders', () => {
  it('want nothing of the tenant, each for a reason of its own', () => {
    const { data, tenantid, ...attributes } = eventOf('tag', 'acme', 7);
    const event = { attributes: { ...attributes, subject: 'task/7', extensions: {} }, data: data as JsonValue };
    const reasons = some.map(({ tenantId, eventTypes, filters }) => {
      if (tenantId !== tenantid) return 'tenant';
      if (!typeMatcher(eventTypes)(attributes.type)) return 'type';
      const parsed = parseFilters(JSON.parse(filters ?? '[]'));
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
      expect(compileFilters(parsed.filters).matches(event)).toMatchObject({ match: false, error: null });
      return filters;
    });
    expect(reasons.filter((reason) => reason === 'tenant')).toHaveLength(10);
    expect(reasons.filter((reason) => reason === 'type')).toHaveLength(10);
    expect(new Set(reasons).size).toBe(32);
  });

  it('have secrets that a worker can open', () => {
    const keys = parseMasterKeys(place.masterKeys);
    for (const { endpointId, secrets } of some)
      expect(openSecret(keys, secrets[0]?.ciphertext ?? '', endpointId)).toMatch(/^whsec_/);
    expect(new Set(some.map(({ endpointId }) => endpointId)).size).toBe(50);
  });
});
