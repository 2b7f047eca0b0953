import { expect, it } from 'vitest';
import { agentName } from './agent.js';

it.each([
  ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36', 'Chrome 156'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0', 'Edge 156'],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0', 'Firefox 153'],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15', 'Safari 26'],
  ['curl/8', 'Browser'],
])('%s', (userAgent, name) => expect(agentName({ userAgent })).toBe(name));

it('prefers what the browser says outright', () => {
  const brands = [
    { brand: 'Not)A;Brand', version: '8' },
    { brand: 'Chromium', version: '156' },
    { brand: 'Google Chrome', version: '156' },
  ];
  expect(agentName({ userAgent: '', userAgentData: { brands } })).toBe('Chrome 156');
  expect(agentName({ userAgent: '', userAgentData: { brands: brands.slice(0, 2) } })).toBe('Chromium 156');
});
