import type { IncomingMessage } from 'node:http';

/** Headers that allow whoever asks to send here, as much as they like; null: nobody asks (CloudEvents webhooks, section 4). */
export function consentTo({ method, headers }: IncomingMessage): Record<string, string> | null {
  const origin = headers['webhook-request-origin'];
  // A real receiver knows which origins it expects.
  if (method !== 'OPTIONS' || typeof origin !== 'string') return null;
  return { allow: 'OPTIONS, POST', 'webhook-allowed-origin': origin, 'webhook-allowed-rate': '*' };
}

/** What a signed request asks to have echoed; null: it is an event. */
export function challengeOf(body: Buffer): string | null {
  if (!body.includes('"posthorn.endpoint.verification"')) return null;
  try {
    const message = JSON.parse(body.toString('utf8')) as { type?: unknown; data?: { challenge?: unknown } };
    const challenge = message.type === 'posthorn.endpoint.verification' ? message.data?.challenge : null;
    return typeof challenge === 'string' ? challenge : null;
  } catch {
    return null;
  }
}
