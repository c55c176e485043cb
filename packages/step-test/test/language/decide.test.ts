import { expect, test } from 'vitest';
import { decide } from '../../src/language/decide.ts';
import type { Candidate } from '../../src/language/decide.ts';

const right = (count: number): readonly number[] =>
  Array.from({ length: 40 }, (_, row) => Number(row < count));
const candidate = (
  name: string,
  kind: Candidate['price']['kind'],
  count: number,
  diskBytes = 0,
): Candidate => ({
  name,
  values: right(count),
  price: { kind, diskBytes, tokensIn: 50, tokensOut: 2 },
});

const shots = (count: number): Candidate => candidate('4 similar examples', 'prompt', count);
const lora = (count: number): Candidate => candidate('LoRA r=8', 'tuned', count, 1.9e6);
const top = (count: number): Candidate => candidate('repurposed: top 6 layers', 'tuned', count, 85e6);

test('the cheapest way that is not significantly worse than the best is the one to take', () => {
  expect(decide([lora(37), top(39), shots(20)], 1)).toEqual({
    isWorthIt: true,
    best: 'repurposed: top 6 layers',
    choice: 'LoRA r=8',
    text: 'Fine-tuning is worth it for this data. The way to take is LoRA r=8: 92.5 %, and the best, repurposed: top 6 layers with 97.5 %, is not significantly better (p = 0.50); it is 1.9 MB besides the base model. The best prompt (4 similar examples) reaches 50.0 %, significantly less than the best (p < 0.001).',
  });
});

test('a prompt that is as good makes fine-tuning not worth it', () => {
  const { isWorthIt, choice, text } = decide([lora(39), shots(37)], 1);
  expect([isWorthIt, choice]).toEqual([false, '4 similar examples']);
  expect(text).toBe(
    'Fine-tuning is not worth it for this data. 4 similar examples reaches 92.5 %, and the best, LoRA r=8 with 97.5 %, is not significantly better (p = 0.50).',
  );
});

test('so does a new head on frozen features, which is not fine-tuning', () => {
  const head = candidate('frozen features', 'features', 38, 4612);
  const { isWorthIt, text } = decide([lora(38), shots(20), head], 1);
  expect(isWorthIt).toBe(false);
  expect(text).toContain(
    'A new head on frozen features, which is not fine-tuning, reaches 95.0 %, and nothing is better.',
  );
});

test('without a tuned model nothing is said of fine-tuning', () => {
  const decision = decide([shots(30), candidate('the bare question', 'prompt', 10)], 1);
  expect(decision).toEqual({
    best: '4 similar examples',
    choice: '4 similar examples',
    text: '4 similar examples reaches 75.0 %, and nothing is better.',
  });
});
