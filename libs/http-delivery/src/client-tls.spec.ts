import { beforeAll, describe, expect, it } from 'vitest';
import { testAuthority, type Issued, type TestAuthority } from '#libs/testing';
import { clientTlsFault, tlsKeyOf } from './client-tls.js';

let authority: TestAuthority;
let one: Issued;
let other: Issued;
beforeAll(async () => {
  authority = await testAuthority('ours');
  [one, other] = await Promise.all([authority.issue('one'), authority.issue('other')]);
});

describe('clientTlsFault', () => {
  it('takes what OpenSSL takes', () => {
    expect(
      [{}, { ca: authority.ca }, one, { ...one, ca: authority.ca, servername: 'a.b' }].map(clientTlsFault),
    ).toEqual(Array(4).fill(null));
  });

  it('says what is wrong, without what is secret', () => {
    expect(clientTlsFault({ cert: one.cert })).toBe('a client certificate and its key come together');
    expect(clientTlsFault({ cert: one.cert, key: other.key })).toMatch(/cannot be used: .*key values mismatch/);
    const fault = clientTlsFault({ cert: one.cert, key: 'hush' });
    expect(fault).toMatch(/cannot be used/);
    expect(fault).not.toContain('hush');
  });
});

describe('tlsKeyOf', () => {
  it('is equal for what is equal, and differs in each part', () => {
    const all = { ca: 'a', cert: 'b', key: 'c', servername: 'd' };
    expect(tlsKeyOf({ ...all })).toBe(tlsKeyOf(all));
    const others = [{ ca: 'x' }, { cert: 'x' }, { key: 'x' }, { servername: 'x' }].map((part) => ({ ...all, ...part }));
    const shifted = { ca: 'a', cert: 'bc', key: '', servername: 'd' };
    const missing = { ca: 'a', cert: 'b', key: 'c' };
    expect(new Set([all, ...others, shifted, missing].map(tlsKeyOf)).size).toBe(7);
  });
});
