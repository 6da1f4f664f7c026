import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';

/** What everybody may know of a certificate. Times are Unix milliseconds. */
export interface CertificateFacts {
  /** `CN=posthorn, O=Example`. */
  readonly subject: string;
  readonly issuer: string;
  /** SHA-256 of it, in hex with colons. */
  readonly fingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Certificates in the order given, and their PEM without whatever stood around them. */
export interface ReadCertificates {
  readonly pem: string;
  readonly facts: readonly [CertificateFacts, ...CertificateFacts[]];
}

export const certificateBounds = { count: 20, characters: 65_536 } as const;

const block = /-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----/g;
const beginning = /-----BEGIN ([A-Z0-9 ]+)-----/g;

/**
 * Reads one or more certificates (RFC 7468).
 * @param now Unix milliseconds
 * @returns or what is wrong with them, as half a sentence for whoever gave them
 */
export function readCertificates(text: string, now: number): ReadCertificates | { readonly fault: string } {
  const labels = [...text.matchAll(beginning)].map(([, label]) => label);
  if (labels.some((label) => label?.endsWith('PRIVATE KEY') === true)) {
    return { fault: 'must hold certificates alone: there is a private key among them' };
  }
  const blocks = [...text.matchAll(block)];
  if (blocks.length === 0 || blocks.length < labels.length || blocks.some(([, label]) => label !== 'CERTIFICATE')) {
    return { fault: 'must be PEM: -----BEGIN CERTIFICATE----- …' };
  }
  if (blocks.length > certificateBounds.count) {
    return { fault: `holds ${blocks.length} certificates: at most ${certificateBounds.count}` };
  }
  const facts: CertificateFacts[] = [];
  for (const [index, [pem]] of blocks.entries()) {
    const one = factsOf(pem);
    const which = blocks.length === 1 ? '' : `no. ${index + 1} `;
    if (one === null) return { fault: `${which}is not a certificate that can be read`.trimStart() };
    const fault = validityFault(one, now);
    if (fault !== null) return { fault: `${which}(${one.subject}) ${fault}`.trimStart() };
    facts.push(one);
  }
  const [first, ...rest] = facts;
  if (first === undefined) return { fault: 'must hold a certificate' };
  return { pem: `${blocks.map(([pem]) => pem).join('\n')}\n`, facts: [first, ...rest] };
}

/**
 * Whether a private key is one, and that of the certificate that comes first.
 * @param certificates PEM that `readCertificates` has read
 * @returns what is wrong with the key, as half a sentence that shows nothing of it, or null
 */
export function privateKeyFault(certificates: string, privateKey: string): string | null {
  if (/ENCRYPTED/.test(privateKey)) return 'is encrypted: give it without a passphrase';
  let key: KeyObject;
  try {
    key = createPrivateKey(privateKey);
  } catch {
    return 'is not a private key in PEM';
  }
  return new X509Certificate(certificates).checkPrivateKey(key) ? null : 'does not belong to the certificate';
}

function factsOf(pem: string): CertificateFacts | null {
  try {
    const { subject, issuer, fingerprint256, validFrom, validTo } = new X509Certificate(pem);
    const [notBefore, notAfter] = [Date.parse(validFrom), Date.parse(validTo)];
    return { subject: oneLine(subject), issuer: oneLine(issuer), fingerprint: fingerprint256, notBefore, notAfter };
  } catch {
    return null;
  }
}

function validityFault({ notBefore, notAfter }: CertificateFacts, now: number): string | null {
  if (now > notAfter) return `has expired on ${new Date(notAfter).toISOString()}`;
  return now < notBefore ? `is not valid before ${new Date(notBefore).toISOString()}` : null;
}

/** Absent (undefined) where a certificate has none. */
const oneLine = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ');
