/** How our side puts the texts of a language model's case into batches of fixed shapes. */
import type { BatchShape } from '@joyul/models';
import { chooseBuckets } from '@joyul/training';
import type { CaseSpec, Example } from './spec.ts';

/** The inputs of one iteration. */
export interface Piece {
  readonly shape: BatchShape;
  /** [batch, time] */
  readonly ids: Int32Array;
  /** The token after each [batch, time]; −100 does not count. */
  readonly next: Int32Array;
  /** Without padding. */
  readonly tokens: number;
}

const bucketsOf = (examples: readonly Example[]): readonly number[] =>
  chooseBuckets(examples.map((example) => example.input_ids.length));

function fill(examples: readonly Example[], shape: BatchShape, pad: number): Piece {
  const { batch, time } = shape;
  const ids = new Int32Array(batch * time).fill(pad);
  const next = new Int32Array(batch * time).fill(-100);
  for (const [row, { input_ids: tokens, labels }] of examples.entries()) {
    if (typeof labels === 'number') throw new Error('A language model needs a label for each token.');
    ids.set(tokens, row * time);
    next.set(labels.slice(1), row * time);
  }
  return { shape, ids, next, tokens: examples.reduce((sum, example) => sum + example.input_ids.length, 0) };
}

/** Pads to the length of a bucket; where texts may be moved, those of one bucket go together. */
export function layOut(
  batches: readonly (readonly Example[])[],
  spec: Pick<CaseSpec, 'isRagged' | 'pad'>,
): readonly Piece[] {
  const batch = batches[0]?.length ?? 0;
  if (!spec.isRagged)
    return batches.map((examples) =>
      fill(
        examples,
        { batch, time: Math.max(...examples.map(({ input_ids: ids }) => ids.length)) },
        spec.pad,
      ),
    );
  const examples = batches.flat();
  const buckets = bucketsOf(examples);
  const sorted = examples.toSorted((left, right) => left.input_ids.length - right.input_ids.length);
  return Array.from({ length: Math.ceil(sorted.length / batch) }, (_, index) => {
    const group = sorted.slice(index * batch, (index + 1) * batch);
    const longest = group.at(-1)?.input_ids.length ?? 0;
    return fill(group, { batch, time: buckets.find((bucket) => longest <= bucket) ?? longest }, spec.pad);
  });
}
