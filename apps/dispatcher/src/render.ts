import { renderStructuredJson, structuredJsonBodyType, type EventEnvelope, type JsonValue } from '#libs/core';

/** What is POSTed, but for what depends on the endpoint's secret and the time. */
export interface Rendered {
  readonly contentType: string;
  /** Further request headers that belong to this form. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const noHeaders: Readonly<Record<string, string>> = Object.freeze({});

/** The default form: CloudEvents structured JSON. Made once per event, and shared by all endpoints that get it. */
export function render(event: EventEnvelope, json: JsonValue): Rendered {
  return {
    contentType: structuredJsonBodyType,
    headers: noHeaders,
    body: renderStructuredJson(event, JSON.stringify(json)),
  };
}
