import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { circuitFaults, defaultCircuit } from './circuit-config.js';
import { defaultBurst, rateLimitFaults } from './rate-limit-config.js';

const fieldsOf = (faults: readonly string[]): string[] => faults.map((fault) => fault.split(' ')[0] ?? '');

describe('circuitFaults', () => {
  it('finds none in the default', () => {
    expect(circuitFaults(defaultCircuit)).toEqual([]);
  });

  it('names each field out of its range', () => {
    const faulty = {
      consecutiveFailures: 0,
      failureShare: 0,
      minRequests: 1.5,
      windowMs: 999,
      openMs: 86_400_001,
      maxOpenMs: Number.NaN,
    };
    expect(fieldsOf(circuitFaults(faulty))).toEqual(Object.keys(faulty));
    expect(fieldsOf(circuitFaults({ ...defaultCircuit, failureShare: 1.01 }))).toEqual(['failureShare']);
    expect(fieldsOf(circuitFaults({ ...defaultCircuit, maxOpenMs: 29_999 }))).toEqual(['maxOpenMs']);
  });
});

describe('rateLimitFaults', () => {
  it('names each field out of its range', () => {
    expect(rateLimitFaults({ limit: 1, per: 'hour', burst: 1_000_000 })).toEqual([]);
    expect(fieldsOf(rateLimitFaults({ limit: 0, per: 'hour', burst: 1_000_001 }))).toEqual(['limit', 'burst']);
    expect(fieldsOf(rateLimitFaults({ limit: 1.5, per: 'hour', burst: Number.NaN }))).toEqual(['limit', 'burst']);
  });

  it('has a default burst that fits any limit', () => {
    const per = fc.constantFrom('second' as const, 'minute' as const, 'hour' as const);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), per, (limit, unit) => {
        const burst = defaultBurst({ limit, per: unit });
        expect(burst).toBe(unit === 'second' ? limit : 1);
        expect(rateLimitFaults({ limit, per: unit, burst })).toEqual([]);
      }),
    );
  });
});
