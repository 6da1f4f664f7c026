/** The bare loop, a process of its own: signs a body and POSTs it, as fast as the receiver answers. Nothing else. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { Pool, type Dispatcher } from 'undici';
import { signWebhook, structuredJsonBodyType, webhookHeaders } from '#libs/core';
import { machineMs } from '../clock.js';
import { usageMeter } from '../process-usage.js';
import type { LimitResult, LimitTask } from './messages.js';

process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => undefined);
process.on('message', (task: LimitTask) => {
  void measure(task).then((result) => process.send?.(result));
});

async function measure(task: LimitTask): Promise<LimitResult> {
  const pool = new Pool(task.url, { connections: task.inFlight, pipelining: 1, allowH2: false });
  const keys = [createSecretKey(randomBytes(32))];
  const body = Buffer.from(task.body);
  let done = 0;
  let sent = 0;
  let stopping = false;
  let running = 0;
  const ended = Promise.withResolvers<void>();

  const next = (): void => {
    if (stopping) {
      running -= 1;
      if (running === 0) ended.resolve();
      return;
    }
    sent += 1;
    const id = `msg_${String(sent).padStart(22, '0')}`;
    const timestamp = Math.floor(Date.now() / 1_000);
    const headers = {
      'content-type': structuredJsonBodyType,
      'user-agent': 'Posthorn/0.1',
      [webhookHeaders.id]: id,
      [webhookHeaders.timestamp]: String(timestamp),
      [webhookHeaders.signature]: signWebhook(keys, id, timestamp, body),
    };
    pool.dispatch({ path: `/limit/${sent % 10}`, method: 'POST', headers, body }, handler);
  };
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart: () => undefined,
    onResponseStart: () => undefined,
    onResponseData: () => undefined,
    onResponseEnd: () => {
      done += 1;
      next();
    },
    onResponseError: (_controller, error) => ended.reject(error),
  };

  for (; running < task.inFlight; running += 1) next();
  await pause(task.warmUpMs, ended.promise);
  const usage = usageMeter({ limit: process.pid });
  const [from, before] = [machineMs(), done];
  await pause(task.measureMs, ended.promise);
  const perSecond = ((done - before) / (machineMs() - from)) * 1_000;
  const used = usage()['limit'];
  stopping = true;
  await ended.promise;
  await pool.close();
  return { type: 'result', perSecond, usage: used ?? { cpuSeconds: 0, peakMemoryMb: 0 } };
}

/** Ends early, with its error, when a request fails. */
function pause(ms: number, failed: Promise<void>): Promise<void> {
  return Promise.race([failed, new Promise<void>((resolve) => setTimeout(resolve, ms))]);
}
