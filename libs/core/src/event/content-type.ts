/** What a content type means to us. */
export type ContentKind = 'avro' | 'json' | 'structured-json' | 'batched-json' | 'other';

/** Sorts a content type by its media type; JSON in another charset than UTF-8 is `other`. */
export function contentKind(contentType: string): ContentKind {
  // The common ones as they are, before any cutting.
  if (contentType === 'application/avro') return 'avro';
  if (contentType === 'application/json') return 'json';
  const end = contentType.indexOf(';');
  const media = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
  if (media === 'application/avro') return 'avro';
  if (!isUtf8(end < 0 ? '' : contentType.slice(end + 1))) return 'other';
  if (media === 'application/cloudevents-batch+json') return 'batched-json';
  if (media === 'application/cloudevents+json') return 'structured-json';
  if (media.startsWith('application/cloudevents')) return 'other';
  return media === 'application/json' || media === 'text/json' || media.endsWith('+json') ? 'json' : 'other';
}

function isUtf8(parameters: string): boolean {
  for (const parameter of parameters.split(';')) {
    const [name = '', value = ''] = parameter.split('=', 2);
    if (name.trim().toLowerCase() !== 'charset') continue;
    const charset = value.trim().replaceAll('"', '').toLowerCase();
    if (charset !== 'utf-8' && charset !== 'utf8' && charset !== 'us-ascii') return false;
  }
  return true;
}
