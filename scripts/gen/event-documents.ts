/** `docs/events`: the events of `schemas/events` as documents for those who receive them. */
import { asyncApiDocument, openApiDocument, type DocumentedType } from '#libs/event-documents';
import { exampleOf, jsonShapeOf, readEventFolder, readEventMeta } from '#libs/schema-codec';

const info = { title: 'Events of the project management example', version: '1.0.0' };

/** @returns the generated files, paths relative to the project's root; their layout is Prettier's */
export async function eventDocuments(folder: string): Promise<{ path: string; document: object }[]> {
  const types = await documentedTypes(folder);
  return [
    { path: 'docs/events/asyncapi.json', document: asyncApiDocument(types, info) },
    { path: 'docs/events/openapi.json', document: openApiDocument(types, info) },
  ];
}

async function documentedTypes(folder: string): Promise<DocumentedType[]> {
  const [types, metas] = [await readEventFolder(folder), await readEventMeta(folder)];
  return [...types]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, files]): DocumentedType => {
      const meta = metas.get(type);
      const newest = files.at(-1)?.node;
      return {
        type,
        description: newest?.kind === 'record' ? newest.doc : null,
        deprecated: meta?.status === 'deprecated' ? { since: meta.since, successor: meta.successor } : null,
        versions: files.map(({ version, node }) => {
          const examples = meta?.examples.get(version) ?? [];
          return { version, shape: jsonShapeOf(node), examples: examples.length > 0 ? examples : [exampleOf(node)] };
        }),
      };
    });
}
