import type { EventAttributes, RenderedEvent } from '#libs/core';
import type { SandboxDone, SandboxFailed, SandboxInput } from './sandbox-job.js';

/** What a transformation is told of an event beside its form. */
export interface TransformedEvent {
  readonly attributes: EventAttributes;
  /** Unix ms: the time of an event without one. */
  readonly acceptedAt: number;
}

/** What a handler is given of a rendered event, whoever runs it. Extensions stand beside the other attributes, as in JSON. */
export function sandboxInput({ attributes, acceptedAt }: TransformedEvent, rendered: RenderedEvent): SandboxInput {
  const { body, headers } = rendered;
  const { extensions, ...own } = attributes;
  const defined = Object.entries({ ...own, ...extensions }).filter(([, value]) => value !== undefined);
  const time = attributes.time === undefined ? Number.NaN : Date.parse(attributes.time);
  return {
    eventType: attributes.type,
    eventId: attributes.id,
    time: Number.isNaN(time) ? acceptedAt : time,
    payload: body.toString('utf8'),
    headers,
    attributes: Object.fromEntries(defined) as SandboxInput['attributes'],
  };
}

/** What a handler has made of it, if it was not cancelled. The handler may have chosen a content type of its own. */
export function transformedEvent(
  before: RenderedEvent,
  { payload, headers: given }: Pick<SandboxDone, 'payload' | 'headers'>,
): RenderedEvent {
  const { 'content-type': contentType, ...headers } = given;
  return { contentType: contentType ?? before.contentType, headers, body: Buffer.from(payload, 'utf8') };
}

/** Why there is nothing to send, in the words of attempts and dead letters. */
export const failureText = ({ code, message, line }: SandboxFailed): string =>
  `${code}: ${message}${line === undefined ? '' : ` (line ${line})`}`;
