import { expect, it } from 'vitest';
import manifest from '../../custom-elements.json';
import download from './pleach-download/pleach-download.component.ts?raw';
import kept from './pleach-kept/pleach-kept.component.ts?raw';
import video from './pleach-video/pleach-video.component.ts?raw';

it.each([
  ['pleach-download', download],
  ['pleach-video', video],
  ['pleach-kept', kept],
])('<%s> is described in custom-elements.json as it is', (tagName, source) => {
  const declaration = manifest.modules[0]?.declarations.find((each) => each.tagName === tagName);
  const documented = (tag: string, name: RegExp): string[] => {
    const lines = [...source.matchAll(new RegExp(`^ \\* @${tag} (?:\\{[^}]*\\} )?(.*)$`, 'gm'))];
    return lines.map(([, line]) => name.exec(line ?? '')?.[0] ?? '');
  };
  const names = (list: readonly { readonly name: string }[] = []): string[] => list.map(({ name }) => name);
  const WORD = /^(?!- )[\w-]+|^(?=- )/;
  expect(names(declaration?.attributes)).toEqual(documented('attr', WORD));
  expect(names(declaration?.events)).toEqual(documented('event', WORD));
  expect(names(declaration?.slots)).toEqual(documented('slot', WORD));
  expect(names(declaration?.cssParts)).toEqual(documented('part', WORD));
  expect(names(declaration?.cssProperties)).toEqual(documented('cssproperty', WORD));
});
