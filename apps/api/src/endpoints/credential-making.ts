import { credentialHeaderOf, privateKeyFault, readCertificates, sealEnvelope, type CertificateFacts } from '#libs/core';
import { clientTlsFault } from '#libs/http-delivery';
import type { Endpoint, ShownAuthentication } from '#libs/persistence';
import { dateTime } from '../http/list-query.js';
import { AppError, type Fault } from '../problem/app-error.js';
import type { AuthenticationBody, ClientCertificateBody, ShownCredentialsAnswer } from './credentials.dto.js';
import type { SecretMaking } from './secret-making.js';

/** What a request says of an endpoint's credentials: undefined leaves them, null takes them away. */
export interface CredentialsBody {
  readonly url?: string | undefined;
  readonly authentication?: AuthenticationBody | null | undefined;
  readonly clientCertificate?: ClientCertificateBody | null | undefined;
  readonly caCertificates?: string | null | undefined;
}

type Credentials = Pick<
  Endpoint,
  | 'authentication'
  | 'sealedAuthentication'
  | 'clientCertificate'
  | 'sealedClientCertificate'
  | 'caCertificates'
  | 'caPem'
>;

/**
 * Checks and seals them for their endpoint; what is not named is left out.
 * @throws AppError `invalid-body` with every fault; none shows a secret
 */
export function makeCredentials(making: SecretMaking, endpointId: string, body: CredentialsBody): Partial<Credentials> {
  const faults: Fault[] = [];
  const seal = (value: object): string =>
    sealEnvelope(making.masterKeys, JSON.stringify(value), endpointId, making.randomBytes);
  const setAt = making.now();
  const made = {
    ...authenticationOf(body.authentication, setAt, seal),
    ...clientCertificateOf(body.clientCertificate, setAt, seal, faults),
    ...caOf(body.caCertificates, setAt, faults),
  };
  if (faults.length > 0) throw refused(faults);
  return made;
}

function authenticationOf(
  given: CredentialsBody['authentication'],
  setAt: number,
  seal: (value: object) => string,
): Partial<Credentials> {
  if (given === undefined) return {};
  if (given === null) return { authentication: null, sealedAuthentication: null };
  return { authentication: shown(given, setAt), sealedAuthentication: seal(given) };
}

/** Named one by one: what is added to a kind later is not shown before somebody has decided so. */
function shown(given: AuthenticationBody, setAt: number): ShownAuthentication {
  switch (given.kind) {
    case 'bearer':
      return { kind: given.kind, setAt };
    case 'basic':
      return { kind: given.kind, username: given.username, setAt };
    case 'header':
      return { kind: given.kind, name: given.name, setAt };
    case 'oauth2': {
      const { kind, tokenUrl, clientId, scope, audience, clientAuthentication } = given;
      return { kind, tokenUrl, clientId, scope, audience, clientAuthentication, setAt };
    }
  }
}

function clientCertificateOf(
  given: CredentialsBody['clientCertificate'],
  setAt: number,
  seal: (value: object) => string,
  faults: Fault[],
): Partial<Credentials> {
  if (given === undefined) return {};
  if (given === null) return { clientCertificate: null, sealedClientCertificate: null };
  const read = readCertificates(given.certificate, setAt);
  if ('fault' in read) {
    faults.push(fault('/clientCertificate/certificate', read.fault));
    return {};
  }
  // OpenSSL is asked last: it refuses what is too weak for a handshake.
  const keyFault =
    privateKeyFault(read.pem, given.privateKey) ?? clientTlsFault({ cert: read.pem, key: given.privateKey });
  if (keyFault !== null) {
    faults.push(fault('/clientCertificate/privateKey', keyFault));
    return {};
  }
  const sealed = seal({ certificate: read.pem, privateKey: given.privateKey });
  return { clientCertificate: { ...read.facts[0], setAt }, sealedClientCertificate: sealed };
}

function caOf(given: string | null | undefined, now: number, faults: Fault[]): Partial<Credentials> {
  if (given === undefined) return {};
  if (given === null) return { caCertificates: null, caPem: null };
  const read = readCertificates(given, now);
  const caFault = 'fault' in read ? read.fault : clientTlsFault({ ca: read.pem });
  if ('fault' in read || caFault !== null) {
    faults.push(fault('/caCertificates', caFault ?? ''));
    return {};
  }
  return { caCertificates: read.facts, caPem: read.pem };
}

/**
 * Credentials are for whom they were given to be shown: who may change an endpoint, but was never told its secret, must not
 * get it sent to a host of theirs.
 */
export function refuseMoved({ url, authentication }: Endpoint, body: CredentialsBody): void {
  if (authentication === null || body.authentication !== undefined || body.url === undefined) return;
  const { origin } = new URL(url);
  if (new URL(body.url).origin === origin) return;
  const detail = `Is for ${origin}: for another origin it must be given anew, or null.`;
  throw refused([{ pointer: '/authentication', code: 'required', detail }]);
}

/** A header is set by the endpoint's `headers`, or by its authentication, not by both. */
export function refuseTwice(
  headers: Readonly<Record<string, string>>,
  authentication: Endpoint['authentication'],
  pointer: '/authentication' | '/headers',
): void {
  if (authentication === null) return;
  const name = credentialHeaderOf(authentication);
  if (!(name in headers)) return;
  throw refused([fault(pointer, `would set ${name} twice: once by the authentication, once among headers`)]);
}

export function shownOf(
  endpoint: Pick<Endpoint, 'authentication' | 'clientCertificate' | 'caCertificates'>,
): ShownCredentialsAnswer {
  const { authentication, clientCertificate, caCertificates } = endpoint;
  return {
    authentication: authentication && { ...authentication, setAt: dateTime(authentication.setAt) },
    clientCertificate: clientCertificate && {
      ...certificateAnswer(clientCertificate),
      setAt: dateTime(clientCertificate.setAt),
    },
    caCertificates: caCertificates && caCertificates.map(certificateAnswer),
  };
}

const certificateAnswer = ({ subject, issuer, fingerprint, notBefore, notAfter }: CertificateFacts) => ({
  subject,
  issuer,
  fingerprint,
  notBefore: dateTime(notBefore),
  notAfter: dateTime(notAfter),
});

const fault = (pointer: string, message: string): Fault => ({ pointer, code: 'invalid', detail: `It ${message}.` });

const refused = (errors: readonly Fault[]): AppError =>
  new AppError(
    'invalid-body',
    errors.length === 1 ? 'One thing does not fit.' : `${errors.length} things do not fit.`,
    {
      errors,
    },
  );
