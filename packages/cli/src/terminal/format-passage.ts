import { markPassage } from '@joyul/core';
import type { Span } from '@joyul/plugin-api';
import type { Style } from './style.ts';
import { widthOf } from './style.ts';

/** One character and how it is drawn. */
interface Cell extends Pick<Span, 'isMarked' | 'isFaint'> {
  readonly character: string;
}

const cellsOf = (spans: readonly Span[]): readonly Cell[] =>
  spans.flatMap(({ text, ...look }) =>
    [...text.replaceAll('\n', '⏎')].map((character) => ({ ...look, character })),
  );

/** Breaks after the last blank or end of a line that fits, and inside a word where there is none. */
function breakLines(cells: readonly Cell[], width: number): readonly (readonly Cell[])[] {
  const lines: (readonly Cell[])[] = [];
  let line: Cell[] = [];
  let used = 0;
  for (const cell of cells) {
    const own = widthOf(cell.character);
    if (used + own > width) {
      const blank = line.findLastIndex(({ character }) => character === ' ' || character === '⏎');
      const end = blank === -1 ? line.length : blank + 1;
      lines.push(line.slice(0, end));
      line = line.slice(end);
      used = line.reduce((sum, { character }) => sum + widthOf(character), 0);
    }
    line.push(cell);
    used += own;
  }
  // A blank at the end of a line is not seen.
  return [...lines, line].map((own) => (own.at(-1)?.character === ' ' ? own.slice(0, -1) : own));
}

/** A line whose neighbours of one look share their colour codes. */
function draw(line: readonly Cell[], style: Style): string {
  let drawn = '';
  let at = 0;
  while (at < line.length) {
    const { isMarked, isFaint } = line[at] ?? {};
    let end = at;
    while (end < line.length && line[end]?.isMarked === isMarked && line[end]?.isFaint === isFaint) end++;
    const text = line.slice(at, end).map(({ character }) => character).join(''); // prettier-ignore
    const colored = isMarked === true ? style.green(text) : text;
    drawn += isFaint === true ? style.dim(colored) : colored;
    at = end;
  }
  return drawn;
}

/**
 * A text in lines of at most a width: what is marked is green and what is faint is dim; without colours marks stand
 * around what is marked. Its own ends of lines are shown as ⏎.
 */
export function formatPassage(spans: readonly Span[], style: Style, width: number): readonly string[] {
  const shown = style.isColored ? spans : [{ text: markPassage(spans) }];
  return breakLines(cellsOf(shown), width).map((line) => draw(line, style));
}
