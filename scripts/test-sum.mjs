/** Adding up test results: `{ passed, failed, skipped: [{ name, reason }] }`. */

export function sum(results) {
  const total = { passed: 0, failed: 0, skipped: [] };
  for (const { passed, failed, skipped } of results) {
    total.passed += passed;
    total.failed += failed;
    total.skipped.push(...skipped);
  }
  return total;
}

/** The skipped tests with their reasons, then the line that continuous integration reads. */
export function closingLines({ passed, failed, skipped }) {
  const list = skipped.map(({ name, reason }) => `  ${name}: ${reason}`);
  const heading = skipped.length === 0 ? [] : ['', 'Skipped:', ...list];
  return [...heading, '', `${passed} passed, ${failed} failed, ${skipped.length} skipped`];
}
