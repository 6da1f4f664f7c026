export const apiInfo = {
  title: 'Posthorn',
  version: '1.0.0',
  summary: 'Webhook delivery from a log.',
  description: [
    'Everything below `/v1` needs a key: `Authorization: Bearer …`. Bodies are JSON; unknown fields and duplicate names are refused.',
    'Times are RFC 3339 in UTC; names ending in `Ms` are milliseconds. Lists answer `data` and `nextCursor`.',
    'What is refused is answered as `application/problem+json` (RFC 9457) with a stable `code`.',
    'New fields, new values of enumerations and new codes may appear in any answer: bear them.',
  ].join('\n'),
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
};

/** Of the security scheme. */
export const bearerText =
  'RFC 6750: the operator key, a key of the platform or of a tenant, or a portal token. `x-scope` names what a route needs.';

/** In the order of the page. */
export const tags: readonly (readonly [name: string, description: string])[] = [
  ['events', 'Appending events to the log.'],
  ['tenants', 'Customers of the platform, whose endpoints and events are kept apart.'],
  ['keys', 'Who may call, and what.'],
  ['audit', 'Who changed what.'],
  ['event-types', 'What events there are, and their versions.'],
  ['endpoints', 'Where events are delivered to, and how.'],
  ['filters', 'Trying filters.'],
  ['transformations', 'Code that changes what endpoints receive.'],
  ['deliveries', 'The delivery log.'],
  ['dead-letters', 'What was given up.'],
  ['replays', 'Sending history again.'],
  ['stats', 'Numbers.'],
  ['settings', 'What is in force.'],
  ['service', 'The process itself; without a key.'],
];

/** What stands in paths. */
export const pathParameters: Readonly<Record<string, string>> = {
  id: 'Its id.',
  deliveryId: 'Id of the delivery.',
  token: 'Of the request that offered it.',
  secretId: 'Id of the secret.',
  tokenId: 'Id of the token.',
  type: 'The event type.',
  version: 'Number of the version.',
};
