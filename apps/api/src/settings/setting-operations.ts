import { z } from 'zod';
import type { Operation } from '../openapi/operation.js';

const value = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]).nullable();

const settingAnswer = z
  .object({
    name: z.string().meta({ description: 'Of the environment variable.', example: 'POSTHORN_API_PORT' }),
    value: value.meta({ description: 'What is in force; null where it is secret.', example: 8_420 }),
    default: value.meta({
      description: 'What it is if nobody says otherwise; null where it is secret.',
      example: 8_420,
    }),
    source: z.enum(['environment', 'default', 'start']).meta({
      description:
        'Where the value comes from; `start`: Posthorn found it itself, as `npm start` does for what it runs.',
      example: 'default',
    }),
    secret: z.boolean().meta({ description: 'Whether its value is told to nobody.', example: false }),
    description: z.string().meta({ example: 'REST API. 0 takes a free port and logs it.' }),
  })
  .meta({ id: 'Setting' });

export type SettingAnswer = z.output<typeof settingAnswer>;

export const settingsOperations = {
  list: {
    id: 'listSettings',
    summary: 'The settings in force',
    description: 'Of the process that answers, as it read them from its environment when it started. Nothing secret.',
    answer: z.object({ data: z.array(settingAnswer) }),
  },
} as const satisfies Record<string, Operation>;
