// The clock on the wall, set while pages run. What counts time by itself (`performance.now`, timers) is not concerned, as
// it is not when a person or a time server sets a clock.

/** Lets the clock of all pages of a browser be set, and that of their stores' workers. To be called before pages are opened. */
export async function settableClock(browser) {
  let shiftMs = 0;
  await browser.context.addInitScript(setClock, { shiftMs: null });
  // Workers know no init scripts.
  await browser.context.route('**/store-worker*.js', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: `(${setClock})({ shiftMs: ${shiftMs} });\n${await answer.text()}` });
  });
  return {
    /** Sets it so many milliseconds off, before or behind, in a page and in all of its site. */
    async set(page, ms) {
      shiftMs = ms;
      await page.evaluate((ms) => {
        localStorage.setItem('clock', String(ms));
        globalThis.clockMs(ms);
        new BroadcastChannel('clock').postMessage(ms);
      }, ms);
    },
  };
}

/** Runs in pages and workers. */
function setClock({ shiftMs }) {
  const isPage = shiftMs === null;
  const RealDate = Date;
  let byMs = shiftMs ?? 0;
  try {
    if (isPage) byMs = Number(localStorage.getItem('clock') ?? 0);
  } catch {
    // An empty page has none.
  }
  globalThis.Date = class extends RealDate {
    constructor(...parts) {
      if (parts.length === 0) super(RealDate.now() + byMs);
      else super(...parts);
    }
    static now() {
      return RealDate.now() + byMs;
    }
  };
  globalThis.clockMs = (ms) => (byMs = ms);
  new BroadcastChannel('clock').onmessage = ({ data }) => (byMs = data);
}
