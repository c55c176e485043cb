import { describe, expect, test } from 'vitest';
import { decide } from '../src/decide.ts';
import type { Judgement } from '../src/decide.ts';

/** Numbers in [0, 1) that look random and are the same each time. */
function makeNumbers(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const ones = (count: number, of: number): readonly number[] =>
  Array.from({ length: of }, (_, at) => Number(at < count));

const answers = (candidate: readonly number[], simpler: readonly number[]): Judgement => ({
  metric: 'exact match',
  unit: 'questions',
  kind: 'share',
  values: { candidate, simpler },
  isRightOrWrong: true,
});

const losses = (candidate: readonly number[], simpler: readonly number[]): Judgement => ({
  metric: 'mean loss a token',
  unit: 'texts',
  kind: 'loss',
  values: { candidate, simpler },
  isRightOrWrong: false,
});

describe('the candidate is kept', () => {
  test('when it is right where the simpler model is wrong, too often for chance', () => {
    const { kept, pValue, text } = decide(answers(ones(18, 20), ones(8, 20)), 0.05, makeNumbers);
    expect([kept, pValue]).toEqual(['candidate', expect.closeTo(2 / 1024, 10)]);
    expect(text).toMatch(
      /^Kept the candidate: its exact match on 20 validation questions is 90\.0 %, that of the simpler model 40\.0 %\. It is 50\.0 points better \(95 %: \d+\.\d to \d+\.\d\), and that is no chance \(p = 0\.0020, exact McNemar test\)\.$/,
    );
  });

  test('when its losses are lower', () => {
    const simpler = Array.from({ length: 12 }, (_, at) => 2 + at / 10);
    const found = decide(
      losses(
        simpler.map((loss) => loss - 0.25),
        simpler,
      ),
      0.05,
      makeNumbers,
    );
    expect(found).toMatchObject({ kept: 'candidate', gain: expect.closeTo(0.25, 10), better: 12, worse: 0 });
    expect(found.text).toContain('It is 0.250 better (95 %: 0.250 to 0.250)');
  });
});

describe('the simpler model is kept', () => {
  test('when the gain may be chance', () => {
    const { kept, text } = decide(answers(ones(11, 20), ones(8, 20)), 0.05, makeNumbers);
    expect(kept).toBe('simpler');
    expect(text).toContain(
      'but on so few questions that may be chance (p = 0.25, exact McNemar test; alpha is 0.05).',
    );
  });

  test('when the gain is certain enough for 0.05 and not for the alpha that is asked', () => {
    const judgement = answers(ones(18, 20), ones(8, 20));
    expect(decide(judgement, 0.001, makeNumbers).kept).toBe('simpler');
  });

  test('when the candidate is worse, however certainly', () => {
    const { kept, text } = decide(answers(ones(8, 20), ones(18, 20)), 0.05, makeNumbers);
    expect(kept).toBe('simpler');
    expect(text).toMatch(
      /The candidate is 50\.0 points worse \(95 %: -\d+\.\d to -\d+\.\d\), p = 0\.0020, exact McNemar test: the extra stage does not help here\.$/,
    );
  });

  test('when both are the same', () => {
    const { kept, text } = decide(answers(ones(8, 20), ones(8, 20)), 0.05, makeNumbers);
    expect([kept, text]).toEqual([
      'simpler',
      'Kept the simpler model: its exact match on 20 validation questions is 40.0 %, that of the candidate 40.0 %. The extra stage gives nothing here (p = 1.0, exact McNemar test).',
    ]);
  });
});
