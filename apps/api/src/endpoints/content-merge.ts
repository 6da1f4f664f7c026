import { plainContent, type BatchConfig, type EndpointContent } from '#libs/contracts';
import { z } from 'zod';
import { checkBody } from '../problem/check-input.js';
import { batch, compression, defaultBatch, format, headers, transformationId } from './content.dto.js';
import type { CreateEndpointBody, PatchEndpointBody } from './endpoint.dto.js';

/** What of the content is given as it is; versions and filters are looked at elsewhere. */
type Shape = Pick<EndpointContent, 'format' | 'compression' | 'headers' | 'batch' | 'transformationId'>;
type Patch<T> = { readonly [K in keyof T]?: T[K] | null | undefined };

const whole = z
  .object({ format, compression, headers, batch, transformationId: transformationId.nullable() })
  .superRefine((content, context) => {
    if (content.format !== 'binary' || content.batch === null) return;
    const message = 'The format `binary` has no batches (CloudEvents HTTP binding §3.3): choose another, or no batch';
    context.addIssue({ code: 'custom', path: ['batch'], message });
  });

/** JSON merge patch (RFC 7396) of the content; what was merged is checked as a whole. */
export function mergeContent(before: Shape, patch: Pick<CreateEndpointBody | PatchEndpointBody, keyof Shape>): Shape {
  const given = <T>(value: T | null | undefined, was: T, fallback: T): T =>
    value === undefined ? was : (value ?? fallback);
  return checkBody(whole, {
    format: given(patch.format, before.format, plainContent.format),
    compression: given(patch.compression, before.compression, plainContent.compression),
    headers: patch.headers === null ? {} : mergeHeaders(before.headers, patch.headers ?? {}),
    batch: patch.batch === undefined ? before.batch : mergeBatch(before.batch, patch.batch),
    transformationId: given<string | null>(patch.transformationId, before.transformationId, null),
  });
}

/** Names are the same in any case; the patch's spelling is kept until they are checked. */
function mergeHeaders(
  before: Readonly<Record<string, string>>,
  patch: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const named = new Set(Object.keys(patch).map((name) => name.toLowerCase()));
  const kept = Object.entries(before).filter(([name]) => !named.has(name.toLowerCase()));
  const given = Object.entries(patch).filter((entry): entry is [string, string] => entry[1] !== null);
  return Object.fromEntries([...kept, ...given]);
}

function mergeBatch(before: BatchConfig | null, patch: Patch<BatchConfig> | null): BatchConfig | null {
  if (patch === null) return null;
  const base = before ?? defaultBatch;
  const given = (field: keyof BatchConfig): number => {
    const value = patch[field];
    return value === undefined ? base[field] : (value ?? defaultBatch[field]);
  };
  return { maxEvents: given('maxEvents'), maxBytes: given('maxBytes'), maxWaitMs: given('maxWaitMs') };
}
