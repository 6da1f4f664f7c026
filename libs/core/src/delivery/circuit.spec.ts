import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Circuit, lifeSign, type LifeSign } from './circuit.js';
import { defaultCircuit } from './circuit-config.js';
import type { AttemptErrorKind, PostResult } from './post-result.js';

const config = { ...defaultCircuit, openMs: 1_000, maxOpenMs: 5_000 };
const limit = 16;

const answer = (status: number): PostResult => ({
  kind: 'response',
  status,
  headers: {},
  body: Buffer.alloc(0),
  truncated: false,
  durationMs: 1,
});
const failure = (kind: AttemptErrorKind): PostResult => ({
  kind: 'error',
  error: { kind, message: '' },
  durationMs: 1,
});

let posts = 0;
/** Sends one POST and lands it at once. @returns whether it might start */
function send(circuit: Circuit<number>, sign: LifeSign, now: number): boolean {
  if (circuit.nextAt(now) > now) return false;
  const post = (posts += 1);
  circuit.posted(post, now);
  circuit.landed(post, sign, config, limit, now);
  return true;
}

/** Sends as soon as it may, until `until`. @returns when each went out */
function sendAll(circuit: Circuit<number>, sign: LifeSign, from: number, until: number): number[] {
  const sent: number[] = [];
  for (let now = from; now < until; now += 10) {
    while (sent.length < 1_000 && circuit.state !== 'closed' && send(circuit, sign, now)) sent.push(now);
  }
  return sent;
}

function opened(at = 0): Circuit<number> {
  const circuit = new Circuit<number>();
  for (let nth = 0; nth < config.consecutiveFailures; nth += 1) send(circuit, 'failed', at);
  expect(circuit.state).toBe('open');
  return circuit;
}

describe('lifeSign', () => {
  it('takes no answer, 5xx, 429 and 408 for failure and every other answer for life', () => {
    expect([200, 302, 400, 404, 410].map((status) => lifeSign(answer(status)))).toEqual(Array(5).fill('alive'));
    expect([408, 429, 500, 503, 599].map((status) => lifeSign(answer(status)))).toEqual(Array(5).fill('failed'));
    const kinds = ['connect-timeout', 'total-timeout', 'dns', 'refused', 'reset', 'tls', 'protocol'] as const;
    expect(kinds.map((kind) => lifeSign(failure(kind)))).toEqual(Array(7).fill('failed'));
    const ours = ['guard', 'proxy', 'undeliverable', 'aborted'] as const;
    expect(ours.map((kind) => lifeSign(failure(kind)))).toEqual(Array(4).fill('unclear'));
  });
});

