// A store of objects that speaks S3, on this machine: a maintained server, with signatures and CORS rules that are checked.
// Objects are put there as every client does it, by signed requests.

import { createHash, createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';

import S3rver from '@20minutes/s3rver';

const BUCKET = 'films';
const REGION = 'us-east-1';
// What the server knows everybody by.
const [KEY_ID, SECRET] = ['S3RVER', 'S3RVER'];

export class ObjectStore {
  /** Each request for an object: `{ method, key, isSigned, range, origin, status, bytes }`. */
  requests = [];

  #store;
  #server;

  /** `cors`: the rules of the bucket, in S3's XML; without any no page of another site may read it. */
  static async start(folder, { cors } = {}) {
    const store = new ObjectStore(folder, cors);
    await store.#store.configureBuckets();
    await new Promise((resolve, reject) => store.#server.on('error', reject).listen(0, '127.0.0.1', resolve));
    return store;
  }

  constructor(folder, cors) {
    const bucket = { name: BUCKET, configs: cors ? [cors] : [] };
    this.#store = new S3rver({ silent: true, directory: folder, configureBuckets: [bucket] });
    const answer = this.#store.callback();
    this.#server = http.createServer((request, response) => {
      this.#note(request, response);
      answer(request, response);
    });
  }

  /** Where an object is for everybody. */
  url(key) {
    return `http://127.0.0.1:${this.#server.address().port}/${BUCKET}/${key}`;
  }

  /** An address that is good for one method, one object and so many seconds, whoever has it (signature version 4). */
  signedUrl(key, { method = 'GET', expiresS = 600, at = new Date() } = {}) {
    const url = new URL(this.url(key));
    const moment = at.toISOString().replace(/[-:]|\.\d+/g, '');
    const scope = `${moment.slice(0, 8)}/${REGION}/s3/aws4_request`;
    const query = {
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Credential': `${KEY_ID}/${scope}`,
      'X-Amz-Date': moment,
      'X-Amz-Expires': String(expiresS),
      'X-Amz-SignedHeaders': 'host',
    };
    const asked = Object.entries(query).map((pair) => pair.map(encodeURIComponent).join('=')).sort().join('&');
    const canonical = [method, url.pathname, asked, `host:${url.host}\n`, 'host', 'UNSIGNED-PAYLOAD'].join('\n');
    const digest = createHash('sha256').update(canonical).digest('hex');
    const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
    const signingKey = scope.split('/').reduce(hmac, `AWS4${SECRET}`);
    const signature = hmac(signingKey, ['AWS4-HMAC-SHA256', moment, scope, digest].join('\n')).toString('hex');
    return `${url.href}?${asked}&X-Amz-Signature=${signature}`;
  }

  /** Puts a file there under its own name. */
  async put(file) {
    const key = path.basename(file);
    const answer = await fetch(this.signedUrl(key, { method: 'PUT' }), { method: 'PUT', body: await readFile(file) });
    if (!answer.ok) throw new Error(`PUT ${key}: ${answer.status} ${await answer.text()}`);
  }

  /** Bytes sent of one object. */
  bytesOf(key) {
    return this.requests.filter((request) => request.key === key).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  #note(request, response) {
    const { pathname, searchParams } = new URL(request.url, 'http://store');
    const record = {
      method: request.method,
      key: pathname.slice(`/${BUCKET}/`.length),
      isSigned: searchParams.has('X-Amz-Signature'),
      range: request.headers.range,
      origin: request.headers.origin,
      status: 0,
      bytes: 0,
    };
    this.requests.push(record);
    const write = response.write.bind(response);
    response.write = (chunk, ...rest) => {
      if (response.statusCode < 300) record.bytes += chunk.length;
      return write(chunk, ...rest);
    };
    response.on('close', () => (record.status = response.statusCode));
  }
}
