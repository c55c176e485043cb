import { createHash } from 'node:crypto';
import type { RawRow } from './row.ts';

/** How texts are made even. */
export interface CleanOptions {
  /** Longer texts are cut to this many characters; absent means never. */
  readonly maxCharacters?: number;
  /** Shorter ones are dropped; the default is 1. */
  readonly minCharacters?: number;
}

/** Unicode NFC, no control characters, runs of blanks as one, at most one empty line in a row. */
export function cleanText(text: string): string {
  return text
    .normalize('NFC')
    .replace(/\r\n?/g, '\n')
    .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F\u200B\uFEFF]/g, '') // Control characters, zero-width space, byte order mark.
    .replace(/[^\S\n]+/g, ' ')
    .replace(/ ?\n ?/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** A text without what does not change its meaning: case, punctuation, blanks. Equal keys are duplicates. */
export function duplicateKey(text: string): string {
  return text
    .toLowerCase()
    .replace(/[\p{P}\p{S}\s]+/gu, ' ')
    .trim();
}

/** A row's id: the same text and label have the same. */
export function idOf(text: string, label: string | undefined): string {
  return createHash('sha256')
    .update(`${label ?? ''}\0${text}`)
    .digest('hex')
    .slice(0, 16);
}

/** Rows that were kept and those that were not, with the reason. */
export interface CleanResult {
  readonly rows: readonly RawRow[];
  readonly dropped: readonly { readonly row: RawRow; readonly reason: 'empty' | 'too short' | 'duplicate' }[];
  /** Texts that have two labels: each pair of places. */
  readonly conflicts: readonly { readonly first: RawRow; readonly second: RawRow }[];
}

/** Cleans texts, drops empty ones, and keeps the first of each set of exact duplicates. */
export function cleanRows(
  rows: readonly RawRow[],
  options: CleanOptions & { readonly deduplicate: boolean },
): CleanResult {
  const kept: RawRow[] = [];
  const dropped: { row: RawRow; reason: 'empty' | 'too short' | 'duplicate' }[] = [];
  const conflicts: { first: RawRow; second: RawRow }[] = [];
  const seen = new Map<string, RawRow>();
  for (const raw of rows) {
    const text = cleanText(raw.text).slice(0, options.maxCharacters);
    const row = { ...raw, text };
    if (text === '') dropped.push({ row: raw, reason: 'empty' });
    else if (text.length < (options.minCharacters ?? 1)) dropped.push({ row: raw, reason: 'too short' });
    else {
      const key = duplicateKey(text);
      const first = key === '' ? undefined : seen.get(key);
      if (first !== undefined && first.label !== row.label) conflicts.push({ first, second: row });
      if (first !== undefined && options.deduplicate && first.label === row.label)
        dropped.push({ row, reason: 'duplicate' });
      else kept.push(row);
      if (first === undefined) seen.set(key, row);
    }
  }
  return { rows: kept, dropped, conflicts };
}
