/** What program this is, as other people are shown it: `Chrome 156`. Name and major version only, as every site sees. */

interface Brand {
  readonly brand: string;
  readonly version: string;
}

/** The parts of `navigator` that tell. */
export interface NavigatorLike {
  readonly userAgent: string;
  readonly userAgentData?: { readonly brands: readonly Brand[] };
}

/** More telling brands first; Chromium, which all of them name too, last. */
const BRANDS = ['Microsoft Edge', 'Opera', 'Brave', 'Vivaldi', 'Google Chrome', 'Chromium'];

/** In the order in which they must be asked: Edge says that it is Chrome, and Chrome that it is Safari. */
const USER_AGENTS: readonly (readonly [string, RegExp])[] = [
  ['Edge', /Edg(?:e|A|iOS)?\/(\d+)/u],
  ['Opera', /(?:OPR|OPiOS)\/(\d+)/u],
  ['Samsung Internet', /SamsungBrowser\/(\d+)/u],
  ['Firefox', /(?:Firefox|FxiOS)\/(\d+)/u],
  ['Chrome', /(?:Chrome|CriOS)\/(\d+)/u],
  ['Safari', /Version\/(\d+).*Safari\//u],
];

export function agentName({ userAgent, userAgentData }: NavigatorLike): string {
  for (const brand of BRANDS) {
    const found = userAgentData?.brands.find((candidate) => candidate.brand === brand);
    if (found) return `${brand.replace(/^(Google|Microsoft) /u, '')} ${found.version}`;
  }
  for (const [name, pattern] of USER_AGENTS) {
    const version = pattern.exec(userAgent)?.[1];
    if (version) return `${name} ${version}`;
  }
  return 'Browser';
}
