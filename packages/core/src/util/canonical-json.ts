/**
 * JSON with keys in code-unit order and without blanks: equal values give equal text.
 *
 * Keys whose value is undefined are left out, as JSON does.
 */
export function formatCanonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error(`Internal error: ${value} has no place in a fingerprint.`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => formatCanonicalJson(item)).join(',')}]`;
  if (typeof value !== 'object')
    throw new Error(`Internal error: a ${typeof value} has no place in a fingerprint.`);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${formatCanonicalJson(item)}`).join(',')}}`;
}
