import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { sealEnvelope } from '../signing/secret-envelope.js';
import { reseal } from '../signing/reseal.js';
import { openAuthentication, openClientCertificate } from './authentication.js';

const keys = new Map([[1, randomBytes(32)]]);
const sealed = (value: unknown, endpointId = 'ep_1'): string =>
  sealEnvelope(keys, typeof value === 'string' ? value : JSON.stringify(value), endpointId, randomBytes);
const bearer = { kind: 'bearer', token: 'mF_9.B5f-4.1JqM' } as const;
const certificate = { certificate: 'PEM', privateKey: 'PEM too' };

it('opens what was sealed for the endpoint, also under a new master key', () => {
  expect(openAuthentication(keys, sealed(bearer), 'ep_1')).toEqual(bearer);
  expect(openClientCertificate(keys, sealed(certificate), 'ep_1')).toEqual(certificate);
  const both = new Map([...keys, [2, randomBytes(32)] as const]);
  const anew = reseal(both, sealed(bearer), 'ep_1', randomBytes);
  expect(openAuthentication(new Map([[2, both.get(2)!]]), anew, 'ep_1')).toEqual(bearer);
});

it('opens nothing that was sealed for another endpoint, or that is something else', () => {
  expect(() => openAuthentication(keys, sealed(bearer, 'ep_2'), 'ep_1')).toThrow();
  expect(() => openAuthentication(keys, sealed(certificate), 'ep_1')).toThrow('of a kind that is not known');
  expect(() => openAuthentication(keys, sealed({ kind: 'oauth3' }), 'ep_1')).toThrow('of a kind that is not known');
  expect(() => openClientCertificate(keys, sealed(bearer), 'ep_1')).toThrow('not a client certificate');
});

it('tells nothing of a signing secret that was put in its place', () => {
  const secret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
  for (const open of [openAuthentication, openClientCertificate]) {
    expect(() => open(keys, sealed(secret), 'ep_1')).toThrow(/^not a sealed credential$/);
  }
});
