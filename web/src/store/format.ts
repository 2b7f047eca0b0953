/**
 * Numbers for people, by the browser's own `Intl`. The words around them are English, so are the numbers, wherever
 * the reader is: "1,4 GB of 2.0 GB" would help nobody.
 */

const LOCALE = 'en';
/** Decimal, as disks and downloads are sold and shown: 1 MB = 1,000,000 bytes. */
const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;

const formats = new Map<string, Intl.NumberFormat>();

function formatUnit(value: number, unit: string, fractionDigits: number): string {
  const key = `${unit} ${fractionDigits}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(LOCALE, {
      style: 'unit',
      unit,
      unitDisplay: unit === 'byte' || unit === 'byte-per-second' ? 'long' : 'short',
      minimumFractionDigits: fractionDigits,
      maximumFractionDigits: fractionDigits,
    });
    formats.set(key, format);
  }
  return format.format(value);
}

/** Picks the unit in which the number has at most three digits before the point, and shows three digits in all. */
function formatBytesAs(bytes: number, suffix: '' | '-per-second'): string {
  let value = Math.max(0, bytes);
  let power = 0;
  // 999.5 would be shown as 1000.
  while (value >= 999.5 && power < BYTE_UNITS.length - 1) {
    value /= 1000;
    power += 1;
  }
  const fractionDigits = power === 0 ? 0 : value < 9.95 ? 1 : 0;
  return formatUnit(value, `${BYTE_UNITS[power]}${suffix}`, fractionDigits);
}

/** `1.4 GB` */
export function formatBytes(bytes: number): string {
  return formatBytesAs(bytes, '');
}

/** `5.2 MB/s` */
export function formatSpeed(bytesPerS: number): string {
  // Below a kilobyte a second, bytes would flicker.
  return bytesPerS < 1000 ? formatUnit(bytesPerS / 1000, 'kilobyte-per-second', 1) : formatBytesAs(bytesPerS, '-per-second');
}

/** `42%`; says 100 only when it is all. */
export function formatPercent(share: number): string {
  return new Intl.NumberFormat(LOCALE, { style: 'percent' }).format(percent(share) / 100);
}

/** Whole percent, rounded down, so that 100 means all. */
export function percent(share: number): number {
  // Tolerates 0.29 * 100 = 28.999….
  return Math.min(100, Math.max(0, Math.floor(share * 100 + 1e-9)));
}

/** `3 min 20 sec`; coarser the longer, so that the text does not run. */
export function formatDuration(seconds: number): string {
  const unit = (value: number, name: 'second' | 'minute' | 'hour' | 'day'): string => formatUnit(value, name, 0);
  const pair = (minor: number, per: number, majorName: 'minute' | 'hour' | 'day', minorName: 'second' | 'minute' | 'hour'): string => {
    const major = Math.floor(minor / per);
    const rest = minor % per;
    return rest === 0 ? unit(major, majorName) : `${unit(major, majorName)} ${unit(rest, minorName)}`;
  };
  if (seconds < 5) return 'a few seconds';
  if (seconds < 57.5) return unit(Math.round(seconds / 5) * 5, 'second');
  if (seconds < 595) return pair(Math.round(seconds / 10) * 10, 60, 'minute', 'second');
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return unit(minutes, 'minute');
  if (minutes < 24 * 60) return pair(Math.round(minutes / 5) * 5, 60, 'hour', 'minute');
  return pair(Math.round(minutes / 60), 24, 'day', 'hour');
}

/** `3 peers`, `1 peer` */
export function formatCount(count: number, one: string, many: string): string {
  return `${new Intl.NumberFormat(LOCALE).format(count)} ${count === 1 ? one : many}`;
}
