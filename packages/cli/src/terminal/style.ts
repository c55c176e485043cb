import { stripVTControlCharacters } from 'node:util';

/** Ways to set text off. */
export interface Style {
  /** False where the functions leave text as it is. */
  readonly isColored: boolean;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/** True when a stream shows colours: a terminal, unless NO_COLOR is set; FORCE_COLOR wins. */
export function hasColor(stream: { readonly isTTY: boolean }): boolean {
  if (process.env['FORCE_COLOR'] !== undefined && process.env['FORCE_COLOR'] !== '0') return true;
  return stream.isTTY && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
}

/** Colours where the stream shows them, else plain text. */
export function makeStyle(isColored: boolean): Style {
  const wrap = (open: number, close: number) => (text: string) =>
    isColored && text !== '' ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return {
    isColored,
    bold: wrap(1, 22),
    dim: wrap(2, 22),
    red: wrap(31, 39),
    green: wrap(32, 39),
    yellow: wrap(33, 39),
    cyan: wrap(36, 39),
  };
}

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}]/u;

/** Columns that a text takes in a terminal; colour codes take none, Hangul and other wide characters two. */
export function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].reduce(
    (sum, character) => sum + (wide.test(character) ? 2 : 1),
    0,
  );
}

/** A text filled with blanks to a width. */
export function padTo(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/** A text without colour codes, cut to a width with an ellipsis. */
export function fitTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let result = '';
  for (const character of stripVTControlCharacters(text)) {
    if (widthOf(result) + widthOf(character) > width - 1) break;
    result += character;
  }
  return `${result}…`;
}

/** A text without colour codes, cut to a width in its middle: names that differ at the end still do. */
export function fitMiddle(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const characters = [...stripVTControlCharacters(text)];
  const take = (from: readonly string[], limit: number): string => {
    let used = 0;
    const end = from.findIndex((character) => (used += widthOf(character)) > limit);
    return (end === -1 ? from : from.slice(0, end)).join('');
  };
  const head = take(characters, Math.floor((width - 1) / 2));
  const tail = take(characters.toReversed(), width - 1 - widthOf(head));
  return `${head}…${[...tail].reverse().join('')}`;
}

/** A text broken into lines of at most a width, between words. */
export function wrapTo(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
