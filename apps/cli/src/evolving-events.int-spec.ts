/** The real registry says of the versions in docs/evolving-events.md what the guide says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { projectRoot } from '#libs/config';
import { HttpRegistry } from '#libs/schema-codec';
import { uniquePrefix } from '#libs/testing';

const run = uniquePrefix().replace(/[^a-zA-Z0-9]/g, '_');
const registry = new HttpRegistry({ registryUrl: inject('schemaRegistryUrl') }, 10_000);
const sections = readFileSync(join(projectRoot(), 'docs/evolving-events.md'), 'utf8')
  .split(/^## /m)
  .map((text, index) => ({
    title: text.slice(0, text.indexOf('\n')),
    subject: `${run}_${index}.shown`,
    versions: Array.from(text.matchAll(/^```json avro (v\d+.*)\n([^]*?)^```$/gm), ([, info = '', json = '']) => ({
      info,
      schema: { ...(JSON.parse(json) as object), namespace: `${run}_${index}`, name: 'shown' },
    })),
  }))
  .filter(({ versions }) => versions.length > 0);

describe('the registry', () => {
  it.each(sections)('agrees with "$title"', async ({ subject, versions }) => {
    for (const { info, schema } of versions) {
      const result = await registry.register(subject, schema);
      expect([info, 'refusal' in result]).toEqual([info, info.endsWith('refused')]);
      // Once the subject exists: Apicurio takes no rule before.
      expect(await registry.setCompatibility(subject, 'FULL_TRANSITIVE')).toBe(true);
    }
  });
});
