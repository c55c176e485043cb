import { createHash } from 'node:crypto';
import { decodeEntities } from './readers/html.ts';

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

/** Cuts to a length without cutting a character in two. */
function cutText(text: string, length: number | undefined): string {
  if (length === undefined || text.length <= length) return text;
  const isHalf = (text.charCodeAt(length - 1) & 0xfc00) === 0xd800;
  return text.slice(0, isHalf ? length - 1 : length);
}

/** A text made even, or why its row is not kept. */
export function cleanRowText(
  given: string,
  { htmlEntities = false, maxCharacters, minCharacters = 1 }: CleanOptions,
): { readonly text: string } | { readonly reason: 'empty' | 'too short' } {
  const text = cutText(cleanText(htmlEntities ? decodeEntities(given) : given), maxCharacters);
  if (text === '') return { reason: 'empty' };
  return text.length < minCharacters ? { reason: 'too short' } : { text };
}
