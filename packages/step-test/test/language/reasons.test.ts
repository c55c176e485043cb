import { expect, test } from 'vitest';
import {
  judgeCapability,
  judgeConsistency,
  judgeErrors,
  judgeKnowledge,
} from '../../src/language/reasons.ts';

const repeat = (value: number, count: number): readonly number[] => Array<number>(count).fill(value);

test('consistency holds where the answers of the tuned model stay more alike', () => {
  const reason = judgeConsistency(repeat(1, 20), { name: 'bare', agreement: repeat(0.6, 20) }, 1);
  expect(reason).toMatchObject({ verdict: 'holds', tuned: 1 });
  expect(reason.text).toMatch(
    /^Consistency: holds\. When questions are changed .*, 100\.0 % of the tuned model's answers stay, and 60\.0 % of those of the best prompt \(bare; p < 0\.001\)\.$/,
  );
});

test('consistency cannot be told from a difference that may be chance, and does not hold without one', () => {
  const bare = { name: 'bare', agreement: [1, 1, 0.8, 1] };
  expect(judgeConsistency([1, 1, 1, 1], bare, 1).verdict).toBe('cannot be told here');
  expect(judgeConsistency([1, 1, 0.8, 1], bare, 1).verdict).toBe('does not hold');
});

test('capability counts questions that no prompt answers, against those that only a prompt does', () => {
  const tuned = [...repeat(1, 12), ...repeat(0, 8)];
  const [one, two] = [
    [...repeat(0, 10), ...repeat(1, 2), ...repeat(0, 8)],
    [...repeat(0, 19), 1],
  ];
  expect(judgeCapability(tuned, [one, two], 1)).toMatchObject({
    verdict: 'holds',
    tuned: 10 / 20,
    other: 1 / 20,
    text: 'More capability: holds. 10 of 20 questions (50.0 %) are answered rightly by the tuned model and by none of 2 prompts, 1 by one of these and not by the tuned model (p = 0.012).',
  });
});

test('prompts that together answer all questions leave no capability to be gained', () => {
  const one = Array.from({ length: 20 }, (_, row) => row % 2);
  const other = one.map((value) => 1 - value);
  expect(judgeCapability(repeat(1, 20), [one, other], 1).verdict).toBe('does not hold');
});

test('topic knowledge is judged text by text, by how new they are', () => {
  const base = Array.from({ length: 30 }, (_, text) => ({ total: 20 + text, count: 10 }));
  const tuned = base.map(({ total, count }) => ({ total: total - 5, count }));
  const reason = judgeKnowledge(tuned, base, 1);
  expect(reason.verdict).toBe('holds');
  expect(reason.tuned / reason.other).toBeCloseTo(Math.exp(-0.5), 10);
  expect(judgeKnowledge(base, tuned, 1).verdict).toBe('does not hold');
});

test('mended errors are held against broken ones', () => {
  const prompt = { name: 'few shots', values: [...repeat(0, 12), ...repeat(1, 8)] };
  expect(judgeErrors([...repeat(1, 12), 0, ...repeat(1, 7)], prompt, 1)).toMatchObject({
    verdict: 'holds',
    tuned: 12,
    other: 1,
    text: 'Errors mended: holds. 12 answers are better than those of the best prompt (few shots), 1 is worse (p = 0.0034).',
  });
  expect(judgeErrors([...repeat(0, 12), 0, ...repeat(1, 7)], prompt, 1).verdict).toBe('does not hold');
});
