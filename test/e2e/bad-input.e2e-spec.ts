import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { projectRoot } from '#libs/config';
import { PlatformUnderTest, type EndpointUnderTest } from './platform-under-test.js';
import { readTopic } from './read-evidence.js';
import { comment, sampleEvents, structured, type UpstreamService } from './sample-events.js';

interface Problem {
  readonly code: string;
  readonly errors?: readonly {
    readonly pointer?: string;
    readonly header?: string;
    readonly code: string;
    readonly detail: string;
  }[];
}

describe('bad input', () => {
  let test: PlatformUnderTest;
  let upstream: UpstreamService;
  let endpoint: EndpointUnderTest;

  beforeAll(async () => {
    test = await PlatformUnderTest.start();
    upstream = await test.upstream();
    endpoint = await test.addEndpoint(['*']);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
  });
  afterAll(async () => {
    await upstream?.close();
    await test?.stop();
  });

  const good = () => structured(sampleEvents('good', 1)[0]!, test.tenantId);
  const post = async (
    body: string,
    contentType = 'application/cloudevents+json',
  ): Promise<{ status: number; problem: Problem }> => {
    const answer = await fetch(`${test.platform.apiUrl}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${test.platform.operatorKey}`, 'content-type': contentType },
      body,
    });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    return { status: answer.status, problem: (await answer.json()) as Problem };
  };

  it('over REST: malformed JSON is 400', async () => {
    expect((await post('{"specversion":')).status).toBe(400);
  });

  it('over REST: every fault of the data is named with its pointer', async () => {
    const { status, problem } = await post(
      JSON.stringify({
        ...good(),
        type: 'comment.added',
        data: { ...comment(1), text: 7, extra: true, author: { id: 'x' } },
      }),
    );
    expect(status).toBe(422);
    const pointers = problem.errors?.map(({ pointer }) => pointer);
    expect(pointers).toEqual(expect.arrayContaining(['/data/text', '/data/extra', '/data/author/name']));
  });

  it('over REST: an unknown event type, an unknown tenant and a missing attribute are told apart', async () => {
    const codes = async (change: Record<string, unknown>): Promise<string> => {
      const { status, problem } = await post(JSON.stringify({ ...good(), ...change }));
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      return JSON.stringify(problem);
    };
    expect(await codes({ type: 'nobody.knows' })).toContain('unknown-event-type');
    expect(await codes({ tenantid: 'nobody' })).toContain('unknown-tenant');
    expect(await codes({ id: undefined })).toContain('missing-attribute');
  });

  it('over REST: more than 256 KiB is 413, and says what the limit is', async () => {
    const { status, problem } = await post(
      JSON.stringify({ ...good(), type: 'comment.added', data: { ...comment(1), text: 'x'.repeat(300_000) } }),
    );
    expect(status).toBe(413);
    expect(JSON.stringify(problem)).toContain('262144');
  });

  it('over REST: no key is 401', async () => {
    expect((await fetch(`${test.platform.apiUrl}/v1/events`, { method: 'POST', body: '{}' })).status).toBe(401);
  });

  it('in the log: each bad record goes to the rejected topic with its reason, and the partition goes on', async () => {
    const [a, b, c, last] = sampleEvents('log', 4);
    const json = (event: { id: string; type: string; data: unknown }, change: Record<string, string> = {}) => {
      const message = upstream.binaryJson({ source: '/e2e', ...event });
      return { ...message, headers: { ...message.headers, ...change } };
    };
    await upstream.send([
      { ...json(a!), value: '{"not json' },
      json({ ...b!, type: 'comment.added', data: { ...comment(1), text: 7 } }),
      json({ ...c!, type: 'nobody.knows' }),
      { ...json({ ...c!, id: 'stranger' }), key: 'nobody' },
      json({ ...c!, id: 'huge', type: 'comment.added', data: { ...comment(1), text: 'x'.repeat(300_000) } }),
      { key: test.tenantId, value: 'no headers at all' },
      json(last!),
    ]);
    await endpoint.receiver.waitFor(1, 15_000);
    expect((JSON.parse(endpoint.receiver.requests[0]!.body.toString()) as { id: string }).id).toBe(last!.id);
    // An unknown tenant is given a moment, in case that its configuration is on its way.
    const rejected = await vi.waitUntil(
      async () => {
        const found = await readTopic(test.services.kafkaBrokers, `${test.prefix}.events.rejected`);
        return found.length >= 6 ? found : null;
      },
      { timeout: 20_000, interval: 500 },
    );
    const reasons = rejected.map(({ headers }) => String(headers?.['posthorn-reason']));
    expect(new Set(reasons)).toEqual(
      new Set([
        'malformed',
        'invalid-data',
        'unknown-event-type',
        'unknown-tenant',
        'too-large',
        'unsupported-content-type',
      ]),
    );
    expect(reasons).toHaveLength(6);
    const malformed = rejected.find(({ headers }) => String(headers?.['posthorn-reason']) === 'malformed');
    expect(String(malformed?.value)).toBe('{"not json');
    expect(String(malformed?.headers?.['ce_id'])).toBe(a!.id);
  });

  it('at start: all wrong settings are listed at once, and the process ends with 1', () => {
    const child = spawnSync(process.execPath, [join(projectRoot(), 'dist/apps/worker/main.js')], {
      env: { POSTHORN_WORKER_PORT: 'x', POSTHORN_MAX_IN_FLIGHT: '0', POSTHORN_NONSENSE: '1' },
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(child.status).toBe(1);
    for (const name of [
      'POSTHORN_WORKER_PORT',
      'POSTHORN_MAX_IN_FLIGHT',
      'POSTHORN_NONSENSE',
      'KAFKA_BROKERS',
      'SCHEMA_REGISTRY_URL',
    ]) {
      expect(child.stderr).toContain(name);
    }
  });
});
