/** What of the page's own address, and of what people paste, is a share link. */

const PATH = /\/[0-9a-f]{64}$/iu;

/** The link that this address is, or `null` if it is the landing page. */
export function linkOfAddress(address: string): string | null {
  return PATH.test(new URL(address).pathname) ? address : null;
}

/** The link in what was pasted, which may have lost its scheme or gained spaces and marks; `null` if there is none. */
export function linkInText(text: string): string | null {
  const bare = text.replace(/\s+/gu, '').replace(/^[<("'“]+|[>)"'”.,;]+$/gu, '');
  for (const candidate of [bare, `https://${bare}`]) {
    const url = URL.canParse(candidate) ? new URL(candidate) : null;
    if (url && /^https?:$/u.test(url.protocol) && PATH.test(url.pathname)) return url.href;
  }
  return null;
}
