import { expect, it } from 'vitest';
import type { CursorReason } from '#libs/persistence';
import { stateOf, type BacklogState } from './endpoint-backlog.js';

const resting = (reason: CursorReason) => ({ reason, position: 5, startedAt: 5 });
const moving = (reason: CursorReason) => ({ reason, position: 6, startedAt: 5 });

it.each<[BacklogState, ...Parameters<typeof stateOf>]>([
  ['live', 'active', [], 2],
  ['pausing', 'paused', [], 2],
  ['pausing', 'disabled', [resting('disabled')], 2],
  ['paused', 'paused', [resting('paused'), moving('overflow')], 2],
  ['disabled', 'disabled', [resting('disabled'), resting('circuit')], 2],
  ['frozen', 'active', [resting('overflow'), resting('circuit')], 2],
  ['frozen', 'active', [resting('overflow')], 2],
  ['catching-up', 'active', [resting('overflow'), moving('overflow')], 2],
  ['catching-up', 'active', [resting('paused')], 2],
  ['catching-up', 'active', [resting('backfill'), resting('backfill')], 2],
])('is %s: %s with %j of %i partitions', (expected, ...given) => {
  expect(stateOf(...given)).toBe(expected);
});
