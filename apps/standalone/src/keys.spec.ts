import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { standaloneKeys } from './keys.js';

describe('standaloneKeys', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'posthorn-keys-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('makes keys once, for the owner alone, and finds them again', () => {
    const keys = standaloneKeys(folder);
    expect(standaloneKeys(folder)).toEqual(keys);
    expect(statSync(join(folder, 'keys.json')).mode & 0o077).toBe(0);
  });

  it('never replaces a file that it cannot read: secrets are sealed with what was in it', () => {
    writeFileSync(join(folder, 'keys.json'), '{}');
    expect(() => standaloneKeys(folder)).toThrow(/restore it/);
  });
});
