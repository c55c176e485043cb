import type { RawRow } from '../row.ts';
import type { LineBlock } from './lines.ts';

/** What one text of a plain file is. */
export type TextUnit = 'document' | 'paragraph' | 'line';

/** What a lone file is divided into, by its beginning: paragraphs where it has empty lines, otherwise lines. */
export function detectUnit(beginning: string): TextUnit {
  return /\S[^\S\n]*\r?\n[^\S\n]*\r?\n/.test(beginning) ? 'paragraph' : 'line';
}

/** Makes texts of a plain file's lines as they come. */
export class TextSplitter {
  readonly #file: string;
  readonly #unit: TextUnit;
  #lines: string[] = [];
  #start = 1;

  constructor(file: string, unit: TextUnit) {
    this.#file = file;
    this.#unit = unit;
  }

  /** The texts that end in this block. */
  read({ text, line, isLast }: LineBlock): readonly RawRow[] {
    const rows: RawRow[] = [];
    const close = (): void => {
      const whole = this.#lines.join('\n');
      if (whole.trim() !== '') rows.push({ text: whole, place: { file: this.#file, line: this.#start } });
      this.#lines = [];
    };
    const lines = text.split('\n');
    if (!isLast) lines.pop(); // What follows the last line feed is the next block's.
    for (const [index, each] of lines.entries()) {
      const content = each.replace(/\r$/, '');
      if (this.#unit === 'paragraph' && content.trim() === '') {
        close();
        continue;
      }
      if (this.#lines.length === 0) this.#start = line + index;
      this.#lines.push(content);
      if (this.#unit === 'line') close();
    }
    if (isLast) close();
    return rows;
  }
}
