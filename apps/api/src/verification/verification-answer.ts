import type { EndpointVerification } from '#libs/core';
import type { Endpoint, VerificationRecord } from '#libs/persistence';
import { dateTime, dateTimeOrNull } from '../http/list-query.js';
import type { VerificationAnswer, VerificationStateAnswer } from './verification.dto.js';

/** As the endpoint itself shows it. */
export function stateAnswer(verification: EndpointVerification | null): VerificationStateAnswer | null {
  if (verification === null) return null;
  const { method, state, reason, detail, at, allowedRate } = verification;
  return { method, state, reason, detail, at: dateTime(at), allowedRate };
}

export function answerOf({ verification }: Endpoint, record: VerificationRecord | null): VerificationAnswer {
  const { tries, nextTryAt, last } = record ?? { tries: 0, nextTryAt: null, last: null };
  return {
    verification: stateAnswer(verification),
    tries,
    nextTryAt: dateTimeOrNull(nextTryAt),
    last: last && {
      ...last,
      at: dateTime(last.at),
      request: { ...last.request, headers: { ...last.request.headers } },
    },
  };
}
