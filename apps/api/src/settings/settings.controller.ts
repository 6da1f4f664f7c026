import { Controller, Get, Inject } from '@nestjs/common';
import { effectiveSettings, type Config } from '#libs/config';
import { CONFIG } from '#libs/platform';
import { Needs } from '../access/needs.js';
import { Documented } from '../openapi/operation.js';
import { settingsOperations, type SettingAnswer } from './setting-operations.js';

@Controller('v1/settings')
export class SettingsController {
  readonly #data: readonly SettingAnswer[];

  constructor(@Inject(CONFIG) config: Config) {
    // It is read once, when the process starts.
    this.#data = effectiveSettings(config).map(({ sentence: description, fallback, value, ...same }) => ({
      ...same,
      value: plain(value),
      default: plain(fallback),
      description,
    }));
  }

  @Documented(settingsOperations.list)
  @Get()
  @Needs('settings:read')
  list(): { data: readonly SettingAnswer[] } {
    return { data: this.#data };
  }
}

const plain = (value: string | number | boolean | readonly string[] | null): SettingAnswer['value'] =>
  typeof value === 'object' && value !== null ? [...value] : value;
