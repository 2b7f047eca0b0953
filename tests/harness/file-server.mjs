// A web server for the files of one folder, with Range: the site whose bandwidth Pleach spares. It counts what it
// sends, so that a test can say how much was spared.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';

const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.mp4': 'video/mp4',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

export class FileServer {
  /** Each request: `{ method, path, range, status, bytes }`, the last being what was really written. */
  requests = [];

  #folder;
  #server;
  #options;

  /**
   * `bytesPerS` slows each answer down; without `cors` no other site may read it. `spoil` decides how a request is answered
   * badly: 'drip' sends a little of the file and then nothing, 'lie' sends other bytes, 'break' ends the connection.
   */
  static async start(folder, options) {
    const server = new FileServer(folder, options);
    await new Promise((resolve, reject) => server.#server.on('error', reject).listen(0, '127.0.0.1', resolve));
    return server;
  }

  constructor(folder, { bytesPerS = Infinity, cors = true, spoil = () => undefined } = {}) {
    this.#folder = path.resolve(folder);
    this.#options = { bytesPerS, cors, spoil };
    this.#server = http.createServer((request, response) => this.#answer(request, response));
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  get bytesSent() {
    return this.requests.reduce((sum, request) => sum + request.bytes, 0);
  }

  /** Bytes sent of one file. */
  bytesOf(path) {
    return this.requests.filter((request) => request.path === path).reduce((sum, request) => sum + request.bytes, 0);
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.url);
    const record = { method: request.method, path: pathname, range: request.headers.range, status: 0, bytes: 0 };
    this.requests.push(record);
    if (this.#options.cors) {
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.setHeader('Access-Control-Allow-Headers', 'Range');
      response.setHeader('Access-Control-Expose-Headers', 'Content-Length, Content-Range, ETag');
    }
    try {
      await this.#send(request, response, pathname, record);
    } catch {
      // The client went away, as clients do.
      response.destroy();
    }
    record.status = response.statusCode;
  }

  async #send(request, response, pathname, record) {
    if (request.method === 'OPTIONS') return response.writeHead(204).end();
    const spoilt = this.#options.spoil(record);
    if (spoilt === 'break') return response.destroy();
    const file = path.join(this.#folder, decodeURIComponent(pathname).replace(/\/$/, '/index.html'));
    const stats = await stat(file).catch(() => undefined);
    if (!stats?.isFile() || !file.startsWith(this.#folder + path.sep)) return response.writeHead(404).end();

    const range = parseRange(request.headers.range, stats.size);
    if (!range) return response.writeHead(416, { 'Content-Range': `bytes */${stats.size}` }).end();
    const { start, end } = range;
    if (range.partial) response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${stats.size}`);
    response.writeHead(range.partial ? 206 : 200, {
      'Accept-Ranges': 'bytes',
      'Content-Length': end - start,
      'Content-Type': TYPES[path.extname(file)] ?? 'application/octet-stream',
      ETag: `"${stats.size}-${stats.mtimeMs}"`,
    });
    if (request.method === 'HEAD' || end === start) return response.end();
    if (spoilt === 'drip') {
      const little = Buffer.alloc(Math.min(10_000, end - start));
      record.bytes += little.length;
      return response.write(little);
    }
    const content = createReadStream(file, { start, end: end - 1 });
    if (spoilt === 'lie') content.on('data', (chunk) => chunk.fill(7));
    content.on('data', (chunk) => (record.bytes += chunk.length));
    await pipeline(content, (chunks) => paced(chunks, this.#options.bytesPerS), response);
  }
}

/** Chunks no faster than so. */
async function* paced(chunks, bytesPerS) {
  for await (const chunk of chunks) {
    yield chunk;
    if (bytesPerS < Infinity) await setTimeout((chunk.length / bytesPerS) * 1000);
  }
}

/** One range, `bytes=a-b`, `bytes=a-` or `bytes=-n`; undefined when it lies outside. */
function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || match[0] === 'bytes=-') return { start: 0, end: size, partial: false };
  const [, first, last] = match;
  const start = first ? Number(first) : Math.max(0, size - Number(last));
  const end = first && last ? Math.min(size, Number(last) + 1) : size;
  return start < end ? { start, end, partial: true } : undefined;
}
