
/** What a `PleachPeer` is made of. */
export interface PeerOptions {
  /** The manifest's bytes, as they were fetched. */
  manifest: Uint8Array;
  /**
   * Where the tracker is: `wss://…` (or `ws://…`; `https://…` and `http://…` mean the same). Without one nobody is met,
   * and all comes from web servers.
   */
  trackerUrl?: string | null | undefined;
  /** Where the manifest came from, if it came from the web: the content may lie beside it. */
  manifestUrl?: string | undefined;
  /** Addresses, http or https, that have the content's bytes beside those that the manifest leads to. */
  sources?: string[] | undefined;
  /** Bytes a second to take from each web server at most; 0 takes none, `null` has no limit (the default). */
  sourceLimit?: number | null | undefined;
  /** Where the content is kept. */
  store: Store;
  /** What an earlier run noted by `Store.appendRecord`. Nothing of it is believed before it is checked. */
  record?: Uint8Array | undefined;
  /** How many children it feeds at most, in all stripes together; 0 takes only. Default 64. */
  slots?: number | undefined;
  /** Payload bytes a second to upload at most; 0 uploads nothing, `null` has no limit (the default). */
  uploadLimit?: number | null | undefined;
  /** What program this is, for people. */
  agent?: string | undefined;
  /** Hears what happens. It may call the peer's methods. */
  onEvent: (event: PeerEvent) => void;
}

/** Where content is kept. Offsets and lengths are in bytes of the content. */
export interface Store {
  /**
   * Keeps bytes. They are lent, from the engine's own memory: they must be copied before the call returns its promise
   * and before anything of the engine is called. A rejection stops the peer.
   */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Gives back what was written; fewer bytes where the store ends. They are copied at once. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Appends to the record that the next run is given; `bytes` are lent too. Losing the end of it does no harm. */
  appendRecord(bytes: Uint8Array): void;
}

/** Bytes that are wanted before others. */
export interface Want {
  /** The first byte. */
  start: number;
  /** One past the last. */
  end: number;
  /** How fast they will be used up, from the first on, beginning now; `null`: all at once. */
  bytesPerS: number | null;
}

/** What a peer tells at once; all else is in `PeerStats`. */
export type PeerEvent =
  | { type: "resumed"; bytes: number }
  /** Bytes that are wanted (`want`) can be read: they are verified and written. */
  | { type: "came"; start: number; end: number }
  /** All bytes of a descriptor can be read: see `ManifestInfo`. Those that an earlier run left come after `resumed`. */
  | { type: "descriptor"; index: number }
  | { type: "complete" }
  | { type: "linkUp"; link: number; peer: string }
  | { type: "linkDown"; link: number; peer: string; reason: string }
  | { type: "peerLied"; peer: string }
  | { type: "trackerUp" }
  /** `retryMs` is null where the tracker refused for good. Links go on all the same. */
  | { type: "trackerDown"; reason: string; retryMs: number | null }
  /** It cannot go on; `stopped` follows. */
  | { type: "failed"; failure: "store" | "contentChanged" | "refused"; message: string }
  /** All is closed. Nothing follows. */
  | { type: "stopped" };

/** What a peer is doing. */
export type PeerPhase = "checking" | "searching" | "downloading" | "seeding" | "stopped";

/** A snapshot, cheap enough to ask for several times a second. */
export interface PeerStats {
  /** The content's id. */
  content: string;
  /** What this peer is called in the swarm. */
  peer: string;
  phase: PeerPhase;
  /** Verified bytes. */
  haveBytes: number;
  /** Bytes of the whole. */
  sizeBytes: number;
  /** Verified payload received since the start. */
  receivedBytes: number;
  /** Payload sent since the start. */
  sentBytes: number;
  /** Payload received that was not needed or was bad. */
  wastedBytes: number;
  /** Bytes of messages sent that are no payload. */
  controlBytes: number;
  /** Verified payload received a second, lately. */
  downBytesPerS: number;
  /** Payload sent a second, lately. */
  upBytesPerS: number;
  trackerUp: boolean;
  /** Peers in the swarm, this one among them. */
  swarmPeers: number;
  /** Of these, how many have everything. */
  swarmSeeders: number;
  /** The open links, at most 64. */
  links: PeerLinkStats[];
  /** The web servers that have the content, at most 16. */
  sources: PeerSourceStats[];
}

/** One web server that has the content. */
export interface PeerSourceStats {
  url: string;
  /** `resting`: it was busy or out of reach, and is asked again; `unfit`: it is of no use. */
  state: "idle" | "fetching" | "resting" | "unfit";
  /** Verified bytes that came from it. */
  receivedBytes: number;
  downBytesPerS: number;
  /** What went wrong there last, if something did since bytes came. */
  trouble: string | null;
}

/** One open link. */
export interface PeerLinkStats {
  link: number;
  /** The far end's id. */
  peer: string;
  /** What program the far end says it is; empty until it has said so. */
  agent: string;
  /** What the far end is to this peer. */
  role: "parent" | "child" | "lateral";
  /** How many stripes it pushes to this peer. */
  stripesDown: number;
  /** How many stripes this peer pushes to it. */
  stripesUp: number;
  packetsHeld: number;
  receivedBytes: number;
  sentBytes: number;
  downBytesPerS: number;
  upBytesPerS: number;
  /** Round trip of a message; includes what waits in buffers. */
  roundTripMs: number | null;
}

/** What a manifest says. Names are a stranger's: show them as text only. */
export interface ManifestInfo {
  /** The content's id: BLAKE3, 64 hexadecimal digits. */
  id: string;
  /** The manifest's own digest, as a link tells it. */
  digest: string;
  name: string;
  /** Bytes of the whole. */
  sizeBytes: number;
  /** Where the content is one file and its author told. */
  mediaType: string | null;
  /** In the order in which their bytes make up the content; at least one. */
  files: { path: string; sizeBytes: number; mediaType: string | null }[];
  /** What opens the files if they are packed: nothing, the link's key, or a password; `null` if they are not. */
  packed: "open" | "key" | "password" | null;
  /** Parts of which any subset is useful: stretches of `length` bytes, `count` of them, each `every` bytes after the last. */
  descriptors: { name: string | null; runs: { start: number; length: number; count: number; every: number }[] }[];
  /** When it is to be had, in milliseconds since 1970, by the clock of whoever reads: to be looked at before a peer is made. */
  activeFromMs: number | null;
  activeUntilMs: number | null;
  trackers: string[];
  /** Where the bytes can be had by HTTP. */
  sources: string[];
  /** Where their hash list can be had. */
  hashes: string[];
}

/** Where a link leads. */
export interface LinkInfo {
  /** The content's id. */
  id: string;
  manifestUrl: string;
  trackerUrl: string;
  /** What `parseManifest` is to hold the manifest to, if the link tells. */
  manifestDigest: string | null;
  /** What opens encrypted content. For nobody but the page. */
  key: string | null;
}
