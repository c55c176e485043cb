import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitItems } from '../src/index.ts';
import type { SplitItem, SplitName } from '../src/index.ts';

const count = (splits: readonly SplitName[], name: SplitName): number =>
  splits.filter((split) => split === name).length;

test('the same seed gives the same split, another seed another', () => {
  const items = Array.from({ length: 100 }, (_, index) => ({ label: 'a', group: String(index) }));
  const draw = (seed: number): readonly SplitName[] =>
    splitItems(items, { validation: 0.1, test: 0.2 }, seed);
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  expect([count(draw(1), 'validation'), count(draw(1), 'test')]).toEqual([10, 20]);
});

test('without groups every class is in proportion within one row', () => {
  const run = fc.property(
    fc.array(fc.integer({ min: 3, max: 60 }), { minLength: 1, maxLength: 6 }),
    fc.integer(),
    fc.double({ min: 0.05, max: 0.4, noNaN: true }),
    fc.double({ min: 0.05, max: 0.4, noNaN: true }),
    (sizes, seed, validation, testShare) => {
      const items: SplitItem[] = sizes.flatMap((size, label) =>
        Array.from({ length: size }, (_, index) => ({ label: `l${label}`, group: `${label}-${index}` })),
      );
      const splits = splitItems(items, { validation, test: testShare }, seed);
      for (const [label, size] of sizes.entries()) {
        const own = splits.filter((_, index) => items[index]?.label === `l${label}`);
        expect(Math.abs(count(own, 'validation') - size * validation)).toBeLessThanOrEqual(1);
        expect(Math.abs(count(own, 'test') - size * testShare)).toBeLessThanOrEqual(1);
      }
    },
  );
  fc.assert(run, { numRuns: 200 });
});

test('no group is ever in two splits', () => {
  const run = fc.property(
    fc.array(fc.record({ label: fc.constantFrom('a', 'b', 'c'), group: fc.constantFrom(...'pqrstuvw') }), {
      maxLength: 80,
    }),
    fc.integer(),
    (items, seed) => {
      const splits = splitItems(items, { validation: 0.2, test: 0.2 }, seed);
      const of = new Map<string, SplitName>();
      items.forEach(({ group }, index) => {
        const split = splits[index] ?? 'train';
        expect(of.get(group) ?? split).toBe(split);
        of.set(group, split);
      });
    },
  );
  fc.assert(run, { numRuns: 200 });
});

test('a share of nothing gives an empty split', () => {
  const items = Array.from({ length: 20 }, (_, index) => ({ label: 'a', group: String(index) }));
  expect(new Set(splitItems(items, { validation: 0, test: 0 }, 1))).toEqual(new Set(['train']));
});
