import { expect, test } from 'vitest';
import { simulate } from './simulation/simulate.ts';

/** More, or others: JOYUL_SEEDS=100000, or JOYUL_SEEDS=4711:4712 for one, which is then told step by step. */
const [first = 0, last = 2000] = (() => {
  const [from, to] = (process.env['JOYUL_SEEDS'] ?? '0:2000').split(':').map(Number);
  return to === undefined ? [0, from] : [from, to];
})();

const trace = last - first === 1 ? console.log : undefined;

test('whatever befalls a run, the next one ends as an undisturbed one', { timeout: 3_600_000 }, async () => {
  // What is loaded later would make the first seeds differ from a run of theirs alone.
  await import('p-queue');
  const problems: string[] = [];
  for (let seed = first; seed < last && problems.length < 20; seed++)
    problems.push(...(await simulate(seed, trace)));
  expect(problems).toEqual([]);
});
