/**
 * `node scripts/audit.mjs`: known vulnerabilities of what is shipped, as the registry knows them (`npm audit`). Exit code 0:
 * none that counts; 1: some; `notDone`: the registry could not be asked, and nothing is known.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { capture, root } from './process.mjs';

/** sysexits: a failure that may pass. */
export const notDone = 75;

const counted = ['high', 'critical'];

/**
 * What is wrong, a line each, of the JSON that `npm audit` prints; null when that is no report.
 * @param exceptions those of audit-exceptions.json
 * @param today as `2026-11-26`
 */
export function faultsOf(report, exceptions, today) {
  if (report?.auditReportVersion !== 2) return null;
  const advisories = new Map(
    Object.values(report.vulnerabilities)
      .flatMap(({ via }) => via)
      .filter((via) => typeof via === 'object' && counted.includes(via.severity))
      .map((via) => [via.url.split('/').at(-1), via]),
  );
  const faults = [];
  for (const [id, { name, range, severity, title, url }] of advisories) {
    const exception = exceptions.find(({ advisory }) => advisory === id);
    if (exception === undefined) faults.push(`${name} ${range}: ${severity}: ${title} (${url})`);
    else if (exception.until < today) faults.push(`${name}: the exception for ${id} ended on ${exception.until}`);
  }
  const unused = exceptions.filter(({ advisory }) => !advisories.has(advisory));
  return [...faults, ...unused.map(({ advisory }) => `the exception for ${advisory} is not needed any more`)];
}

async function main() {
  const { output } = await capture('npm', ['audit', '--omit=dev', '--json', '--fetch-retries=0', '--loglevel=silent']);
  const exceptions = JSON.parse(readFileSync(join(root, 'scripts', 'audit-exceptions.json'), 'utf8'));
  const faults = faultsOf(parsed(output), exceptions, new Date().toISOString().slice(0, 10));
  if (faults === null) {
    console.log(`the registry answers no questions about vulnerabilities: ${whyNot(output)}`);
    return notDone;
  }
  for (const fault of faults) console.log(fault);
  if (faults.length > 0)
    console.log('Update them, or except them with a reason and an end in scripts/audit-exceptions.json.');
  return faults.length === 0 ? 0 : 1;
}

function parsed(output) {
  try {
    return JSON.parse(output);
  } catch {
    return null;
  }
}

/** Without its address, which may be one of ours. */
function whyNot(output) {
  const { message, statusCode, error } = parsed(output) ?? {};
  const text = statusCode ?? message ?? error?.summary ?? output.trim().split('\n').at(-1) ?? '';
  return String(text)
    .replaceAll(/https?:\/\/\S+/g, '…')
    .slice(0, 200);
}

if (import.meta.filename === process.argv[1]) process.exitCode = await main();
