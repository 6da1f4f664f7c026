import type { PostResult } from './post-result.js';

/** What an answer says of an endpoint's load. */
export type LoadSign = 'success' | 'overload' | 'neither';

export function loadSign(result: PostResult): LoadSign {
  if (result.kind === 'response') {
    if (result.status >= 200 && result.status < 300) return 'success';
    return result.status === 429 || result.status === 503 ? 'overload' : 'neither';
  }
  switch (result.error.kind) {
    case 'connect-timeout':
    case 'headers-timeout':
    case 'body-timeout':
    case 'total-timeout':
      return 'overload';
    case 'dns':
    case 'refused':
    case 'reset':
    case 'tls':
    case 'protocol':
    case 'guard':
    case 'proxy':
    case 'undeliverable':
    case 'auth-token':
    case 'aborted':
      return 'neither';
  }
}

/**
 * How many POSTs an endpoint takes at once, found out by its answers: halves at a sign of overload, and grows by one for
 * as many successes as it allows (additive increase, multiplicative decrease).
 */
export class AdaptiveLimit {
  /** Infinity: as much as is configured. */
  #limit = Infinity;
  #successes = 0;
  /** Answers to come for POSTs that were on their way when it halved: they are not news, one overload would count often. */
  #unheard = 0;

  /** @param most as configured, at least 1 */
  within(most: number): number {
    return Math.min(this.#limit, most);
  }

  get isAtRest(): boolean {
    return this.#limit === Infinity;
  }

  /** @param inFlight POSTs still on their way, without this one */
  landed(sign: LoadSign, most: number, inFlight: number): void {
    if (this.#unheard > 0) {
      this.#unheard -= 1;
    } else if (sign === 'overload') {
      this.#set(Math.floor(this.within(most) / 2), most);
      this.#unheard = inFlight;
    } else if (sign === 'success' && this.#limit !== Infinity) {
      this.#successes += 1;
      if (this.#successes >= this.#limit) this.#set(this.#limit + 1, most);
    }
  }

  #set(limit: number, most: number): void {
    this.#successes = 0;
    this.#limit = limit >= most ? Infinity : Math.max(1, limit);
  }
}
