/** Starts a worker of ours, which may lie on another host, as it does when a site embeds the elements. */
export function startWorker(url: string | URL, name: string): Worker {
  const { href, origin } = new URL(url, location.href);
  if (origin === location.origin) return new Worker(href, { type: 'module', name });
  // A worker must be of the page's own origin; what it imports need not be.
  const bridge = URL.createObjectURL(new Blob([`import ${JSON.stringify(href)};`], { type: 'text/javascript' }));
  const worker = new Worker(bridge, { type: 'module', name });
  // The worker has begun to load, which is all that the URL was for.
  setTimeout(() => URL.revokeObjectURL(bridge), 10_000);
  return worker;
}
