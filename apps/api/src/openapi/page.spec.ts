import { describe, expect, it } from 'vitest';
import { apiDocument } from '../index.js';
import type { OpenApiDocument } from './document.js';
import { page } from './page.js';

const document = apiDocument();
const html = page(document);
const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));

describe('the page of the API', () => {
  it('has every operation, and a link to each', () => {
    for (const { operationId } of operations) {
      expect(html).toContain(`<article id="${String(operationId)}">`);
      expect(html).toContain(`href="#${String(operationId)}"`);
    }
    expect(html.match(/<article /g)).toHaveLength(operations.length);
  });

  it('loads and runs nothing', () => {
    expect(html).not.toMatch(/<script|<link|<img|<iframe|javascript:| on\w+=| src=| style=/i);
  });

  it('takes no text for markup', () => {
    const odd: OpenApiDocument = JSON.parse(
      JSON.stringify(document).replaceAll('Make a tenant', '<b>&\\"'),
    ) as OpenApiDocument;
    expect(page(odd)).toContain('<h3>&lt;b&gt;&amp;&quot;</h3>');
  });

  it('names fields with their types, whether they may be left out, and what they mean', () => {
    expect(html).toContain(
      '<li><code>maxInFlight</code> <span class="type">integer, optional</span> POSTs on their way to it at once.',
    );
    expect(html).toContain(
      '<code>ordering</code> <span class="type">&quot;none&quot;, &quot;key&quot;, &quot;endpoint&quot;',
    );
  });
});
