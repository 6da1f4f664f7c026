/** Stands where something secret was. */
const redacted = '[redacted]';

/** Fields that hold secrets, wherever they stand: the closed list. Names are compared without case and punctuation. */
const secretFields = new Set([
  'accesstoken',
  'authorization',
  'ciphertext',
  'clientcertificatekey',
  'clientkey',
  'clientsecret',
  'cookie',
  'key',
  'password',
  'privatekey',
  'proxyauthorization',
  'refreshtoken',
  'secret',
  'token',
  'xapikey',
  'xauthtoken',
]);

/** Headers are named by customers: these words in a name make its value a secret. */
const secretHeader = /auth|token|key|secret|password|cookie|session|signature|credential/i;

/**
 * A copy for the audit log, in which every text below a field of the list is taken away, however deep. What is set and
 * what is not stays visible; what it was set to does not.
 */
export function withoutSecrets(value: unknown): unknown {
  return cleaned(value, isSecret);
}

function cleaned(value: unknown, isHidden: (name: string) => boolean): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((part) => cleaned(part, isHidden));
  const clean = ([name, part]: [string, unknown]): [string, unknown] => {
    if (isHidden(name)) return [name, hidden(part)];
    return [name, cleaned(part, /headers$/i.test(name) ? isSecretHeader : isSecret)];
  };
  return Object.fromEntries(Object.entries(value).map(clean));
}

const isSecret = (name: string): boolean => secretFields.has(name.toLowerCase().replaceAll(/[^a-z]/g, ''));
const isSecretHeader = (name: string): boolean => secretHeader.test(name);

function hidden(value: unknown): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value;
  if (typeof value !== 'object') return redacted;
  if (Array.isArray(value)) return value.map(hidden);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, hidden(part)]));
}
