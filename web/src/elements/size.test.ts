import { expect, it } from 'vitest';
import { parseSize } from './size.js';

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
])('size="%s" is %s', (value, bytes) => expect(parseSize(value)).toBe(bytes));
