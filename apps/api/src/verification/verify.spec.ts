import { expect, it } from 'vitest';
import { unverified } from '#libs/core';
import type { ClaimedTry, Endpoint } from '#libs/persistence';
import { Verify } from './verify.js';

// Doubled: PostgreSQL, HTTP. What becomes of a try that the process itself has cut.
it('gives a try back that it has cut itself, and says nothing of the endpoint', async () => {
  const done: string[] = [];
  const verification = unverified('challenge', 1, 0);
  const endpoint = { endpointId: 'ep_1', verification } as Endpoint;
  const claimed: ClaimedTry = { endpoint, verification, claim: 'c', tries: null };
  const note = (what: string) => () => {
    done.push(what);
    return Promise.resolve(null as never);
  };
  const verify = new Verify({
    endpoints: { get: () => Promise.resolve(endpoint) },
    verifications: {
      claim: () => Promise.resolve({ outcome: 'claimed', claimed }),
      claimDue: () => Promise.resolve([claimed]),
      settle: note('settle'),
      release: note('release'),
      get: note('get'),
    },
    asking: {
      ask: () =>
        Promise.resolve({
          verdict: { verified: false, reason: 'aborted', detail: 'closed' },
          origin: null,
          exchange: null,
        }),
    },
    publication: { published: note('published') },
    counts: { endpointVerification: () => void done.push('count') },
    now: () => 0,
    newId: () => 'c',
  });
  await expect(verify.verify('ep_1')).rejects.toMatchObject({ code: 'shutting-down' });
  await Promise.all(await verify.due(1));
  expect(done).toEqual(['release', 'release']);
});
