import { z } from 'zod';

/** The fields that a caller may choose of an answer: of a list, those of its entries. Null: it has no fixed ones. */
export function fieldsOf(answer: z.ZodType): readonly string[] | null {
  if (!(answer instanceof z.ZodObject)) return null;
  const { data } = answer.shape as Record<string, z.ZodType | undefined>;
  if (data instanceof z.ZodArray) return fieldsOf(data.element as z.ZodType);
  return Object.keys(answer.shape as object);
}
