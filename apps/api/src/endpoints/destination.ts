import { z } from 'zod';
import { destinationFault, type NetworkRules } from '#libs/core';

/** A URL that requests may be sent to, as far as its text tells. */
export const destination = (rules: NetworkRules) =>
  z
    .string()
    .max(2_000)
    .superRefine((text, context) => {
      const message = urlFault(text, rules);
      if (message !== null) context.addIssue({ code: 'custom', message });
    });

/** @returns what is wrong with a URL to send to, or null. Which addresses a name leads to is looked at when sending. */
export function urlFault(text: string, rules: NetworkRules): string | null {
  // The parser would take some of these away; what is stored must be what is sent to.
  if (/[\s\p{Cc}]/u.test(text)) return 'Must not hold spaces or control characters';
  if (!text.isWellFormed()) return 'Must not hold half a surrogate pair';
  const parsed = URL.parse(text);
  if (parsed === null || parsed.hostname === '') return 'Must be an absolute URL';
  const fault = destinationFault(parsed, rules);
  if (fault !== null) return `The URL ${fault}`;
  if (parsed.username !== '' || parsed.password !== '') return 'Must not hold a user name or password';
  if (parsed.hash !== '') return 'Must not hold a fragment';
  return null;
}
