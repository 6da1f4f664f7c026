/** A Vitest reporter that writes what test.mjs adds up to the file that TEST_COUNTS_FILE names. */
import { writeFileSync } from 'node:fs';

export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      // A file that cannot be loaded has no tests, a hook that throws fails none: each counts as one.
      counts.failed += module.errors().length;
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const { state, note } = test.result();
        if (state === 'passed') counts.passed += 1;
        else if (state === 'failed') counts.failed += 1;
        else
          counts.skipped.push({ name: `${module.relativeModuleId} > ${test.fullName}`, reason: reasonOf(test, note) });
      }
    }
    writeFileSync(process.env.TEST_COUNTS_FILE, JSON.stringify(counts));
  }
}

function reasonOf(test, note) {
  return note ?? (test.options.mode === 'todo' ? 'to do' : 'no reason given');
}
