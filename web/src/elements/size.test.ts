import { expect, it } from 'vitest';
import { parseQuota } from './quota.js';

it.each([
  ['500MB', 500e6],
  ['2 gb', 2e9],
  ['1.5G', 1.5e9],
  ['0', 0],
  ['', null],
  [null, null],
  ['much', null],
  ['-1GB', null],
  ['2GiB', null],
])('quota="%s" is %s', (value, bytes) => expect(parseQuota(value)).toBe(bytes));
