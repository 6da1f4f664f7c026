import { describe, expect, it } from 'vitest';
import { AppError } from '../problem/app-error.js';
import { operatorKeyCheck } from './operator-key.js';

const key = 'pk_0123456789abcdef';
const check = operatorKeyCheck(key);

describe('operatorKeyCheck', () => {
  it('takes the key in any spelling of the scheme', () => {
    for (const header of [`Bearer ${key}`, `bearer   ${key} `]) expect(() => check(header)).not.toThrow();
  });

  it.each([undefined, '', 'Bearer', `Basic ${key}`, `Bearer ${key}x`, `Bearer ${key.slice(1)}`])(
    'refuses %s',
    (header) => {
      expect(() => check(header)).toThrow(AppError);
    },
  );

  it('refuses everything where no key is set', () => {
    expect(() => operatorKeyCheck('')('Bearer ')).toThrow(AppError);
  });
});
