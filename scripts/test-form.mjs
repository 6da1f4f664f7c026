/** How much of it a tier of tests plays. */

const numbers = { '--examples': 'TEST_FUZZ_EXAMPLES', '--seed': 'TEST_FUZZ_SEED' };

/**
 * What is ours of the arguments of `npm test`, as the environment that vitest.config.ts reads; the others are Vitest's:
 * `{ args, env }`, or `{ wrong }`, which says what is.
 */
export function formOf(given) {
  const env = { TEST_CHAOS_FORM: given.includes('--full') ? 'full' : 'short' };
  const args = [];
  for (let n = 0; n < given.length; n += 1) {
    const [name, inline] = given[n].split('=', 2);
    if (name === '--full') continue;
    if (!Object.hasOwn(numbers, name)) {
      args.push(given[n]);
      continue;
    }
    const value = inline ?? given[(n += 1)] ?? 'nothing';
    if (!/^\d{1,9}$/.test(value)) return { wrong: `${name} takes a whole number, not ${value}` };
    env[numbers[name]] = value;
  }
  return { args, env };
}
