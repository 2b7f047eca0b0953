/** Words for who carries a download: peers, web servers, or both. */

import { formatBytes, formatCount, formatSpeed } from './format.js';
import type { DownloadState, WebServer } from './state.js';

/** One line of the list of carriers. */
export interface PeerLine {
  readonly id: string;
  readonly program: string;
  readonly role: string;
  /** Its share of what all carriers brought, 0 to 1. */
  readonly share: number;
  readonly brought: string;
  readonly given: string;
  readonly speed: string;
}

/** `3 peers`, `the web server`, `3 peers and the web server`; empty if nobody is there. */
export function carriersOf({ links, webServers }: Pick<DownloadState, 'links' | 'webServers'>): string {
  const sending = links.filter((link) => link.downBytesPerS > 0).length;
  const serving = webServers.filter(({ downBytesPerS }) => downBytesPerS > 0).length;
  const peers = links.length > 0 && (sending > 0 || serving === 0) ? [formatCount(sending || links.length, 'peer', 'peers')] : [];
  const servers = serving === 0 ? [] : [serving === 1 ? 'the web server' : `${serving} web servers`];
  return [...peers, ...servers].join(' and ');
}

const DOING: Record<WebServer['state'], string> = {
  idle: 'brings what nobody else does',
  fetching: 'brings what nobody else does',
  resting: 'is asked again in a while',
  unfit: 'is not used',
};

/** A line for each web server that brought something or is of use. */
export function webServerLines(servers: readonly WebServer[], totalBytes: number): PeerLine[] {
  const shown = servers.filter((server) => server.receivedBytes > 0 || server.state === 'fetching');
  return shown.map((server) => ({
    id: server.url,
    program: `Web server ${hostOf(server.url)}`,
    role: DOING[server.state],
    share: totalBytes > 0 ? server.receivedBytes / totalBytes : 0,
    brought: server.receivedBytes > 0 ? `brought ${formatBytes(server.receivedBytes)}` : '',
    given: '',
    speed: server.downBytesPerS > 0 ? formatSpeed(server.downBytesPerS) : '',
  }));
}

/** What is wrong with web servers that could be of use, in their order; empty if nothing is. */
export function webTrouble(servers: readonly WebServer[]): string {
  return servers.flatMap(({ url, trouble }) => (trouble ? [`${hostOf(url)}: ${trouble}`] : [])).join('; ');
}

/** A stranger wrote the address: no more of it than a host has. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}
