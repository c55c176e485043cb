import type { Tokenizer } from '@joyul/data';
import { ignoredLabel } from '@joyul/data';
import type { Span } from '@joyul/plugin-api';
import type { LanguageExample } from '@joyul/training';

/** Of a longer piece only its two ends are shown, so that every border of the mask stays. */
const longestPiece = 240;
const keptEnd = 100;
/** Of a text with more pieces the first and last ones are shown. */
const mostPieces = 24;

/** Tokens one after the other that look the same. */
interface Run {
  readonly from: number;
  readonly to: number;
  readonly isMarked: boolean;
  readonly isFaint: boolean;
}

/** Tells special tokens from others: without them they are nothing. */
function makeIsSpecial(tokenizer: Tokenizer): (id: number) => boolean {
  const known = new Map<number, boolean>();
  return (id) => {
    const isSpecial = known.get(id) ?? (tokenizer.decode([id]) === '' && tokenizer.decodeAll([id]) !== '');
    known.set(id, isSpecial);
    return isSpecial;
  };
}

function findRuns({ ids, labels }: LanguageExample, isSpecial: (id: number) => boolean): readonly Run[] {
  const runs: Run[] = [];
  for (const [at, id] of ids.entries()) {
    // The first token has nothing before it that it could be learned from.
    const look = { isMarked: at > 0 && labels[at] !== ignoredLabel, isFaint: isSpecial(id) };
    const last = runs.at(-1);
    if (last?.isMarked === look.isMarked && last.isFaint === look.isFaint)
      runs[runs.length - 1] = { ...last, to: at + 1 };
    else runs.push({ from: at, to: at + 1, ...look });
  }
  return runs;
}

/** A text without its middle where it is long. */
function shorten(text: string): string {
  const characters = [...text];
  if (characters.length <= longestPiece) return text;
  const left = characters.length - 2 * keptEnd;
  return `${characters.slice(0, keptEnd).join('')} … ${left} characters … ${characters.slice(-keptEnd).join('')}`;
}

/** A row as it is learned: what is learned is marked, special tokens are faint, and long pieces lose their middle. */
export function showMask(example: LanguageExample, tokenizer: Tokenizer): readonly Span[] {
  const { ids } = example;
  const textUpTo = (end: number): string => tokenizer.decodeAll([...ids.subarray(0, end)]);
  const runs = findRuns(example, makeIsSpecial(tokenizer));
  const spans = runs.map(({ from, to, isMarked, isFaint }): Span => {
    // As a part of the whole: by itself a piece may lose the blank that it begins with.
    const [before, whole] = [textUpTo(from), textUpTo(to)];
    const text = whole.startsWith(before)
      ? whole.slice(before.length)
      : tokenizer.decodeAll([...ids.subarray(from, to)]);
    return {
      text: shorten(text),
      ...(isMarked ? { isMarked } : {}),
      ...(isFaint ? { isFaint } : {}),
    };
  });
  if (spans.length <= mostPieces) return spans;
  const left = spans.length - mostPieces;
  const half = mostPieces / 2;
  return [...spans.slice(0, half), { text: ` … ${left} pieces … `, isFaint: true }, ...spans.slice(-half)];
}
