import { describe, expect, test } from 'vitest';
import { chooseAnswerMetric, comparePaired, signFlipTest } from '../src/paired.ts';

/** Numbers in [0, 1) that look random and are the same each time. */
function makeNumbers(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('answers are judged', () => {
  test('as right or wrong where they are short, as alike where they are long', () => {
    expect(chooseAnswerMetric(['Oak', 'two years'])).toBe('exactMatch');
    expect(chooseAnswerMetric(['Your parcel is on its way to you.'])).toBe('rougeL');
  });

  test('by what was asked for', () => {
    expect(chooseAnswerMetric(['Oak'], 'rouge_l')).toBe('rougeL');
    expect(chooseAnswerMetric(['Your parcel is on its way to you.'], 'f1')).toBe('f1');
  });
});

describe('random signs', () => {
  test('find that equal gains on ten rows are hardly chance: 2 of 1,024 patterns are as large', () => {
    const pValue = signFlipTest(
      Array.from({ length: 10 }, () => 0.5),
      makeNumbers(),
      20_000,
    );
    expect(pValue).toBeCloseTo(2 / 1024, 3);
  });

  test('find nothing in differences that cancel out', () => {
    expect(signFlipTest([0.4, -0.4, 0.2, -0.2], makeNumbers())).toBe(1);
  });
});

describe('two ways on the same rows', () => {
  test('that are right or wrong are compared by the rows on which they differ', () => {
    const first = [1, 1, 1, 1, 1, 1, 1, 0];
    const second = [0, 0, 0, 0, 0, 0, 1, 1];
    const found = comparePaired(first, second, { makeRandom: makeNumbers, isRightOrWrong: true });
    // 6 better and 1 worse: 2 · (1 + 7) / 2⁷
    expect(found).toMatchObject({ gain: 5 / 8, better: 6, worse: 1 });
    expect(found.pValue).toBeCloseTo(0.125, 10);
  });

  test('that have any values are compared by their differences, with an interval around the mean', () => {
    const first = [0.9, 0.8, 0.7, 0.9, 0.8];
    const second = [0.8, 0.7, 0.6, 0.8, 0.7];
    const { gain, gainInterval, pValue } = comparePaired(first, second, {
      makeRandom: makeNumbers,
      isRightOrWrong: false,
    });
    expect(gain).toBeCloseTo(0.1, 10);
    expect([gainInterval.low, gainInterval.high]).toEqual([expect.closeTo(0.1, 10), expect.closeTo(0.1, 10)]);
    expect(pValue).toBeGreaterThan(0.04); // 2 of 32 patterns
  });
});
