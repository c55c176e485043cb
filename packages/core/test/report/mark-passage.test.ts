import { expect, test } from 'vitest';
import { markPassage } from '../../src/report/mark-passage.ts';

test('marks stand around each marked part, whatever else its pieces look like', () => {
  expect(
    markPassage([
      { text: 'a', isMarked: true },
      { text: '' },
      { text: 'b', isMarked: true, isFaint: true },
      { text: 'c' },
      { text: 'd', isMarked: true },
    ]),
  ).toBe('⟦ab⟧c⟦d⟧');
});
