import { describe, expect, it } from 'vitest';
import { parseConfig } from '#libs/config';
import { withLocalReceivers } from './standalone.js';

const outcome = (env: Record<string, string>) => {
  const warnings: unknown[] = [];
  const { allowHttp, allowedRanges } = withLocalReceivers(parseConfig(env), {
    warn: (text: unknown) => warnings.push(text),
  });
  return { allowHttp, allowedRanges, warnings: warnings.length };
};

describe('withLocalReceivers', () => {
  it('opens loopback and http over the embedded broker, and says so', () => {
    expect(outcome({})).toEqual({ allowHttp: true, allowedRanges: ['127.0.0.0/8', '::1'], warnings: 1 });
  });

  it('opens nothing in a deployment', () => {
    const strict = { allowHttp: false, allowedRanges: [], warnings: 0 };
    expect(outcome({ KAFKA_BROKERS: 'kafka:9092' })).toEqual(strict);
  });

  it('opens nothing more than who runs it says', () => {
    expect(outcome({ POSTHORN_ALLOWED_RANGES: 'none' })).toEqual({
      allowHttp: false,
      allowedRanges: ['none'],
      warnings: 0,
    });
    const own = { POSTHORN_ALLOWED_RANGES: '10.0.0.0/8', POSTHORN_ALLOW_HTTP: 'true' };
    expect(outcome(own)).toEqual({ allowHttp: true, allowedRanges: ['10.0.0.0/8'], warnings: 0 });
  });
});
