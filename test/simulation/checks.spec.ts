import { describe, expect, it } from 'vitest';
import { duplicateCounts } from './check-duplicates.js';
import type { AttemptFact, BatchFact, DeliveryFact, Evidence, PostFact, Tenure, Violation } from './evidence.js';
import { judge } from './play.js';

const worker: Tenure = { process: 'w1', group: 'worker', partition: 0, generation: 1, from: 0, until: Infinity };
const dispatcher: Tenure = {
  process: 'd1',
  group: 'dispatcher',
  partition: 0,
  generation: 1,
  from: 0,
  until: Infinity,
};
/** One that was crashed at 100, and its successor. */
const crashed: Tenure = { ...worker, until: 100 };
const successor: Tenure = { ...worker, process: 'w2', generation: 2, from: 200 };

function delivery(nth: number, changes: Partial<DeliveryFact> = {}): DeliveryFact {
  return {
    id: `d${nth}`,
    webhookId: `msg${nth}`,
    endpointId: 'ep',
    stream: 'live',
    partition: 0,
    pos: nth,
    sourcePartition: 0,
    sourceOffset: nth,
    ordering: 'key',
    space: '',
    orderingKey: 'k',
    afterEnd: false,
    by: dispatcher,
    ...changes,
  };
}

/** A POST that was answered 200 and acknowledged, 2 ms each. */
function post(nth: number, at: number, changes: Partial<PostFact> = {}): PostFact {
  return {
    tenure: worker,
    process: 'w1',
    endpointId: 'ep',
    webhookId: `msg${nth}`,
    body: `{${nth}}`,
    carries: [`msg${nth}`],
    at,
    arrivedAt: at + 2,
    status: 200,
    answeredAt: at + 4,
    failedAt: null,
    acknowledgedAt: at + 8,
    ...changes,
  };
}

const failed = (nth: number, at: number): PostFact => post(nth, at, { status: 500, failedAt: at + 6 });

function attempt(nth: number, at: number, changes: Partial<AttemptFact> = {}): AttemptFact {
  return {
    id: `d${nth}`,
    number: 1,
    outcome: 'delivered',
    final: true,
    startedAt: at,
    dueAt: null,
    at: at + 7,
    ...changes,
  };
}

const endpoint = { endpointId: 'ep', partition: 0, stable: true, deletedAt: null, beginsAt: null, rateLimit: null };

/** Two events for one endpoint, delivered in order. */
const good: Evidence = {
  events: [0, 1].map((offset) => ({ partition: 0, offset, id: `e${offset}`, repeat: false })),
  endpoints: [endpoint],
  replays: [],
  deliveries: [delivery(0), delivery(1)],
  attempts: [attempt(0, 50), attempt(1, 60)],
  copies: [],
  batches: [],
  deadLetters: [],
  posts: [post(0, 50), post(1, 60)],
  tenures: [worker],
  commits: [
    {
      group: 'dispatcher',
      process: 'd1',
      tenure: dispatcher,
      partition: 0,
      from: 0,
      to: 2,
      retries: new Map(),
      at: 40,
    },
  ],
  leftover: { behind: [] },
  alarms: [],
  calm: true,
};

/** Both in one POST, under the id of their batch. */
const together = (at: number, changes: Partial<PostFact> = {}): PostFact =>
  post(0, at, { webhookId: 'batch', body: '[{0},{1}]', carries: ['msg0', 'msg1'], ...changes });
const batch: BatchFact = {
  webhookId: 'batch',
  endpointId: 'ep',
  stream: 'live',
  members: [0, 1].map((nth) => ({ id: `d${nth}`, webhookId: `msg${nth}`, pos: nth, body: `{${nth}}` })),
  at: 40,
};
const batched: Partial<Evidence> = {
  posts: [together(50)],
  batches: [batch],
  attempts: [attempt(0, 50), attempt(1, 50)],
};

const window = { replayId: 'replay:0', partition: 0, from: 0, to: 1, endpointIds: ['ep'], cancelled: false };

