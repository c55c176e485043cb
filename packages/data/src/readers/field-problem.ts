/** Something wrong inside one row; `field` is a JSON pointer. */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** A value as messages show it, in short. */
export function describeValue(value: unknown): string {
  const text = value === undefined ? undefined : JSON.stringify(value);
  if (text === undefined) return 'missing';
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** True for a JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON pointer of a field (RFC 6901). */
export function pointerTo(field: string): string {
  return `/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** A list or object that a file without nested values, such as CSV, holds as JSON; anything else as it is. */
export function parseNested(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown; // Anything may be in it.
  } catch {
    return value;
  }
}
