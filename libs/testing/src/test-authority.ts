import { webcrypto } from 'node:crypto';

/** PEM. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface TestAuthority {
  /** The root's certificate, PEM. */
  readonly ca: string;
  /** A certificate for these names and addresses; a client's needs none. `days` below 0: it has expired. */
  issue(subject: string, names?: readonly string[], days?: number): Promise<Issued>;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;
let serial = 0;

/** A certificate authority that nobody trusts but who is told to. */
export async function testAuthority(name: string): Promise<TestAuthority> {
  // Most tests need none of it, and it takes its time.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const keys = await newKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...validity(1),
      name: `CN=${name}`,
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 1, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    },
    webcrypto,
  );
  return {
    ca: root.toString('pem'),
    async issue(subject, names = [], days = 1) {
      const own = await newKeys();
      const alternatives = names.map((value) => ({ type: /^[\d.]+$|:/.test(value) ? 'ip' : 'dns', value }) as const);
      const certificate = await x509.X509CertificateGenerator.create(
        {
          ...validity(days),
          subject: `CN=${subject}`,
          issuer: root.subject,
          publicKey: own.publicKey,
          signingKey: keys.privateKey,
          signingAlgorithm: algorithm,
          extensions: alternatives.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(alternatives)],
        },
        webcrypto,
      );
      const key = await webcrypto.subtle.exportKey('pkcs8', own.privateKey);
      return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(key, x509.PemConverter.PrivateKeyTag) };
    },
  };
}

function validity(days: number): { serialNumber: string; notBefore: Date; notAfter: Date } {
  serial += 1;
  const now = Date.now();
  const end = now + days * dayMs;
  return {
    serialNumber: serial.toString(16).padStart(4, '0'),
    notBefore: new Date(Math.min(now, end) - dayMs),
    notAfter: new Date(end),
  };
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
