/**
 * Four entries, one build: the pages (`index.html`, `kept.html`) and the library (`pleach.js`, a stable name that sites
 * include) share their parts under `assets/`; the service worker (`pleach-sw.js`) is one file that shares nothing. All paths are relative, so that both work at any place of any host.
 */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

/** What sites name in their pages. */
const STABLE_NAMES = new Set(['pleach', 'pleach-sw']);

const ENGINE = fileURLToPath(new URL('./pkg/pleach_browser.js', import.meta.url));

/** What the page may do, wherever it is served. A tracker may lie anywhere, so connections go anywhere. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "frame-src 'self' blob:",
  'connect-src http: https: ws: wss:',
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

function engineMustBeBuilt(): Plugin {
  return {
    name: 'pleach:engine-must-be-built',
    apply: 'build',
    buildStart() {
      if (!existsSync(ENGINE)) this.error('web/pkg is missing: the engine is built first, by `cargo xtask build`.');
    },
  };
}

function contentSecurityPolicy(): Plugin {
  return {
    name: 'pleach:content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: CONTENT_SECURITY_POLICY }, injectTo: 'head-prepend' },
    ],
  };
}

/** A site may take the service worker into its own by `importScripts`: no name of ours may be one of its globals. */
function serviceWorkerKeepsItsNames(): Plugin {
  return {
    name: 'pleach:service-worker-keeps-its-names',
    apply: 'build',
    renderChunk: (code, { name }) => (name === 'pleach-sw' ? { code: `(() => {\n${code}\n})();\n`, map: null } : null),
  };
}

export default defineConfig({
  base: './',
  plugins: [engineMustBeBuilt(), contentSecurityPolicy(), serviceWorkerKeepsItsNames()],
  worker: { format: 'es' },
  build: {
    target: ['chrome111', 'firefox114', 'safari16.4'],
    // Everything is a file of its own, so that the policy needs no exceptions.
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: {
      input: { page: 'index.html', kept: 'kept.html', pleach: 'src/pleach.ts', 'pleach-sw': 'src/playing/service-worker.ts' },
      preserveEntrySignatures: 'exports-only',
      output: {
        entryFileNames: ({ name }) => (STABLE_NAMES.has(name) ? '[name].js' : 'assets/[name]-[hash].js'),
      },
    },
  },
});
