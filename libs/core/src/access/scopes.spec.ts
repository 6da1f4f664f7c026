import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allows, allScopes, mayGrant, scopeFault, type Grant, type Holder } from './scopes.js';

const holder = fc.constantFrom<Holder>('operator', 'tenant', 'portal');
const text = fc.oneof(
  fc.constantFrom<string>(...allScopes),
  fc.constantFrom('*', 'endpoints:*', 'tenants:*', 'keys:*', 'portal-tokens:*', 'nothing:*', 'endpoints', ''),
  fc.string(),
);
const grant = fc.record({ holder, scopes: fc.array(text, { maxLength: 4 }) });
const valid = ({ holder: kind, scopes }: Grant): boolean => scopes.every((one) => scopeFault(kind, one) === null);
const covered = (given: Grant): string[] => allScopes.filter((scope) => allows(given, scope));

describe('scopes', () => {
  it('cover themselves, by name, by resource and altogether, and nothing else', () => {
    const operator = (...scopes: string[]): Grant => ({ holder: 'operator', scopes });
    expect(covered(operator('endpoints:read'))).toEqual(['endpoints:read']);
    expect(covered(operator('endpoints:*'))).toEqual(['endpoints:read', 'endpoints:write']);
    expect(covered(operator('*'))).toEqual(allScopes);
    expect(covered(operator('endpoint:*', 'endpoints', 'endpoints:', ':read', 'ENDPOINTS:read', 'e*:read'))).toEqual(
      [],
    );
  });

  it('that reach beyond a tenant are never a tenant’s, whatever its key says', () => {
    for (const kind of ['tenant', 'portal'] as const) {
      const most: Grant = { holder: kind, scopes: ['*', 'tenants:*', 'settings:*', 'tenants:write'] };
      expect(covered(most)).not.toEqual(expect.arrayContaining(['tenants:write']));
      expect(covered(most)).not.toEqual(expect.arrayContaining(['settings:read']));
    }
    expect(covered({ holder: 'portal', scopes: ['*'] })).not.toEqual(expect.arrayContaining(['keys:write']));
  });

  it('are refused with the reason', () => {
    expect(scopeFault('tenant', 'endpoints:*')).toBeNull();
    expect(scopeFault('tenant', '*')).toBeNull();
    expect(scopeFault('tenant', 'tenants:*')).toBe('tenants:write is not for a tenant.');
    expect(scopeFault('portal', 'events:write')).toBe('events:write is not for a portal.');
    expect(scopeFault('operator', 'endpoint:read')).toMatch(
      /^There is no scope "endpoint:read"; those are events:write, /,
    );
  });

  it('property: whoever grants gives no more than they have', () => {
    fc.assert(
      fc.property(grant, grant, (granter, given) => {
        fc.pre(valid(granter) && valid(given));
        const within = covered(given).every((scope) => covered(granter).includes(scope));
        expect(mayGrant(granter, given)).toBe(within);
      }),
      { numRuns: 500 },
    );
  });
});
