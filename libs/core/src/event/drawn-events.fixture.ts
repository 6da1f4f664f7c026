import fc from 'fast-check';
import type { EventEnvelope, JsonValue } from './cloud-event.js';

/** Random events for tests: attributes of every kind, any extensions, data as JSON text has it. */

export type DrawnEvent = Omit<EventEnvelope, 'data'>;

const plain = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .filter((text) => !/[\p{Cc}\p{Cn}\p{Cs}]/u.test(text));
const attributes = 'id source type specversion time subject tenantid partitionkey data datacontenttype dataschema';
const known = new Set(attributes.split(' '));
const extensionName = fc.stringMatching(/^[a-z][a-z0-9]{0,19}$/).filter((name) => !known.has(name));
const extension = fc.oneof(plain, fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }), fc.boolean());
const time = fc
  .date({ min: new Date(0), max: new Date('9999-01-01T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString());

export const drawnEvent: fc.Arbitrary<DrawnEvent> = fc.record({
  id: plain,
  source: fc.constantFrom('/services/tasks', 'urn:posthorn:test', 'https://example.com/a?b=c#d'),
  type: fc.constantFrom('task.updated', 'comment.added'),
  time: fc.option(time, { nil: undefined }),
  subject: fc.option(plain, { nil: undefined }),
  tenantid: fc.option(plain, { nil: undefined }),
  partitionkey: fc.option(plain, { nil: undefined }),
  dataschema: fc.option(fc.constant('https://example.com/schemas/1'), { nil: undefined }),
  extensions: fc.dictionary(extensionName, extension, { maxKeys: 5, noNullPrototype: true }),
});

/** As JSON text has it: no -0. Without the one name that is not taken. */
export const drawnData: fc.Arbitrary<Record<string, JsonValue>> = fc
  .dictionary(plain, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4, noNullPrototype: true })
  .map((value) => JSON.stringify(value))
  .filter((text) => !text.includes('"__proto__":'))
  .map((text) => JSON.parse(text) as Record<string, JsonValue>);

/** Every attribute as the text that CloudEvents §3.1 gives it. */
export function attributesOf({ extensions, ...own }: DrawnEvent): Record<string, string> {
  const all = { specversion: '1.0', ...own, ...extensions };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}
