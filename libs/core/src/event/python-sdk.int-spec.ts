import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonValue } from './cloud-event.js';
import { attributesOf, drawnData, drawnEvent } from './drawn-events.fixture.js';
import { renderEvent } from './formats.js';
import { decodeHeaderValue, parseHttpEvents } from './http-binding.js';

/**
 * Round trips with the CloudEvents SDK for Python (`cloudevents` 1.12.1), in all modes. Real: python3, pip, the SDK. Doubled:
 * nothing. The SDK leaves the percent-encoding of `ce-` headers to whoever uses it, in both directions.
 */
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'posthorn-python-'));
let whyNot: string | null = null;

const script = `
import base64, json, os, sys
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent, from_dict, from_http
folder = sys.argv[1]
given = json.load(open(os.path.join(folder, "given.json")))
out = []
for one in given:
    body = base64.b64decode(one["body"])
    if one["headers"]["content-type"].startswith("application/cloudevents-batch"):
        events = [from_dict(e) for e in json.loads(body)]
    else:
        events = [from_http(one["headers"], body)]
    again = []
    for event in events:
        attributes = {k: v for k, v in event.get_attributes().items()}
        ways = []
        for way in (to_structured, to_binary):
            headers, content = way(CloudEvent(attributes, event.data))
            ways.append({"headers": dict(headers), "body": base64.b64encode(content).decode()})
        again.append({"attributes": attributes, "data": event.data, "ways": ways})
    out.append(again)
json.dump(out, open(os.path.join(folder, "read.json"), "w"))
`;

beforeAll(async () => {
  const install = ['-m', 'pip', 'install', '-q', '--target', folder, 'cloudevents==1.12.1'];
  await run('python3', install, { timeout: 60_000 }).catch((error: unknown) => {
    whyNot = `python3 with pip and PyPI is needed: ${String(error).split('\n')[0] ?? ''}`;
  });
}, 90_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Read {
  readonly attributes: Readonly<Record<string, string | number | boolean | null>>;
  readonly data: JsonValue;
  readonly ways: readonly { readonly headers: Readonly<Record<string, string>>; readonly body: string }[];
}

async function readByPython(requests: readonly { headers: object; body: Buffer }[]): Promise<Read[][]> {
  const given = requests.map(({ headers, body }) => ({ headers, body: body.toString('base64') }));
  writeFileSync(join(folder, 'given.json'), JSON.stringify(given));
  writeFileSync(join(folder, 'read.py'), script);
  await run('python3', [join(folder, 'read.py'), folder], { env: { ...process.env, PYTHONPATH: folder } });
  return JSON.parse(readFileSync(join(folder, 'read.json'), 'utf8')) as Read[][];
}

describe('the CloudEvents SDK for Python', () => {
  const samples = fc.sample(fc.tuple(drawnEvent, drawnData), { numRuns: 60, seed: 6 });
  const modes = ['structured', 'binary'] as const;

  it('reads what is sent, with any extensions, and what it sends is read here', async (context) => {
    if (whyNot !== null) context.skip(whyNot);
    const requests = modes.flatMap((mode) =>
      samples.map(([event, data]) => {
        const { contentType, headers, body } = renderEvent(mode, event, JSON.stringify(data), 0);
        return { headers: { 'content-type': contentType, ...headers }, body };
      }),
    );
    const batch = Buffer.concat([
      Buffer.from('['),
      ...requests.slice(0, samples.length).flatMap(({ body }, n) => (n === 0 ? [body] : [Buffer.from(','), body])),
      Buffer.from(']'),
    ]);
    const batchType = { 'content-type': 'application/cloudevents-batch+json; charset=utf-8' };
    const read = await readByPython([...requests, { headers: batchType, body: batch }]);

    const all = [...read.slice(0, -1).map(([one]) => one), ...(read.at(-1) ?? [])];
    expect(all).toHaveLength(3 * samples.length);
    for (const [nth, one] of all.entries()) {
      const [event, data] = samples[nth % samples.length] ?? expect.fail('no sample');
      const isBinary = Math.floor(nth / samples.length) === 1;
      const { datacontenttype, ...attributes } = one?.attributes ?? {};
      const texts = Object.entries(attributes)
        // It makes up a time where there is none.
        .filter(([name, value]) => value !== null && (name !== 'time' || event.time !== undefined))
        .map(([name, value]) => [name, isBinary ? decodeHeaderValue(String(value)) : String(value)]);
      expect(Object.fromEntries(texts)).toEqual(attributesOf(event));
      expect(datacontenttype).toBe('application/json');
      expect(one?.data).toEqual(data);
      if (isBinary) continue;
      // What it makes of it, structured and (where no header needs encoding) binary, is the same event to our ingest.
      for (const [way, { headers, body }] of (one?.ways ?? []).entries()) {
        if (
          way === 1 &&
          !Object.values(attributesOf(event)).every((text) => /^[!-~]+$/.test(text) && !/["%]/.test(text))
        )
          continue;
        const parsed = parseHttpEvents(headers, Buffer.from(body, 'base64'), { maxBytes: 262_144 });
        if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
        const { data: again, datacontenttype: _, time, ...others } = parsed.events[0] ?? expect.fail('no event');
        const expected = { ...attributesOf(event), time: event.time ?? String(time) };
        expect({ ...attributesOf(others), time: String(time) }).toEqual(expected);
        expect(again).toEqual({ kind: 'json', value: data });
      }
    }
  });
});
