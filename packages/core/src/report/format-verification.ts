import type { FileDifference, ValueDifference } from '../events/event.ts';
import type { StepVerification } from '../runs/run-record.ts';
import { formatBytes, formatNumber } from './format-numbers.ts';

/** What running a step once more has shown, in a few words. */
export function formatVerdict({ differing }: StepVerification): string {
  if (differing === 0) return 'same: run once more, it gave exactly what is stored';
  return `not reproducible: run once more, it gave ${differing === 1 ? 'one other file' : `${differing} other files`}; the stored result stays`;
}

/** What differs, a line each; those of one file stand below it, indented. */
export function formatDifferences({ differences, differing }: StepVerification): readonly string[] {
  const lines = differences.flatMap((file) => [
    describeFile(file),
    ...lookInside(file).map((line) => `  ${line}`),
  ]);
  const more = differing - differences.length;
  return more > 0 ? [...lines, `and ${more} more ${more === 1 ? 'file' : 'files'}`] : lines;
}

function describeFile({ port, path, before, after }: FileDifference): string {
  const name = path === '' ? port : `${port}/${path}`;
  if (before === undefined) return `${name} is new: ${formatBytes(after?.sizeBytes ?? 0)}`;
  if (after === undefined) return `${name} is gone: ${formatBytes(before.sizeBytes)}`;
  if (before.digest === after.digest) return `${name} has other permissions`;
  const [old, now] = [formatBytes(before.sizeBytes), formatBytes(after.sizeBytes)];
  return `${name} differs: ${before.sizeBytes === after.sizeBytes ? `${old} in both` : `${old} → ${now}`}`;
}

function lookInside({ line, values = [], valueCount = 0 }: FileDifference): readonly string[] {
  const more = valueCount - values.length;
  const told = [...values.map(describeValue), ...(more > 0 ? [`and ${more} more`] : [])];
  if (line === undefined) return told;
  const { number, before, after } = line;
  const place = `line ${number}:`;
  if (before === undefined) return [`${place} is new: ${after ?? ''}`];
  if (after === undefined) return [`${place} is gone: ${before}`];
  return [`${place} ${before}`, `${' '.repeat(place.length - 2)}→ ${after}`];
}

const maxLength = 60;

function formatValue(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
}

function describeValue({ key, before, after }: ValueDifference): string {
  if (before === undefined) return `${key} is new: ${formatValue(after)}`;
  if (after === undefined) return `${key} is gone: ${formatValue(before)}`;
  const change =
    typeof before === 'number' && typeof after === 'number'
      ? ` (${after > before ? '+' : ''}${formatNumber(after - before)})`
      : '';
  return `${key} ${formatValue(before)} → ${formatValue(after)}${change}`;
}
