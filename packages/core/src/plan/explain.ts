import { formatCanonicalJson } from '../util/canonical-json.ts';
import { diffWords, formatWordDiff, plainMarks } from '../util/word-diff.ts';
import type { WordMarks } from '../util/word-diff.ts';
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

/** As a fingerprint sees it: the order of keys does not count. */
const isSame = (before: unknown, after: unknown): boolean =>
  before === after ||
  (before !== undefined && after !== undefined && formatCanonicalJson(before) === formatCanonicalJson(after));

function compare(path: string, before: unknown, after: unknown): readonly FieldChange[] {
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => compare(path === '' ? key : `${path}.${key}`, before[key], after[key]));
  }
  // A list of objects whose length stays is told by what differs inside of them.
  if (
    Array.isArray(before) &&
    Array.isArray(after) &&
    before.length === after.length &&
    before.some(isObject)
  )
    return before.flatMap((item, index) => compare(`${path}.${index}`, item, after[index]));
  if (isSame(before, after)) return [];
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

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Longer values are not told whole. */
const maxLength = 40;

const shorten = (value: unknown): string => {
  const text = textOf(value);
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
};

/** A change in words; of a long text, such as a shell command, the words that differ. */
export function describeChange(change: FieldChange, marks: WordMarks = plainMarks): string {
  const [area = '', ...rest] = change.field.split('.');
  const name = rest.join('.');
  const { before, after } = change;
  if (area === 'inputs') {
    if (before === undefined) return `input ${name} is new`;
    return after === undefined ? `input ${name} is gone` : `input ${name} has other content`;
  }
  if (area === 'files') {
    if (before === undefined) return `file ${name} is new`;
    return after === undefined ? `file ${name} is gone` : `file ${name} has other content`;
  }
  if (area === 'pluginVersion')
    return `the plugin's version changed from ${shorten(before)} to ${shorten(after)}`;
  if (area === 'pluginCode' || area === 'revision') return "the plugin's code changed";
  if (before === undefined) return `${change.field} is new: ${shorten(after)}`;
  if (after === undefined) return `${change.field} is gone; it was ${shorten(before)}`;
  const texts = [textOf(before), textOf(after)] as const;
  if (Math.max(...texts.map((text) => text.length)) > maxLength)
    return `${change.field} changed: ${formatWordDiff(diffWords(...texts), marks)}`;
  return `${change.field} changed from ${texts[0]} to ${texts[1]}`;
}