const found = (change: Partial<Evidence>): string[] => judge({ ...good, ...change }).map(inShort);
const inShort = ({ kind, text }: Violation): string => `${kind}: ${text}`;

describe('what judges a run', () => {
  it('finds nothing where all is well', () => {
    expect(found({})).toEqual([]);
  });

  it.each<[string, Partial<Evidence>, RegExp]>([
    [
      'an event that a replay should have sent and did not',
      { replays: [{ ...window, to: 1 }] },
      /^loss: event e0 .* was not sent to ep by replay:0/,
    ],
    [
      'one that it sent and should not have',
      {
        deliveries: [...good.deliveries, { ...delivery(1), stream: 'replay:0' }],
        replays: [{ ...window, cancelled: true }],
      },
      /^order: replay:0 0 1 ep was not asked for/,
    ],
    [
      'an event from before the begin of an endpoint',
      { endpoints: [{ ...endpoint, beginsAt: [1] }] },
      /^order: event e0 .* lies before the begin of ep/,
    ],
    [
      'an event that was never dispatched to an endpoint that was there all along',
      { deliveries: [delivery(0)] },
      /^loss: event e1/,
    ],
    ['a delivery without an end', { attempts: [attempt(0, 50)] }, /^loss: d1 .*no end/],
    [
      'a delivery of a replay that came too late, and only then',
      {
        deliveries: [
          ...good.deliveries,
          delivery(0, { id: 'late', webhookId: 'late', stream: 'replay:0', afterEnd: true }),
        ],
        replays: [window],
      },
      /^loss: late .*no end/,
    ],
    [
      'a non-final Attempt as the last word',
      { attempts: [attempt(0, 50), attempt(1, 60, { final: false, outcome: 'halted' })] },
      /^loss: d1/,
    ],
    [
      'a success that the receiver knows nothing of',
      { posts: [post(0, 50), post(1, 60, { status: 500 })] },
      /^loss: d1 counts as delivered/,
    ],
    [
      'a dead letter that does not stand',
      { attempts: [attempt(0, 50), attempt(1, 60, { outcome: 'deadLetter' })] },
      /^loss: d1 was closed/,
    ],
    [
      'a dead letter that stands only after the final Attempt',
      { attempts: [attempt(0, 50), attempt(1, 60, { outcome: 'deadLetter' })], deadLetters: [{ id: 'd1', at: 68 }] },
      /^loss: d1 was closed/,
    ],
    [
      'a drop for an endpoint that is there',
      { attempts: [attempt(0, 50), attempt(1, 60, { outcome: 'dropped' })] },
      /^loss: d1 was dropped/,
    ],
    [
      'a position that never got to its end',
      { leftover: { behind: [{ text: 'deliveries-0 1 of 2', partition: 0 }] } },
      /^pending: deliveries-0/,
    ],
    [
      'what still stands where nobody got to, as pending and not as lost',
      { attempts: [attempt(0, 50)], leftover: { behind: [{ text: 'deliveries-0 1 of 2', partition: 0 }] } },
      /^pending: d1 .*no end/,
    ],
    ['an alarm', { alarms: ['w1 stopped'] }, /^alarm: w1/],
    [
      'a commit that goes back',
      { commits: [...good.commits, { ...good.commits[0]!, group: 'worker', from: 5, to: 4 }] },
      /^commit: .*5 → 4/,
    ],
    [
      'a retry position that goes back',
      {
        commits: [
          ...good.commits,
          { ...good.commits[0]!, group: 'worker', from: 0, to: 1, retries: new Map([[5_000, 7]]) },
          { ...good.commits[0]!, group: 'worker', from: 1, to: 1, retries: new Map([[5_000, 6]]) },
        ],
      },
      /^commit: .*7 → 6/,
    ],
    ['a success before that of an earlier one', { posts: [post(0, 60), post(1, 50)] }, /^order: ep: d1/],
    [
      'a success that arrives before the earlier one was answered',
      { posts: [post(0, 50), post(1, 51)] },
      /^order: ep: d1/,
    ],
    ['a second POST without a reason', { posts: [post(0, 50), post(1, 60), post(1, 90)] }, /^duplicate: d1 .*POST 2/],
    [
      'a second POST before the first has failed',
      { posts: [post(0, 50), failed(1, 60), post(1, 65)] },
      /^duplicate: d1 .*POST 2/,
    ],
    [
      'a POST of the successor, of what its predecessor knew to be done',
      {
        tenures: [crashed, successor],
        posts: [
          post(0, 50, { tenure: crashed }),
          post(1, 60, { tenure: crashed }),
          post(1, 210, { tenure: successor }),
        ],
      },
      /^duplicate: d1/,
    ],
    [
      'a third POST, where one was in flight',
      {
        tenures: [crashed, successor],
        posts: [
          post(0, 50, { tenure: crashed }),
          post(1, 99, { tenure: crashed, acknowledgedAt: null }),
          post(1, 210, { tenure: successor }),
          post(1, 250, { tenure: successor }),
        ],
      },
      /^duplicate: d1 .*POST 3/,
    ],
    ['a POST after the lease', { posts: [post(0, 50), post(1, 101, { tenure: crashed })] }, /^lease: w1/],
    [
      'POSTs above the rate',
      { endpoints: [{ ...endpoint, rateLimit: { limit: 10, per: 'second', burst: 1 } }] },
      /^rate: ep: 2 POSTs/,
    ],
    [
      'a retry before it is due',
      {
        posts: [post(0, 10), failed(1, 20), post(1, 60)],
        attempts: [
          attempt(0, 10),
          attempt(1, 20, { outcome: 'retry', final: false, dueAt: 70 }),
          attempt(1, 60, { number: 2 }),
        ],
      },
      /^due: d1: POST 2 at 60, due 70/,
    ],
    ['a retry that nothing led to', { attempts: [attempt(0, 50), attempt(1, 60, { number: 2 })] }, /^due: d1: POST 2/],
    [
      'another body under the same id',
      { posts: [post(0, 50), post(1, 60), { ...failed(1, 55), body: 'other' }] },
      /^batch: msg1: the POST at 55 is not/,
    ],
    [
      'a batch that was not written down',
      { ...batched, batches: [] },
      /^batch: batch at 50 by w1 was not written down/,
    ],
    ['… or only afterwards', { ...batched, batches: [{ ...batch, at: 51 }] }, /^batch: .* was not written down before/],
    [
      'a batch of other events',
      { ...batched, posts: [together(50, { body: '[{0},{2}]' })] },
      /^batch: .* is not what was/,
    ],
    [
      'a batch of another endpoint',
      { ...batched, posts: [together(50, { endpointId: 'other' })] },
      /^batch: batch .* is ep's/,
    ],
    [
      'a batch that is not in order',
      {
        ...batched,
        posts: [together(50, { body: '[{1},{0}]', carries: ['msg1', 'msg0'] })],
        batches: [{ ...batch, members: batch.members.toReversed() }],
      },
      /^batch: .* is not in order/,
    ],
    [
      'an order that is not that of the events in it',
      { ...batched, posts: [together(50, { carries: ['msg1', 'msg0'] })] },
      /^order: ep: d1/,
    ],
    [
      'an event in two batches',
      {
        ...batched,
        posts: [
          together(50, { status: 500, failedAt: 56 }),
          together(60),
          together(70, { webhookId: 'other', body: '[{1}]', carries: ['msg1'], status: 500, failedAt: 76 }),
        ],
        batches: [batch, { ...batch, webhookId: 'other', members: batch.members.slice(1) }],
      },
      /^batch: msg1 was in batch and is in other/,
    ],
    [
      'a second POST of a batch without a reason',
      { ...batched, posts: [together(50), together(90)] },
      /^duplicate: d0 .*POST 2/,
    ],
    [
      'an event of a batch that was never taken',
      { ...batched, posts: [together(50, { status: 500 })] },
      /^loss: d1 counts/,
    ],
    [
      'a retry that is late though nothing holds it',
      {
        posts: [post(0, 10), failed(1, 20), post(1, 2_000)],
        attempts: [
          attempt(0, 10),
          attempt(1, 20, { outcome: 'retry', final: false, dueAt: 70 }),
          attempt(1, 2_000, { number: 2 }),
        ],
      },
      /^due: d1: .*at the latest/,
    ],
  ])('finds %s', (_, change, message) => {
    expect(found(change)).toContainEqual(expect.stringMatching(message));
  });
});

