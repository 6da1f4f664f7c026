/** Who may hold what. A caller may do what its scopes name, as far as its kind may hold them at all. */

/** `operator`: the platform. `tenant`: a customer's servers. `portal`: a customer's browser. */
export type Holder = 'operator' | 'tenant' | 'portal';

const platform: readonly Holder[] = ['operator'];
const servers: readonly Holder[] = ['operator', 'tenant'];
const everyone: readonly Holder[] = ['operator', 'tenant', 'portal'];

/** The closed list. What only the platform holds reaches beyond one tenant. */
const holders = {
  'events:write': servers,
  'event-types:read': everyone,
  'tenants:read': servers,
  'tenants:write': platform,
  'keys:read': servers,
  'keys:write': servers,
  'portal-tokens:write': servers,
  'endpoints:read': everyone,
  'endpoints:write': everyone,
  'transformations:read': everyone,
  'transformations:write': everyone,
  'deliveries:read': everyone,
  'dead-letters:read': everyone,
  'dead-letters:write': everyone,
  'replays:read': everyone,
  'replays:write': everyone,
  'stats:read': everyone,
  'audit:read': everyone,
  'settings:read': platform,
} as const satisfies Record<string, readonly Holder[]>;

export type Scope = keyof typeof holders;

export const allScopes = Object.keys(holders) as readonly Scope[];

/** What a caller holds: scopes, `<resource>:*`, or `*` for all that its kind may hold. */
export interface Grant {
  readonly holder: Holder;
  readonly scopes: readonly string[];
}

/** Whether the kind may hold the scope at all. */
const mayHold = (holder: Holder, scope: Scope): boolean => (holders[scope] as readonly Holder[]).includes(holder);

const resourceOf = (scope: string): string => scope.slice(0, scope.lastIndexOf(':'));

/** Whether the grant covers the scope. A scope that its kind may not hold covers nothing, wherever it came from. */
export function allows({ holder, scopes }: Grant, needed: Scope): boolean {
  if (!mayHold(holder, needed)) return false;
  return scopes.some((held) => held === '*' || held === needed || held === `${resourceOf(needed)}:*`);
}

/** What a holder of the scope may have in its list: the scope, all of its resource, all. */
export const scopesOver = (scope: string): string[] => [scope, `${resourceOf(scope)}:*`, '*'];

/** The scopes that a text stands for: one, those of a resource, or all; none when it is not in the list. */
const meant = (text: string): readonly Scope[] =>
  allScopes.filter((scope) => text === '*' || text === scope || text === `${resourceOf(scope)}:*`);

/** Why a kind cannot be given this scope; null: it can. `*` is what the kind may hold, whatever that is. */
export function scopeFault(holder: Holder, text: string): string | null {
  const named = meant(text);
  if (named.length === 0) return `There is no scope ${JSON.stringify(text)}; those are ${allScopes.join(', ')}.`;
  const beyond = text === '*' ? undefined : named.find((scope) => !mayHold(holder, scope));
  return beyond === undefined ? null : `${beyond} is not for a ${holder}.`;
}

/** Whether whoever holds `granter` may hand on all of `grant`: nobody gives more than they have. */
export function mayGrant(granter: Grant, grant: Grant): boolean {
  return grant.scopes.every((text) =>
    meant(text).every((scope) => !mayHold(grant.holder, scope) || allows(granter, scope)),
  );
}
