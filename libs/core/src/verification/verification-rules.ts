import type { VerificationMethod } from './verification-verdict.js';

/** What the operator asks of endpoints: nothing, one of the methods, or either. */
export type VerificationRule = 'off' | 'handshake' | 'challenge' | 'any';

/** Of an endpoint that names none; null: it is not verified. */
export function standardMethod(rule: VerificationRule): VerificationMethod | null {
  switch (rule) {
    case 'off':
      return null;
    case 'any':
      return 'challenge';
    default:
      return rule;
  }
}

export const isMethodAllowed = (rule: VerificationRule, method: VerificationMethod): boolean =>
  rule === 'off' || rule === 'any' || rule === method;