describe('Circuit', () => {
  it('while closed holds nothing, and opens on failures in a row or on their share (model: the list of answers)', () => {
    const small = { ...config, consecutiveFailures: 4, minRequests: 8, failureShare: 0.6, windowMs: 1_000 };
    const step = fc.record({
      pause: fc.nat(60),
      sign: fc.constantFrom<LifeSign>('alive', 'failed', 'failed', 'unclear'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const circuit = new Circuit<number>();
        const all: { at: number; sign: LifeSign }[] = [];
        let now = 0;
        for (const [post, { pause, sign }] of steps.entries()) {
          now += pause;
          expect(circuit.nextAt(now)).toBe(now);
          circuit.posted(post, now);
          circuit.landed(post, sign, small, limit, now);
          if (sign !== 'unclear') all.push({ at: now, sign });
          const within = all.filter(({ at }) => Math.floor(at / 100) > Math.floor(now / 100) - 10);
          const failures = within.filter((one) => one.sign === 'failed').length;
          const inRow = all.length - 1 - all.findLastIndex((one) => one.sign === 'alive');
          const isTooMuch = inRow >= 4 || (within.length >= 8 && failures >= within.length * 0.6);
          expect(circuit.state).toBe(isTooMuch && sign === 'failed' ? 'open' : 'closed');
          if (circuit.state === 'open') return;
        }
      }),
    );
  });

  it('lets nothing out while it is open, then a single probe', () => {
    const circuit = opened();
    expect(circuit.nextAt(0)).toBe(1_000);
    expect(circuit.openMs(400)).toBe(600);
    expect(circuit.nextAt(1_000)).toBe(1_000);
    circuit.posted(-1, 1_000);
    expect(circuit.nextAt(50_000)).toBe(Infinity);
    expect(circuit.openMs(50_000)).toBe(0);
  });

  it('waits twice as long after each probe that fails, up to its longest wait', () => {
    const sent = sendAll(opened(), 'failed', 0, 25_000);
    expect(sent).toEqual([1_000, 3_000, 7_000, 12_000, 17_000, 22_000]);
  });

  it('probes again at once when a probe told nothing', () => {
    const circuit = opened();
    expect(send(circuit, 'unclear', 1_000)).toBe(true);
    expect(circuit.nextAt(1_000)).toBe(1_000);
    expect(circuit.state).toBe('open');
  });

  it('ramps after a probe that succeeded, and is as good as new when that is through', () => {
    const circuit = opened();
    expect(send(circuit, 'alive', 1_000)).toBe(true);
    expect(circuit.state).toBe('ramp');
    expect(circuit.openMs(1_000)).toBeNull();
    const sent = sendAll(circuit, 'alive', 1_000, 60_000);
    expect(sent.filter((at) => at < 1_500)).toHaveLength(5);
    expect(sent.filter((at) => at >= 1_500 && at < 2_000).length).toBeGreaterThanOrEqual(8);
    expect(sent.filter((at) => at >= 1_500 && at < 2_000).length).toBeLessThanOrEqual(10);
    expect(circuit.state).toBe('closed');
    expect(sent.at(-1)! - 1_000).toBeLessThan(3_000);
    expect(circuit.isAtRest(config, 5_000)).toBe(true);
    for (let nth = 0; nth < config.consecutiveFailures; nth += 1) send(circuit, 'failed', 6_000);
    expect(circuit.openMs(6_000)).toBe(config.openMs);
  });

  it('opens for longer when the ramp meets failures, at its first step by one', () => {
    const circuit = opened();
    send(circuit, 'alive', 1_000);
    expect(send(circuit, 'failed', 1_000)).toBe(true);
    expect(circuit.openMs(1_000)).toBe(2_000);
  });

  it('takes no notice of answers to POSTs from before it opened', () => {
    const circuit = new Circuit<number>();
    const [early, late] = [-1, -2];
    circuit.posted(early, 0);
    circuit.posted(late, 0);
    for (let nth = 0; nth < config.consecutiveFailures; nth += 1) send(circuit, 'failed', 0);
    circuit.landed(early, 'alive', config, limit, 500);
    expect(circuit.state).toBe('open');
    send(circuit, 'alive', 1_000);
    circuit.landed(late, 'failed', config, limit, 1_100);
    expect(circuit.state).toBe('ramp');
  });

  it('never has more on their way than the probe, or the ramp, allows', () => {
    const step = fc.record({
      pause: fc.nat(400),
      sign: fc.constantFrom<LifeSign>('alive', 'alive', 'alive', 'failed'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const circuit = opened();
        const onTheirWay: number[] = [];
        let [now, post, successes] = [0, 0, 0];
        for (const { pause, sign } of steps) {
          now += pause;
          while (circuit.state !== 'closed' && onTheirWay.length < 100 && circuit.nextAt(now) <= now) {
            circuit.posted(++post, now);
            onTheirWay.push(post);
          }
          if (circuit.state === 'closed') return;
          // One that probes; then no more at once than have succeeded since, and one.
          if (circuit.state === 'open') expect(onTheirWay.length).toBeLessThanOrEqual(1);
          else expect(onTheirWay.length).toBeLessThanOrEqual(successes + 1);
          const landed = onTheirWay.shift();
          if (landed === undefined) continue;
          circuit.landed(landed, sign, config, limit, now);
          if (sign === 'alive') successes += 1;
          if (circuit.state === 'open') [onTheirWay.length, successes] = [0, 0];
        }
      }),
    );
  });

  it('tells when it may be probed, from the failures that opened it to the end of its ramp', () => {
    const circuit = opened(100);
    expect([circuit.probeInMs(100), circuit.probeInMs(600)]).toEqual([1_000, 500]);
    send(circuit, 'failed', 1_100);
    expect(circuit.probeInMs(1_100)).toBe(2_000);
    send(circuit, 'alive', 3_200);
    expect([circuit.state, circuit.openMs(3_200), circuit.probeInMs(3_200)]).toEqual(['ramp', null, -100]);
    sendAll(circuit, 'alive', 3_300, 60_000);
    expect([circuit.state, circuit.probeInMs(60_000)]).toEqual(['closed', null]);
    expect(circuit.nextAt(60_000)).toBe(60_000);
  });

  it('is at rest when nothing failed of late, or when nothing was sent for long after it might have been', () => {
    const circuit = new Circuit<number>();
    send(circuit, 'alive', 0);
    expect(circuit.isAtRest(config, 0)).toBe(true);
    send(circuit, 'failed', 0);
    expect(circuit.isAtRest(config, 50_000)).toBe(false);
    expect(circuit.isAtRest(config, 60_000)).toBe(true);
    const open = opened();
    expect(open.isAtRest(config, 5_999)).toBe(false);
    expect(open.isAtRest(config, 6_000)).toBe(true);
  });
});
