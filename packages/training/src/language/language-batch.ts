import { ignoredLabel } from '@joyul/data';
import type { Encoded } from '../batches.ts';
import type { LanguageShape } from './language-program.ts';

/** A text as a language model learns it. */
export interface LanguageExample extends Encoded {
  /** [ids.length], the ids themselves where they are to be predicted from those before them, −100 elsewhere. */
  readonly labels: Int32Array;
}

/** Rows that go through a language model together. */
export interface LanguageBatch {
  /** The examples of each row: one, or several where rows are packed. Rows beyond them are padding. */
  readonly rows: readonly (readonly number[])[];
  readonly shape: LanguageShape;
}

/** Tokens that are predicted: every label but the first, which has nothing before it. */
export const countTargets = ({ labels }: LanguageExample): number =>
  labels.reduce((sum, label, index) => sum + Number(index > 0 && label !== ignoredLabel), 0);

/** Where tokens are that are followed by a target, and these; filled up to the shape with targets that do not count. */
function chooseTargets(
  next: Int32Array,
  targets: number,
): { readonly rows: Int32Array; readonly next: Int32Array } {
  const rows = new Int32Array(targets);
  const chosen = new Int32Array(targets).fill(ignoredLabel);
  let count = 0;
  next.forEach((label, row) => {
    if (label === ignoredLabel) return;
    rows[count] = row;
    chosen[count++] = label;
  });
  if (count > targets) throw new Error(`Internal error: ${count} targets in a batch of ${targets}.`);
  return { rows, next: chosen };
}

/**
 * The inputs of a batch for the entries of its shape: ids [batch, time], and the tokens that follow them; where the
 * head is computed for some rows only, their numbers; where rows are packed, each token's text and its place in it.
 */
export function padLanguageBatch(
  { rows, shape }: LanguageBatch,
  examples: readonly LanguageExample[],
): Readonly<Record<string, Int32Array>> {
  const { batch, time, targets, isPacked = false } = shape;
  // Padding is any token: it stands on the right, or is a text of its own, and nobody sees it.
  const ids = new Int32Array(batch * time);
  const next = new Int32Array(batch * time).fill(ignoredLabel);
  const segments = new Int32Array(batch * time);
  const positions = new Int32Array(batch * time);
  rows.forEach((row, number) => {
    let at = number * time;
    row.forEach((index, segment) => {
      const example = examples[index];
      if (example === undefined) throw new Error(`Internal error: there is no example ${index}.`);
      const end = at + example.ids.length;
      if (end > (number + 1) * time) throw new Error('Internal error: a row is too short for its texts.');
      ids.set(example.ids, at);
      next.set(example.labels.subarray(1), at);
      segments.fill(segment + 1, at, end);
      for (let position = at; position < end; position++) positions[position] = position - at;
      at = end;
    });
  });
  return {
    ids,
    ...(targets === undefined ? { next } : chooseTargets(next, targets)),
    ...(isPacked ? { segments, positions } : {}),
  };
}
