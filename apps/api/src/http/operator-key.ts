import { hash, timingSafeEqual } from 'node:crypto';
import { AppError } from '../problem/app-error.js';

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

/**
 * Compares `Authorization: Bearer <key>` (RFC 6750) with the operator key in constant time: digests have one length
 * whatever was sent.
 */
export function operatorKeyCheck(operatorKey: string): (authorization: string | undefined) => void {
  const expected = digest(operatorKey);
  return (authorization) => {
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (given !== undefined && operatorKey !== '' && timingSafeEqual(digest(given), expected)) return;
    const error = given === undefined ? '' : ', error="invalid_token"';
    throw new AppError('unauthorised', 'Send Authorization: Bearer with the operator key.', {
      errors: [
        {
          header: 'authorization',
          code: given === undefined ? 'required' : 'invalid',
          detail: given === undefined ? 'It must be given as Bearer <key>.' : 'This key is not known.',
        },
      ],
      headers: { 'www-authenticate': `Bearer realm="posthorn"${error}` },
    });
  };
}
