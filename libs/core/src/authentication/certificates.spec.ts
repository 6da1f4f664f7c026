import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { testAuthority, type Issued, type TestAuthority } from '#libs/testing';
import { certificateBounds, privateKeyFault, readCertificates } from './certificates.js';

let authority: TestAuthority;
let one: Issued;
let other: Issued;
let expired: Issued;
const now = Date.now();
const day = 86_400_000;

beforeAll(async () => {
  authority = await testAuthority('ours');
  [one, other, expired] = await Promise.all([
    authority.issue('one'),
    authority.issue('other'),
    authority.issue('expired', [], -1),
  ]);
});

const faultOf = (text: string, at = now): string => {
  const read = readCertificates(text, at);
  return 'fault' in read ? read.fault : 'none';
};

describe('readCertificates', () => {
  it('reads them in their order, without what stands around them', () => {
    const read = readCertificates(`Bag Attributes\n  friendlyName: one\n${one.cert}\n\n# root\n${authority.ca}`, now);
    if ('fault' in read) throw new Error(read.fault);
    expect(read.facts.map(({ subject, issuer }) => [subject, issuer])).toEqual([
      ['CN=one', 'CN=ours'],
      ['CN=ours', 'CN=ours'],
    ]);
    expect(read.facts[0].fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    expect(read.facts[0].notAfter).toBeGreaterThan(now);
    expect(read.pem).not.toMatch(/Bag|root/);
    expect(readCertificates(read.pem, now)).toEqual(read);
  });

  it('says what is wrong', () => {
    expect(faultOf('')).toMatch(/^must be PEM/);
    expect(faultOf('-----BEGIN CERTIFICATE-----\n$\n-----END CERTIFICATE-----')).toMatch(/^must be PEM/);
    expect(faultOf('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----')).toBe(
      'is not a certificate that can be read',
    );
    expect(faultOf(one.cert.replaceAll('CERTIFICATE', 'CERTIFICATE REQUEST'))).toMatch(/^must be PEM/);
    expect(faultOf(one.cert.repeat(certificateBounds.count + 1))).toBe('holds 21 certificates: at most 20');
  });

  it('refuses a private key among them: they are not kept as secrets', () => {
    expect(faultOf(`${one.cert}\n${one.key}`)).toBe('must hold certificates alone: there is a private key among them');
    expect(faultOf(`${one.cert}\n-----BEGIN EC PRIVATE KEY-----\nbroken`)).toMatch(/private key among them/);
  });

  it('refuses what has expired or has not begun, wherever it stands', () => {
    expect(faultOf(expired.cert)).toMatch(/^\(CN=expired\) has expired on 20\d\d-/);
    expect(faultOf(`${one.cert}\n${expired.cert}`)).toMatch(/^no\. 2 \(CN=expired\) has expired/);
    expect(faultOf(one.cert, now - 10 * day)).toMatch(/^\(CN=one\) is not valid before 20\d\d-/);
  });
});

describe('privateKeyFault', () => {
  it('finds key and certificate to belong together, with its chain behind it', () => {
    expect(privateKeyFault(`${one.cert}\n${authority.ca}`, one.key)).toBeNull();
    expect(privateKeyFault(one.cert, other.key)).toBe('does not belong to the certificate');
  });

  it('says what is no key, and shows nothing of it', () => {
    expect(privateKeyFault(one.cert, 'hush')).toBe('is not a private key in PEM');
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hush' },
    });
    expect(privateKeyFault(one.cert, privateKey)).toBe('is encrypted: give it without a passphrase');
  });
});
