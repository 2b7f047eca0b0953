/** How the player looks. */

export const PLAYER_CSS = `
.player { display: grid; gap: .5rem; }
.stage { display: grid; border-radius: 12px; overflow: hidden; background: #000; }
.stage:empty { display: none; }
.stage video { display: block; width: 100%; max-height: 70vh; aspect-ratio: 16 / 9; background: #000; }
.stage audio { width: 100%; background: var(--_ground); }
.stage img { display: block; max-width: 100%; max-height: 80vh; margin: 0 auto; }
.stage iframe { width: 100%; height: min(75vh, 60rem); border: 0; background: #fff; }
.player-head { display: flex; gap: .5rem 1rem; align-items: center; justify-content: space-between; }
.player-name { font-size: .9375rem; font-weight: 600; overflow-wrap: anywhere; }
.player-word { color: var(--_muted); font-size: .9375rem; }
.player-word:empty { display: none; }
.player .quiet { min-height: 2.25rem; padding: .125rem .875rem; font-size: .9375rem; }
`;
