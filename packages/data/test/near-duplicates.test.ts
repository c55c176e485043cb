import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { groupNear } from '../src/index.ts';

const groupNearDuplicates = (texts: readonly string[]): Promise<readonly number[]> =>
  groupNear(texts.map((text, index) => ({ text, place: { file: 'a', line: index + 1 } })));

const words = (count: number, seed: number): string[] =>
  Array.from({ length: count }, (_, index) => `w${(index * 7919 + seed * 104_729) % 100_003}`);

test('texts that share most word triples are one set, named by the first', async () => {
  const long = words(60, 1);
  const edited = [...long];
  edited[30] = 'changed';
  const texts = [words(60, 2).join(' '), long.join(' '), edited.join(' '), `${long.join(' ')} appended`];
  expect(await groupNearDuplicates(texts)).toEqual([0, 1, 1, 1]);
});

test('texts that share half of their triples are not near', async () => {
  const long = words(60, 1);
  expect(
    await groupNearDuplicates([long.join(' '), [...long.slice(0, 40), ...words(20, 9)].join(' ')]),
  ).toEqual([0, 1]);
});

test('short texts are near only when they are the same words', async () => {
  expect(await groupNearDuplicates(['Yes please', 'yes, please!', 'No please', ''])).toEqual([0, 0, 2, 3]);
});

test('a pair above the threshold is found nearly always', async () => {
  let found = 0;
  const run = fc.asyncProperty(
    fc.integer({ min: 1, max: 1e6 }),
    fc.integer({ min: 2, max: 96 }),
    async (seed, at) => {
      const long = words(100, seed);
      const edited = long.with(at, 'other').with((at * 31) % 100, 'another');
      if ((await groupNearDuplicates([long.join(' '), edited.join(' ')]))[1] === 0) found++;
    },
  );
  await fc.assert(run, { numRuns: 100, seed: 5 });
  expect(found).toBeGreaterThanOrEqual(99);
});

test('many texts that share a frame only do not make the search slow or join them', async () => {
  const frame = words(30, 3).join(' ');
  const texts = Array.from({ length: 2000 }, (_, index) => `${frame} ${words(30, index + 10).join(' ')}`);
  const start = performance.now();
  expect(new Set(await groupNearDuplicates(texts)).size).toBe(2000);
  expect(performance.now() - start).toBeLessThan(5000);
});
