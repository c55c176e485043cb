/** Two ways on the same questions. */
import { makeRandom } from '@joyul/data';
import { comparePaired as comparePairedValues } from '@joyul/metrics';
import type { PairedComparison } from '@joyul/metrics';

/** A difference is no chance below this. */
export const level = 0.05;

/** Compares two ways by their values on each question; the same seed gives the same interval and probability. */
export const comparePaired = (
  first: readonly number[],
  second: readonly number[],
  seed: number,
): PairedComparison =>
  comparePairedValues(first, second, {
    makeRandom: () => makeRandom(seed),
    isRightOrWrong: [...first, ...second].every((value) => value === 0 || value === 1),
  });
