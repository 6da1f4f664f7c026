// docs/filters.md: its examples say what it says, and its bounds are those of the code.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eventFromJson, filterLimits, type JsonValue } from '#libs/core';
import { workLimit } from './cel/budget.js';
import { celLimits } from './cel/language.js';
import { patternLimits } from './cel/pattern.js';
import type { FilterEvent } from './filter-event.js';
import { celResult, compiled, said } from './filters.fixture.js';
import { maxFilterBytes, parseFilters } from './parse-filters.js';

const text = readFileSync(new URL('../../../docs/filters.md', import.meta.url), 'utf8');

function block(name: string): JsonValue {
  const found = new RegExp(`\`\`\`json ${name}\n(.*?)\`\`\``, 's').exec(text)?.[1];
  if (found === undefined) throw new Error(`no example ${name}`);
  return JSON.parse(found) as JsonValue;
}

/** Rows of the table with these heads, without their code marks. */
function table(...heads: readonly string[]): [string, string][] {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => cells(line).join() === heads.join());
  if (from < 0) throw new Error(`no table of ${heads.join()}`);
  const length = lines.slice(from).findIndex((line) => !line.startsWith('|'));
  return lines.slice(from + 2, from + length).map((line) => cells(line) as [string, string]);
}

const cells = (line: string): string[] =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('\\|', '|').replaceAll('`', ''));

function eventOf(json: JsonValue): FilterEvent {
  const parsed = eventFromJson(json, '');
  if (!parsed.ok || parsed.event.data.kind !== 'json') throw new Error('no event');
  return { attributes: parsed.event, data: parsed.event.data.value };
}

const event = eventOf(block('event'));

describe('docs/filters.md', () => {
  it('begins with filters that match its event', () => {
    expect(compiled(block('filters')).matches(event)).toMatchObject({ match: true, error: null });
  });

  it.each(table('filters', 'match'))('%s matches: %s', (filters, match) => {
    expect(compiled(JSON.parse(filters)).matches(event)).toMatchObject({ match: match === 'yes', error: null });
  });

  it.each(table('expression', 'says'))('%s says %s', (cel, expected) => {
    expect(String(said(cel, event))).toBe(expected);
  });

  it.each(table('expression', 'error'))('%s fails: %s', (cel, error) => {
    expect(celResult(cel, event)).toMatchObject({ match: false, error });
  });

  it.each(table('filters', 'fault'))('%s is refused: %s', (filters, fault) => {
    const parsed = parseFilters(JSON.parse(filters));
    expect(parsed.ok ? [] : parsed.faults.map(({ code, detail }) => `${code}: ${detail}`)).toEqual([fault]);
  });

  it('shows a fault as it is', () => {
    const parsed = parseFilters([{ cel: 'priority == "high"' }]);
    const faults = parsed.ok ? [] : parsed.faults.map((one) => ({ ...one, pointer: `/filters${one.pointer}` }));
    expect(faults).toEqual([block('fault')]);
  });

  it('tells the bounds', () => {
    const bounds = table('of', 'at most').map(([, most]) =>
      most
        .replaceAll(/[^\d ]/g, '')
        .match(/\d+/g)
        ?.map(Number),
    );
    expect(bounds).toEqual([
      [maxFilterBytes],
      [filterLimits.expressions],
      [filterLimits.depth],
      [filterLimits.comparisons],
      [filterLimits.text],
      [celLimits.text, celLimits.depth],
      [celLimits.textInAll, celLimits.nodes],
      [celLimits.listElements],
      [celLimits.loops],
      [celLimits.patterns, patternLimits.text, celLimits.instructions],
      [workLimit],
    ]);
  });
});
