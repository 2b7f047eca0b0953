// A folder as a content: its files' bytes one after the other, seeded as one, under a manifest that tells where each is.

import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

import { seed } from './pleach.mjs';

/**
 * Seeds files as a folder; `files` are `{ path, file }`, the path in the folder and where its bytes are. Returns the
 * process, the link, and what the manifest says of the files.
 */
export async function seedFolder(lab, name, files, address, args = []) {
  const whole = path.join(await lab.folder(), `${name}.whole`);
  for (const { file } of files) await pipeline(createReadStream(file), createWriteStream(whole, { flags: 'a' }));
  const { process, link } = await seed(lab, whole, address, args);
  const { pathname } = new URL(link);
  const entries = await Promise.all(files.map(async (entry) => ({ path: entry.path, size_bytes: (await stat(entry.file)).size })));
  const manifest = { pleach: 1, id: pathname.slice(1), size_bytes: (await stat(whole)).size, name, files: entries };
  const answer = await fetch(`http://${address}${pathname}.pleach`, { method: 'PUT', body: JSON.stringify(manifest) });
  if (!answer.ok) throw new Error(`the tracker did not take the manifest: ${await answer.text()}`);
  const { digest } = await answer.json();
  const promise = Buffer.from(digest, 'hex').toString('base64url');
  return { process, link: `http://${address}${pathname}#m1.${promise}`, files: entries };
}
