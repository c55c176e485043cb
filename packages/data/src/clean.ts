import { createHash } from 'node:crypto';
import { decodeEntities } from './readers/html.ts';
import type { RawRow } from './row.ts';

/** How texts are made even. */
export interface CleanOptions {
  /** Longer texts are cut to this many characters; absent means never. */
  readonly maxCharacters?: number;
  /** Shorter ones are dropped; the default is 1. */
  readonly minCharacters?: number;
  /** `&amp;` and its like become characters; the default is false. */
  readonly htmlEntities?: boolean;
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

/** Why a row was not kept. */
export type DropReason = 'empty' | 'too short' | 'duplicate';

/** Rows that were kept and those that were not, with the reason. */
export interface CleanResult {
  readonly rows: readonly RawRow[];
  readonly dropped: readonly {
    readonly row: RawRow;
    readonly reason: DropReason;
    /** The row that a duplicate repeats. */
    readonly first?: RawRow;
  }[];
  /** Texts that have two labels: each pair of places. */
  readonly conflicts: readonly { readonly first: RawRow; readonly second: RawRow }[];
}

/** Cuts to a length without cutting a character in two. */
function cutText(text: string, length: number | undefined): string {
  if (length === undefined || text.length <= length) return text;
  const isHalf = (text.charCodeAt(length - 1) & 0xfc00) === 0xd800;
  return text.slice(0, isHalf ? length - 1 : length);
}

const splitRank = (row: RawRow): number => (row.split === 'test' ? 2 : row.split === 'validation' ? 1 : 0);

/**
 * Cleans texts, drops empty ones, and keeps one of each set of exact duplicates: the first, or the one in a
 * split that judges, so that what is left for training repeats nothing that is tested.
 */
export function cleanRows(
  rows: readonly RawRow[],
  options: CleanOptions & { readonly deduplicate: boolean },
): CleanResult {
  const dropped: { row: RawRow; reason: DropReason; first?: RawRow }[] = [];
  const conflicts: { first: RawRow; second: RawRow }[] = [];
  const kept = new Set<RawRow>();
  const seen = new Map<string, RawRow[]>();
  for (const raw of rows) {
    const decoded = options.htmlEntities === true ? decodeEntities(raw.text) : raw.text;
    const text = cutText(cleanText(decoded), options.maxCharacters);
    if (text === '') {
      dropped.push({ row: raw, reason: 'empty' });
      continue;
    }
    if (text.length < (options.minCharacters ?? 1)) {
      dropped.push({ row: raw, reason: 'too short' });
      continue;
    }
    const row = { ...raw, text };
    const key = duplicateKey(text) || text;
    const others = seen.get(key) ?? [];
    const twin = others.find((other) => other.label === row.label);
    const other = others[0];
    if (twin === undefined && other !== undefined) conflicts.push({ first: other, second: row });
    if (twin !== undefined && options.deduplicate) {
      const [stays, goes] = splitRank(row) > splitRank(twin) ? [row, twin] : [twin, row];
      kept.delete(goes);
      kept.add(stays);
      dropped.push({ row: goes, reason: 'duplicate', first: stays });
      seen.set(key, [...others.filter((item) => item !== goes && item !== stays), stays]);
    } else {
      kept.add(row);
      seen.set(key, [...others, row]);
    }
  }
  return { rows: [...kept], dropped, conflicts };
}
