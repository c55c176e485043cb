const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `30s`, `10m` or a number of seconds; undefined for anything else. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return value >= 0 ? value * 1000 : undefined;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(value) : null;
  return match === null ? undefined : Number(match[1]) * (unitsMs[match[2] ?? ''] ?? 1);
}

const powers = ['', 'K', 'M', 'G', 'T'];

/** Bytes of `4GB` (of 1000) or `4GiB` (of 1024), or a number as it is; undefined for anything else. */
export function parseSize(value: unknown): number | undefined {
  if (typeof value === 'number') return value >= 0 ? value : undefined;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B$/.exec(value) : null;
  if (match === null) return undefined;
  const base = match[3] === 'i' ? 1024 : 1000;
  return Math.round(Number(match[1]) * base ** powers.indexOf(match[2] ?? ''));
}
