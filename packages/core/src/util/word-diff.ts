/** A part of two texts: in both, or in one of them only. */
export interface WordEdit {
  readonly kind: 'same' | 'removed' | 'added';
  readonly text: string;
}

/** Blanks, words and single signs; `0.1`, `1e-4` and `metrics.json` are one word each. */
const tokensOf = (text: string): readonly string[] =>
  text.match(/\s+|[\p{L}\p{M}\p{N}_]+(?:[.-][\p{L}\p{M}\p{N}_]+)*|./gsu) ?? [];

/** More pairs of words than this are not compared: the texts then count as replaced. */
const maxPairs = 4_000_000;

/** Edits that turn one list of words into the other, by the longest common subsequence. */
function diffTokens(before: readonly string[], after: readonly string[]): readonly WordEdit[] {
  const width = after.length + 1;
  if (before.length === 0 || after.length === 0 || before.length * after.length > maxPairs)
    return [
      { kind: 'removed', text: before.join('') },
      { kind: 'added', text: after.join('') },
    ];
  // lengths[row, column]: the longest common subsequence of what begins at that row and column.
  const lengths = new Uint32Array((before.length + 1) * width);
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0;
  for (let row = before.length - 1; row >= 0; row--)
    for (let column = after.length - 1; column >= 0; column--)
      lengths[row * width + column] =
        before[row] === after[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
  const edits: WordEdit[] = [];
  for (let row = 0, column = 0; row < before.length || column < after.length;) {
    const [left, right] = [before[row], after[column]];
    if (left !== undefined && left === right) {
      edits.push({ kind: 'same', text: left });
      row++;
      column++;
    } else if (left !== undefined && (right === undefined || at(row + 1, column) >= at(row, column + 1))) {
      edits.push({ kind: 'removed', text: left });
      row++;
    } else {
      edits.push({ kind: 'added', text: right ?? '' });
      column++;
    }
  }
  return edits;
}

/** Neighbours of one kind as one edit: first what is removed, then what is added; blanks between changes belong to them. */
function joinEdits(edits: readonly WordEdit[]): readonly WordEdit[] {
  const joined: WordEdit[] = [];
  const push = (kind: WordEdit['kind'], text: string): void => {
    if (text === '') return;
    const before = joined.at(-1)?.kind === kind ? (joined.pop()?.text ?? '') : '';
    joined.push({ kind, text: before + text });
  };
  let [removed, added, blanks] = ['', '', ''];
  const flush = (): void => {
    push('removed', removed);
    push('added', added);
    push('same', blanks);
    [removed, added, blanks] = ['', '', ''];
  };
  for (const { kind, text } of edits) {
    if (kind === 'same' && text.trim() === '' && removed + added !== '') blanks += text;
    else if (kind === 'same') {
      flush();
      push('same', text);
    } else {
      // What stood between two changes is told with them, on both sides.
      removed += blanks + (kind === 'removed' ? text : '');
      added += blanks + (kind === 'added' ? text : '');
      blanks = '';
    }
  }
  flush();
  return joined;
}

/** How one text became another, word by word; the parts of both, in order, spell them out. */
export function diffWords(before: string, after: string): readonly WordEdit[] {
  const [left, right] = [tokensOf(before), tokensOf(after)];
  const shortest = Math.min(left.length, right.length);
  let head = 0;
  while (head < shortest && left[head] === right[head]) head++;
  let tail = 0;
  while (tail < shortest - head && left.at(-1 - tail) === right.at(-1 - tail)) tail++;
  return joinEdits([
    { kind: 'same', text: left.slice(0, head).join('') },
    ...diffTokens(left.slice(head, left.length - tail), right.slice(head, right.length - tail)),
    { kind: 'same', text: left.slice(left.length - tail).join('') },
  ]).filter((edit) => edit.text !== '');
}

/** How a difference is marked. */
export interface WordMarks {
  removed(text: string): string;
  added(text: string): string;
}

/** Marks that need no colours, as `git diff --word-diff` has them. */
export const plainMarks: WordMarks = {
  removed: (text) => `[-${text}-]`,
  added: (text) => `{+${text}+}`,
};

/** Characters that are shown on either side of a change. */
const contextLength = 24;
/** Characters of a removed or added part that are shown. */
const maxPartLength = 200;

const showLineEnds = (text: string): string => text.replaceAll('\n', '⏎').replaceAll('\t', '⇥');

/** A difference in one line: changes with a little of what stands around them. */
export function formatWordDiff(edits: readonly WordEdit[], marks: WordMarks = plainMarks): string {
  return edits
    .map(({ kind, text }, index) => {
      const characters = [...showLineEnds(text)];
      if (kind !== 'same') {
        const isCut = characters.length > maxPartLength;
        return marks[kind](
          isCut ? `${characters.slice(0, maxPartLength - 1).join('')}…` : characters.join(''),
        );
      }
      const before = index === 0 ? '' : characters.slice(0, contextLength).join('');
      const after = index === edits.length - 1 ? '' : characters.slice(-contextLength).join('');
      const shown = (index === 0 ? 0 : contextLength) + (index === edits.length - 1 ? 0 : contextLength);
      return characters.length <= shown ? characters.join('') : `${before}…${after}`;
    })
    .join('');
}
