import { expect, test } from 'vitest';
import { instructions, javaMajorVersion } from './prerequisites.js';

test.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['openjdk version "21" 2023-09-19', 21],
  ['java version "1.8.0_292"', 1],
  ['bash: java: command not found', 0],
])('the major version in %s is %i', (output, version) => {
  expect(javaMajorVersion(output)).toBe(version);
});

test.each([
  ['linux', true, 'sudo apt-get install -y openjdk-17-jre-headless maven'],
  ['darwin', false, 'brew install openjdk@17 maven'],
] as const)('on %s the exact command is named', (platform, apt, command) => {
  expect(instructions(['Java', 'Maven'], platform, apt)).toContain(`Install with: ${command}\n`);
});
