/**
 * `npm run test:simulation -- --seeds N --from S`: plays N seeds from S on, and says what was injected and what went wrong.
 * One seed alone is told line by line. `--without <rule>` takes a rule of DESIGN §3 away, under that rule's profile.
 */
import { parseArgs } from 'node:util';
import { openCodecs } from './codecs.js';
import { play, type PlayOptions } from './play.js';
import { playRange, type Summary } from './play-range.js';
import { ablations } from './profiles.js';
import { replayCommand, summaryLines } from './report.js';
import { playSharded } from './shards.js';
import type { Ablation } from './world.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    step: { type: 'string', default: '1' },
    shards: { type: 'string', default: '2' },
    without: { type: 'string' },
    /** The profile of an ablation, with its rule in place. */
    profile: { type: 'string' },
    part: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
});
const [seeds, from, step, shards] = [values.seeds, values.from, values.step, values.shards].map(wholeNumber) as [
  number,
  number,
  number,
  number,
];
const rule = ruleNamed(values.without);
const profile = ablations[ruleNamed(values.profile) ?? rule ?? 'lease'].profile;
const options: PlayOptions =
  rule === undefined && values.profile === undefined
    ? {}
    : { profile, without: new Set(rule === undefined ? [] : [rule]) };

const args = [
  ...(rule === undefined ? [] : [`--without=${rule}`]),
  ...(values.profile === undefined ? [] : [`--profile=${values.profile}`]),
];

if (values.part) process.send?.(await playRange(await openCodecs(), { from, seeds, step }, options));
else if (seeds === 1) await tellOne();
else {
  const begun = performance.now();
  const summary: Summary = await playSharded({ from, seeds, shards, args });
  for (const line of summaryLines(summary, args, performance.now() - begun)) console.log(line);
  process.exitCode = summary.failures.length === 0 ? 0 : 1;
}

async function tellOne(): Promise<void> {
  const { violations, trace, hash } = await play(from, await openCodecs(), { ...options, keepTrace: true });
  if (!values.quiet) for (const line of trace) console.log(line);
  for (const { kind, text } of violations) console.log(`VIOLATION ${kind}: ${text}`);
  console.log(`seed ${from}: ${violations.length} violations, trace ${hash}`);
  if (violations.length > 0) console.log(`again: ${replayCommand(from, args)}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new RangeError(`${text} is no number of seeds`);
  return number;
}

function ruleNamed(name: string | undefined): Ablation | undefined {
  if (name === undefined || Object.hasOwn(ablations, name)) return name as Ablation | undefined;
  throw new RangeError(`there is no rule ${name}: ${Object.keys(ablations).join(', ')}`);
}
