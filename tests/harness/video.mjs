// Videos for tests, encoded by the Chromium that plays them: no large files in the repository, and no codec that it lacks.
//
// Each second has a picture of its own, which says the second in squares, so that a test can tell what is shown.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { root } from './paths.mjs';

/** Squares of a picture: the second's bits, in a row. */
const BITS = 8;

/** `video.webm`; `front.mp4` with its index at the front; `end.mp4` with it at the end. */
const FORMATS = { 'video.webm': 'webm', 'front.mp4': 'front', 'end.mp4': 'end' };

/** Writes one of these into the lab's folder, and returns its path. */
export async function writeVideo(lab, name, { seconds, bytesPerS }) {
  const server = await lab.serve(path.join(root, 'node_modules/mediabunny/dist/bundles'));
  const browser = await lab.chromium();
  const page = await browser.open(`${server.url}/mediabunny.min.mjs`);
  const library = `${server.url}/mediabunny.min.mjs`;
  const base64 = await page.evaluate(encode, { format: FORMATS[name], seconds, bytesPerS, bits: BITS, library });
  const file = path.join(await lab.folder(), name);
  await writeFile(file, Buffer.from(base64, 'base64'));
  await page.close();
  return file;
}

/** Runs in the page. */
async function encode({ format, seconds, bytesPerS, bits, library }) {
  const { BufferTarget, CanvasSource, Mp4OutputFormat, Output, WebMOutputFormat } = await import(library);
  const canvas = new OffscreenCanvas(320, 180);
  const pen = canvas.getContext('2d');
  const framesPerS = 8;
  const source = new CanvasSource(canvas, { codec: 'vp9', bitrate: bytesPerS * 8, bitrateMode: 'constant', keyFrameInterval: 1, latencyMode: 'realtime' });
  const output = new Output({
    format: format === 'webm' ? new WebMOutputFormat() : new Mp4OutputFormat({ fastStart: format === 'front' ? 'in-memory' : false }),
    target: new BufferTarget(),
  });
  output.addVideoTrack(source, { frameRate: framesPerS });
  await output.start();
  const noise = pen.createImageData(320, 120);
  for (let frame = 0; frame < seconds * framesPerS; frame += 1) {
    // What can't be compressed, so that the video has its size.
    for (let at = 0; at < noise.data.length; at += 4096) crypto.getRandomValues(new Uint8Array(noise.data.buffer, at, Math.min(4096, noise.data.length - at)));
    for (let at = 3; at < noise.data.length; at += 4) noise.data[at] = 255;
    pen.putImageData(noise, 0, 60);
    const second = Math.floor(frame / framesPerS);
    for (let bit = 0; bit < bits; bit += 1) {
      pen.fillStyle = (second >> bit) & 1 ? '#fff' : '#000';
      pen.fillRect(bit * 40, 0, 40, 60);
    }
    await source.add(frame / framesPerS, 1 / framesPerS);
  }
  await output.finalize();
  let text = '';
  const bytes = new Uint8Array(output.target.buffer);
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/** Which second a video shows now; runs in a page. */
export function secondShown(video) {
  const canvas = new OffscreenCanvas(320, 180);
  const pen = canvas.getContext('2d');
  pen.drawImage(video, 0, 0, 320, 180);
  let second = 0;
  for (let bit = 0; bit < 8; bit += 1) {
    const [red] = pen.getImageData(bit * 40 + 20, 30, 1, 1).data;
    if (red > 127) second |= 1 << bit;
  }
  return second;
}
