import type { ReceivedRequest, ReceiverAnswer } from './recording-receiver.js';

const type = 'posthorn.endpoint.verification';

/** What a receiver that wants deliveries answers to a handshake or a challenge; null: the request is neither. */
export function verificationAnswer(
  { method, headers, body }: ReceivedRequest,
  allowedRate = '*',
): ReceiverAnswer | null {
  const origin = headers['webhook-request-origin'];
  if (method === 'OPTIONS' && typeof origin === 'string') {
    const consent = { 'webhook-allowed-origin': origin, 'webhook-allowed-rate': allowedRate };
    return { status: 200, headers: { allow: 'OPTIONS, POST', ...consent } };
  }
  if (!isVerification(body)) return null;
  const { data } = JSON.parse(body.toString('utf8')) as { data: { challenge: string } };
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(data) };
}

/** Whether a request only asks whether its receiver wants deliveries. */
export const isVerification = (body: Buffer): boolean => body.subarray(0, 60).includes(`"type":"${type}"`);
