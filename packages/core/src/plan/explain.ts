import type { FingerprintRecord } from './fingerprint.ts';

/** One field in which two records differ. */
export interface FieldChange {
  /** Such as `params.epochs` or `inputs.dataset`. */
  readonly field: string;
  /** Absent where the record did not have it. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/** What never enters a fingerprint, for `why`. */
export const leftOutOnPurpose: readonly string[] = [
  'times, host, user and absolute paths',
  'resources, retries, timeouts and the number of jobs',
  'the step id and its place in the pipeline, except for the seed',
  'values of secrets',
];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function compare(path: string, before: unknown, after: unknown): readonly FieldChange[] {
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => compare(path === '' ? key : `${path}.${key}`, before[key], after[key]));
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [
    { field: path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) },
  ];
}

/** The fields in which two records differ: what the user set first, then what follows from it. */
export function diffRecords(before: FingerprintRecord, after: FingerprintRecord): readonly FieldChange[] {
  const order = [
    'params',
    'files',
    'environment',
    'inputs',
    'seed',
    'backend',
    'revision',
    'pluginVersion',
    'pluginCode',
    'plugin',
    'outputs',
    'formatVersion',
  ];
  const rank = (change: FieldChange): number => order.indexOf(change.field.split('.')[0] ?? '');
  return [...compare('', before, after)].sort((left, right) => rank(left) - rank(right));
}

const shorten = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
};

/** A change in words. */
export function describeChange(change: FieldChange): string {
  const [area = '', ...rest] = change.field.split('.');
  const name = rest.join('.');
  if (area === 'inputs') return `input ${name} has other content`;
  if (area === 'files') {
    if (change.before === undefined) return `file ${name} is new`;
    return change.after === undefined ? `file ${name} is gone` : `file ${name} has other content`;
  }
  if (area === 'pluginCode' || area === 'pluginVersion' || area === 'revision')
    return 'the plugin itself changed';
  if (change.before === undefined) return `${change.field} is new: ${shorten(change.after)}`;
  if (change.after === undefined) return `${change.field} is gone; it was ${shorten(change.before)}`;
  return `${change.field} changed from ${shorten(change.before)} to ${shorten(change.after)}`;
}
