/** The document as a page: one file, no scripts, nothing loaded from elsewhere. */
import type { OpenApiDocument } from './document.js';
import type { JsonSchema } from './json-schema.js';
import { schemaList } from './page-schema.js';
import { code, escaped, text } from './page-text.js';

export const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; font: 16px/1.5 system-ui, sans-serif }
body { margin: 0; display: grid; grid-template-columns: 17rem minmax(0, 1fr) }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem; box-sizing: border-box; border-right: 1px solid var(--line); font-size: .875rem }
nav ul { list-style: none; padding: 0; margin: 0 0 1rem }
nav a { color: inherit; text-decoration: none }
nav a:hover, nav a:focus { text-decoration: underline }
main { padding: 1rem 2rem; max-width: 60rem }
article { border-top: 1px solid var(--line); padding: 1rem 0 }
h3 { margin: 0 }
h4 { margin: 1rem 0 .25rem }
code, pre { font: .8125rem/1.5 ui-monospace, monospace }
pre { background: var(--soft); padding: .75rem; overflow: auto; border-radius: .25rem }
.method { display: inline-block; min-width: 4.5em; font-weight: 700 }
.type { opacity: .75 }
ul.schema { list-style: none; padding-left: 1rem; border-left: 1px solid var(--line); margin: .25rem 0 }
summary { cursor: pointer }
@media (max-width: 50rem) { body { display: block } nav { position: static; height: auto; border: 0 } }
`;

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly description?: string;
    readonly schema: JsonSchema;
  }[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, Response>>;
}
type Content = Readonly<Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>>;
interface Response {
  readonly $ref?: string;
  readonly description?: string;
  readonly content?: Content;
}
interface Place {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

export function page(document: OpenApiDocument): string {
  const info = document['info'] as { title: string; description: string };
  const tags = document['tags'] as { name: string; description: string }[];
  const places = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Place => ({
      path,
      method,
      operation: operation as unknown as Operation,
    })),
  );
  const of = (tag: string): Place[] => places.filter(({ operation }) => operation.tags[0] === tag);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(info.title)} REST API</title>
<style>${style}</style>
</head>
<body>
<nav aria-label="Routes">${tags.map(({ name }) => `<strong>${escaped(name)}</strong><ul>${of(name).map(link).join('')}</ul>`).join('')}</nav>
<main>
<h1>${escaped(info.title)} REST API</h1>
${info.description
  .split('\n')
  .map((line) => `<p>${text(line)}</p>`)
  .join('')}
<p>The same for programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p>
${tags
  .map(
    ({ name, description }) =>
      `<h2 id="${escaped(name)}">${escaped(name)}</h2><p>${text(description)}</p>${of(name)
        .map((place) => article(place, document))
        .join('')}`,
  )
  .join('\n')}
</main>
</body>
</html>
`;
}

const link = ({ operation }: Place): string =>
  `<li><a href="#${operation.operationId}">${escaped(operation.summary)}</a></li>`;

function article({ path, method, operation }: Place, document: OpenApiDocument): string {
  const { schemas } = document.components;
  const { operationId, summary, description, parameters = [], requestBody } = operation;
  const given = parameters.map(
    (one) =>
      `<li><code>${escaped(one.name)}</code> <span class="type">${one.in}${one.required ? ', required' : ''}</span> ${text(one.description ?? '')}</li>`,
  );
  const bodies = Object.entries(requestBody?.content ?? {});
  return `<article id="${operationId}">
<h3>${escaped(summary)}</h3>
<p><code><span class="method">${method.toUpperCase()}</span>${escaped(path)}</code></p>
${description === undefined ? '' : `<p>${text(description)}</p>`}
${given.length === 0 ? '' : `<h4>Parameters</h4><ul class="schema">${given.join('')}</ul>`}
${
  requestBody === undefined
    ? ''
    : `<h4>Body${requestBody.required ? '' : ', may be left out'}</h4>${bodies
        .slice(0, 1)
        .map((body) => content(body, schemas))
        .join('')}${others(bodies.slice(1))}`
}
<h4>Answers</h4>
${Object.entries(operation.responses)
  .map(([status, one]) => answer(status, one, document))
  .join('')}
</article>
`;
}

const others = (bodies: readonly (readonly [string, unknown])[]): string =>
  bodies.length === 0 ? '' : `<p>Also as ${bodies.map(([type]) => `<code>${escaped(type)}</code>`).join(', ')}.</p>`;

function answer(status: string, one: Response, { components }: OpenApiDocument): string {
  const responses = components['responses'] as Readonly<Record<string, Response>>;
  if (one.$ref !== undefined) {
    const { description = '' } = responses[one.$ref.slice('#/components/responses/'.length)] ?? {};
    return `<p><strong>${status}</strong> ${text(description)}</p>`;
  }
  const contents = Object.entries(one.content ?? {});
  return `<p><strong>${status}</strong> ${text(one.description ?? '')}</p>${contents.map((entry) => content(entry, components.schemas)).join('')}`;
}

function content(
  [type, { schema, example }]: readonly [string, Content[string]],
  schemas: OpenApiDocument['components']['schemas'],
): string {
  return `<details><summary><code>${escaped(type)}</code></summary>${schemaList(schema, schemas)}${example === undefined ? '' : code(example)}</details>`;
}
