import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '#libs/config';
import { formatPrivateKey, formatSecret, publicKeyOf, signingKey, signWebhook } from '#libs/core';

const guide = readFileSync(join(projectRoot(), 'docs/receiving.md'), 'utf8');
const [old, fresh, other] = [1, 2, 3].map(() => formatSecret(crypto.randomBytes(32))) as [string, string, string];
const [pair, foreign] = [1, 2].map(() => formatPrivateKey(crypto.randomBytes(32))) as [string, string];
const body = Buffer.from('{"type":"task.completed"}');

/** Runs the code below a heading; its imports are given to it. @returns the value of `last` after it */
function run(heading: string, last: string, given: object): unknown {
  const [, code] = new RegExp(`### ${heading}\\n[^]*?\`\`\`js\\n([^]*?)\`\`\``).exec(guide) ?? [];
  if (code === undefined) throw new Error(`no code below ${heading}`);
  return runInNewContext(`${code.replace(/^import .*$/gm, '')}\n${last}`, { ...given, Buffer });
}

function signed(...secrets: string[]) {
  const timestamp = Math.floor(Date.now() / 1_000);
  return {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signWebhook(secrets.map(signingKey), 'msg_1', timestamp, body),
  };
}

describe('the code in docs/receiving.md', () => {
  it('takes both secrets while one is being rotated, and no other', () => {
    const verify = (headers: object) => {
      const env = { WEBHOOK_SECRETS: `${fresh} ${old}` };
      return run('When the secret changes', 'verify(body, headers)', { Webhook, process: { env }, body, headers });
    };
    for (const headers of [signed(old), signed(fresh), signed(fresh, old), signed(pair, old)]) {
      expect(verify(headers)).toEqual({ type: 'task.completed' });
    }
    expect(() => verify(signed(other))).toThrow('no secret fits');
  });

  it('verifies with a public key alone', () => {
    const verify = (headers: object, raw = body) => {
      const env = { WEBHOOK_PUBLIC_KEY: publicKeyOf(pair) };
      return run('With a public key', 'verified', { ...crypto, process: { env }, body: raw, headers });
    };
    expect(verify(signed(pair))).toBe(true);
    expect(verify(signed(foreign, pair, old))).toBe(true);
    expect(verify(signed(foreign, old))).toBe(false);
    expect(verify(signed(pair), Buffer.from('{}'))).toBe(false);
  });
});
