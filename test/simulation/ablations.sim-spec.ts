import { beforeAll, describe, expect, it } from 'vitest';
import { openCodecs, type Codecs } from './codecs.js';
import { playRange } from './play-range.js';
import { ablations } from './profiles.js';
import type { Ablation } from './world.js';

/** As many as continuous integration plays. */
const most = 2_000;
/** With the rule in place the same situations must show nothing. */
const sound = 150;

let codecs: Codecs;
beforeAll(async () => {
  codecs = await openCodecs();
});

describe('a simulation that could not see the bug would prove nothing', () => {
  for (const [name, { finds, profile }] of Object.entries(ablations)) {
    it(`finds ${finds.join(' or ')} without the rule "${name}"`, async () => {
      const without = new Set([name as Ablation]);
      const summary = await playRange(codecs, { from: 1, seeds: most, until: finds }, { profile, without });
      const found = summary.failures.find(({ kind }) => finds.includes(kind));
      console.log(`${name}: ${found === undefined ? 'nothing' : `${found.kind} in seed ${found.seed}, ${found.text}`}`);
      expect(found).toBeDefined();
    });
  }

  for (const profile of new Set(Object.values(ablations).map((plan) => plan.profile))) {
    const names = Object.entries(ablations).filter(([, plan]) => plan.profile === profile);
    it(`finds nothing in the same situations with ${names.map(([name]) => `"${name}"`).join(', ')} in place`, async () => {
      const { failures } = await playRange(codecs, { from: 1, seeds: sound }, { profile });
      expect(failures).toEqual([]);
    });
  }
});
