import { describe, expect, test } from 'vitest';
import { makeTokenChooser } from '../../src/language/choose-token.ts';
import type { Sampling } from '../../src/language/choose-token.ts';

/** The probabilities of 4 tokens: 0.5, 0.3, 0.15 and 0.05. */
const logits = Float32Array.from([0.5, 0.3, 0.15, 0.05], Math.log);

function countDraws(sampling: Sampling): readonly number[] {
  const choose = makeTokenChooser(sampling);
  const counts = [0, 0, 0, 0];
  for (let draw = 0; draw < 4000; draw++) {
    const id = choose(logits);
    counts[id] = (counts[id] ?? 0) + 1 / 4000;
  }
  return counts;
}

describe('choosing a token', () => {
  test('without a temperature it is the likeliest, the first of equal ones', () => {
    const choose = makeTokenChooser();
    expect([choose(logits), choose(Float32Array.of(1, 3, 3))]).toEqual([0, 1]);
  });

  test.each<[name: string, sampling: Sampling, expected: readonly number[]]>([
    ['at temperature 1 by probability', { temperature: 1 }, [0.5, 0.3, 0.15, 0.05]],
    ['at temperature ½ by its square', { temperature: 0.5 }, [0.685, 0.247, 0.062, 0.007]],
    ['from the two likeliest', { temperature: 1, topK: 2 }, [0.625, 0.375, 0, 0]],
    ['from those that reach 0.9', { temperature: 1, topP: 0.9 }, [0.526, 0.316, 0.158, 0]],
    ['from the likeliest where that reaches it', { temperature: 1, topP: 0.4 }, [1, 0, 0, 0]],
  ])('%s', (_, sampling, expected) => {
    const shares = countDraws(sampling);
    for (const [id, share] of expected.entries())
      expect(Math.abs((shares[id] ?? 0) - share)).toBeLessThan(0.03);
  });

  test('equal seeds draw equally, others do not', () => {
    const draw = (seed: number): readonly number[] => {
      const choose = makeTokenChooser({ temperature: 1, seed });
      return Array.from({ length: 20 }, () => choose(logits));
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });
});
