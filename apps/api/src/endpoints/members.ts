import { z } from 'zod';

type Optional<F extends z.ZodRawShape> = { [K in keyof F]: z.ZodOptional<z.ZodNullable<F[K] & z.ZodType>> };

/** An object of which each member may be left out, or null for its default. */
export function patchOf<F extends Record<string, z.ZodType>>(fields: F): z.ZodObject<Optional<F>, z.core.$strict> {
  const optional = Object.entries(fields).map(([name, field]) => [name, field.nullable().optional()]);
  return z.strictObject(Object.fromEntries(optional) as Optional<F>);
}

/** Sentences of libs/core, which begin with the field (`delaysMs[2] must be …`), as issues at that field. */
export function faultIssues(
  faults: readonly string[],
): { readonly code: 'custom'; readonly message: string; readonly path: (string | number)[] }[] {
  return faults.map((message) => {
    const [, field, index] = /^(\w+)(?:\[(\d+)\])?/.exec(message) ?? [];
    return { code: 'custom', message, path: [field ?? '', ...(index === undefined ? [] : [Number(index)])] };
  });
}
