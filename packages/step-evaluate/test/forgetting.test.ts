import { describe, expect, test } from 'vitest';
import { compareLosses, describeForgetting, measureChanges } from '../src/forgetting.ts';
import type { Change } from '../src/forgetting.ts';

/** Numbers in [0, 1) that look random and are the same each time. */
function makeNumbers(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const general = { id: 'general', name: 'general texts' } as const;

test('perplexity counts tokens, and chance is judged by texts', () => {
  // 10 texts of 1 to 10 tokens; before ln 8 a token, after ln 16.
  const lossesOf = (perToken: number) =>
    Array.from({ length: 10 }, (_, at) => ({ total: perToken * (at + 1), targets: at + 1 }));
  const change = compareLosses(general, lossesOf(Math.log(8)), lossesOf(Math.log(16)), makeNumbers);
  expect(change).toMatchObject({
    texts: 10,
    tokens: 55,
    before: expect.closeTo(8, 9),
    after: expect.closeTo(16, 9),
  });
  expect(change.pValue).toBeLessThan(0.01); // 2 of 1,024 patterns
});

describe('what is forgotten is told', () => {
  const change: Change = { ...general, texts: 40, tokens: 4000, before: 20, after: 20, pValue: 0.0001 };

  test.each<[name: string, changes: Partial<Change>, text: string]>([
    [
      'when nothing is',
      { after: 20.1, pValue: 0.4 },
      'Nothing is seen to be forgotten: on 40 general texts perplexity is 20.10, before tuning 20.00, which may be chance (p = 0.40).',
    ],
    [
      'when the texts are even foreseen better',
      { after: 19 },
      'Nothing is forgotten: 40 general texts are foreseen better than before, with perplexity 19.00 instead of 20.00 (p < 0.001).',
    ],
    [
      'when it is hardly anything',
      { after: 20.2, pValue: 0.01 },
      'Hardly anything of what the model knew is forgotten: on 40 general texts perplexity rose from 20.00 to 20.20 (+1.0 %, p = 0.010).',
    ],
    [
      'when it is a little',
      { after: 21 },
      'A little of what the model knew is forgotten: on 40 general texts perplexity rose from 20.00 to 21.00 (+5.0 %, p < 0.001).',
    ],
    [
      'when it is much, with what to change',
      { after: 40 },
      'Much of what the model knew is forgotten: on 40 general texts perplexity rose from 20.00 to 40.00 (+100.0 %, p < 0.001). Lower the learning rate, tune fewer blocks or adapters, or mix general texts in.',
    ],
  ])('%s', (_, changes, text) => {
    expect(describeForgetting({ ...change, ...changes })).toBe(text);
  });
});

describe('nothing is measured', () => {
  const dataset = {
    dir: '',
    header: { version: 1, task: 'chat', labels: [], splits: {}, source: '' },
    rows: () => Promise.resolve([]),
  } as const;
  const params = { shown_errors: 5, generations: 0, max_new_tokens: 8, general_rows: 10 };
  const inputs = { trained: 'nowhere', dataset: 'nowhere', model: undefined, general: undefined };
  const context = { params, inputs, seed: 1, emit: () => undefined };
  const training = { maxLength: 64, aside: [] };

  test('without the untuned model', async () => {
    expect(await measureChanges(dataset, training, context)).toEqual([]);
  });

  test('and general texts without it are refused', async () => {
    const wired = { ...context, inputs: { ...inputs, general: 'nowhere' } };
    await expect(measureChanges(dataset, training, wired)).rejects.toMatchObject({
      code: 'NO_BASE',
      message: 'general is wired, but model is not: there is nothing to compare with.',
    });
  });
});