describe('what it allows', () => {
  it.each<[string, Partial<Evidence>]>([
    [
      'any order where none was asked for',
      {
        deliveries: [delivery(0, { ordering: 'none' }), delivery(1, { ordering: 'none' })],
        posts: [post(0, 60), post(1, 50)],
      },
    ],
    ['several events in one POST', batched],
    [
      'what is heard of a cancelled replay after its end',
      {
        deliveries: [
          ...good.deliveries,
          delivery(0, { id: 'late', webhookId: 'late', stream: 'replay:0', afterEnd: true }),
        ],
        replays: [{ ...window, cancelled: true }],
      },
    ],
    [
      'a batch as it was, again, when it had failed',
      { ...batched, posts: [together(50, { status: 500, failedAt: 56 }), together(70)] },
    ],
    [
      'any order between keys',
      { deliveries: [delivery(0), delivery(1, { orderingKey: 'other' })], posts: [post(0, 60), post(1, 50)] },
    ],
    [
      'the next one after a dead letter',
      {
        attempts: [attempt(0, 50, { outcome: 'deadLetter' }), attempt(1, 60)],
        deadLetters: [{ id: 'd0', at: 55 }],
        posts: [failed(0, 50), post(1, 60), post(0, 90)],
      },
    ],
    [
      'as many repeats as were in flight when the owner crashed',
      {
        tenures: [crashed, successor],
        posts: [
          post(0, 50, { tenure: crashed }),
          post(1, 99, { tenure: crashed, acknowledgedAt: null }),
          post(1, 210, { tenure: successor }),
        ],
      },
    ],
    [
      'a burst more for a new owner',
      {
        endpoints: [{ ...endpoint, rateLimit: { limit: 10, per: 'second', burst: 1 } }],
        tenures: [worker, { ...successor, from: 55 }],
      },
    ],
    [
      'what a dispatcher sent that did not commit it, and another configuration did not',
      {
        deliveries: [
          ...good.deliveries,
          delivery(2, {
            id: 'x',
            webhookId: 'x',
            endpointId: 'other',
            sourceOffset: 1,
            by: { ...dispatcher, process: 'd2' },
          }),
        ],
      },
    ],
    [
      'the success of a later one than what was sent by a dispatcher that did not commit it',
      {
        deliveries: [
          delivery(-1, { sourceOffset: 0, pos: 0, ordering: 'endpoint', by: { ...dispatcher, process: 'd2' } }),
          delivery(0, { pos: 1 }),
          delivery(1, { pos: 2 }),
        ],
      },
    ],
  ])('%s', (_, change) => {
    expect(found(change)).toEqual([]);
  });

  it('tells order by the stricter of both settings', () => {
    const deliveries = [delivery(0, { ordering: 'none' }), delivery(1, { ordering: 'endpoint', orderingKey: 'other' })];
    expect(found({ deliveries, posts: [post(0, 60), post(1, 50)] })).toHaveLength(1);
  });

  it('counts repeats and what allowed for them', () => {
    const posts = [post(1, 99, { tenure: crashed, acknowledgedAt: null }), post(1, 210, { tenure: successor })];
    expect(duplicateCounts({ ...good, posts })).toEqual({ duplicates: 1, allowed: 1 });
  });
});
