import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TransformationBudget } from './transformation-budget.js';

const limits = { windowMs: 10_000, share: 0.2, counted: 100 };

describe('TransformationBudget', () => {
  it('names the endpoint that took the most once its tenant has had more than its share', () => {
    const budget = new TransformationBudget(limits);
    budget.charge('acme', 'ep_small', 300, 0);
    budget.charge('acme', 'ep_large', 1_700, 100);
    expect(budget.toFreeze('acme', 100)).toEqual([]);
    budget.charge('acme', 'ep_small', 1, 200);
    expect(budget.toFreeze('acme', 200)).toEqual(['ep_large']);
    expect([budget.exceeds('ep_large', 200), budget.exceeds('ep_small', 200)]).toEqual([true, false]);
  });

  it('counts each tenant by itself', () => {
    const budget = new TransformationBudget(limits);
    budget.charge('acme', 'ep_1', 5_000, 0);
    budget.charge('other', 'ep_2', 2_000, 0);
    expect([budget.exceeds('ep_1', 0), budget.exceeds('ep_2', 0), budget.exceeds('ep_3', 0)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('forgets what is older than its window', () => {
    const budget = new TransformationBudget(limits);
    budget.charge('acme', 'ep_1', 3_000, 500);
    expect(budget.exceeds('ep_1', 9_999)).toBe(true);
    expect(budget.exceeds('ep_1', 10_000)).toBe(false);
  });

  it('forgets an endpoint that was frozen: the others stay, with what they took', () => {
    const budget = new TransformationBudget(limits);
    budget.charge('acme', 'ep_1', 3_000, 0);
    budget.charge('acme', 'ep_2', 1_999, 0);
    budget.forget('ep_1');
    expect(budget.toFreeze('acme', 0)).toEqual([]);
    budget.charge('acme', 'ep_2', 2, 0);
    expect(budget.toFreeze('acme', 0)).toEqual(['ep_2']);
    budget.forget('ep_2');
    expect(budget.counted).toBe(0);
  });

  it('leaves no tenant more than its share when what it names is gone, names no more than it must, and is bounded', () => {
    const charge = fc.record({ tenant: fc.nat(2), endpoint: fc.nat(9), cpuMs: fc.nat(900), afterMs: fc.nat(1_200) });
    fc.assert(
      fc.property(fc.array(charge, { maxLength: 200 }), fc.constantFrom(1, 4, 12, 30), (charges, counted) => {
        const budget = new TransformationBudget({ ...limits, counted });
        const log: { endpointId: string; tenantId: string; cpuMs: number; slot: number }[] = [];
        let now = 0;
        for (const { tenant, endpoint, cpuMs, afterMs } of charges) {
          now += afterMs;
          const [tenantId, endpointId] = [`t${tenant}`, `ep_${tenant}_${endpoint}`];
          budget.charge(tenantId, endpointId, cpuMs, now);
          log.push({ endpointId, tenantId, cpuMs, slot: Math.floor(now / 1_000) });
          expect(budget.counted).toBeLessThanOrEqual(counted);
          const frozen = budget.toFreeze(tenantId, now);
          const recent = log.filter((one) => one.tenantId === tenantId && one.slot > Math.floor(now / 1_000) - 10);
          const spent = (of: (id: string) => boolean): number =>
            recent.filter(({ endpointId: id }) => of(id)).reduce((sum, one) => sum + one.cpuMs, 0);
          const [last] = frozen.slice(-1);
          if (last !== undefined) expect(spent((id) => !frozen.includes(id) || id === last)).toBeGreaterThan(2_000);
          // Nobody was forgotten.
          if (counted === 30) expect(spent((id) => !frozen.includes(id))).toBeLessThanOrEqual(2_000);
        }
        for (let tenant = 0; tenant <= 2; tenant += 1) {
          for (const endpointId of budget.toFreeze(`t${tenant}`, now)) budget.forget(endpointId);
          expect(budget.toFreeze(`t${tenant}`, now)).toEqual([]);
        }
      }),
    );
  });
});
