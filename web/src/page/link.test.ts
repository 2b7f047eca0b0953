import { describe, expect, it } from 'vitest';
import { linkInText, linkOfAddress } from './link.js';

const ID = 'ab'.repeat(32);

it('tells a download from the landing page', () => {
  expect(linkOfAddress(`https://host/${ID}#m1.xyz`)).toBe(`https://host/${ID}#m1.xyz`);
  expect(linkOfAddress(`https://host/prefix/${ID}`)).not.toBeNull();
  expect(linkOfAddress('https://host/')).toBeNull();
  expect(linkOfAddress(`https://host/${ID}/more`)).toBeNull();
});

describe('a pasted text', () => {
  it.each([
    [`https://host/${ID}#m1.x-_Y`, `https://host/${ID}#m1.x-_Y`],
    [`  <https://host/${ID}#m1.xyz> \n`, `https://host/${ID}#m1.xyz`],
    [`https://host/${ID.slice(0, 20)}\n${ID.slice(20)}`, `https://host/${ID}`],
    [`host:8080/${ID}`, `https://host:8080/${ID}`],
    [`host.example/${ID}`, `https://host.example/${ID}`],
    ['https://host/', null],
    [`javascript:alert(1)//${ID}`, null],
    ['', null],
  ])('%j gives %j', (text, link) => expect(linkInText(text)).toBe(link));
});
