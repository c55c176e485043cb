import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseFormula } from '../../src/graders/formula.ts';

const values = { a: 0.5, b: 0.25, long_name2: 3 };
const compute = (text: string): number => parseFormula(text, Object.keys(values))(values);

test.each([
  ['0.7 * a + 0.3 * b', 0.425],
  ['a - b - b', 0],
  ['a / b / 2', 1],
  ['-2 ^ 2', -4],
  ['2 ^ 3 ^ 2', 512],
  ['2 ^ -1', 0.5],
  ['-(a + b) * 2', -1.5],
  ['max(a, b, long_name2) - min(a, b)', 2.75],
  ['floor(2.7) + ceil(2.1) + abs(-1)', 6],
  ['exp(log(sqrt(4)))', 2],
  ['1e-1 + .5', 0.6],
  [' a ', 0.5],
])('%s is %d', (text, value) => {
  expect(compute(text)).toBeCloseTo(value, 12);
});

test.each([
  ['a + c', 'There is no grader "c".'],
  ['a +', 'The formula ends at column 4, where a number, a grader or "(" is expected.'],
  ['a b', 'There is "b" at column 3, where an operator, or the end, is expected.'],
  ['(a', 'The formula ends at column 3, where ")" is expected.'],
  ['a; b', '";" at column 2 has no meaning in a formula.'],
  ['constructor(a)', 'There is no function "constructor".'],
  ['eval(a)', 'There is no function "eval".'],
  ['sqrt(a, b)', 'sqrt takes one value, but is given 2.'],
  ['max + a', 'The function max has no values in brackets.'],
  ['', 'The formula ends at column 1, where a number, a grader or "(" is expected.'],
])('%j is refused', (text, message) => {
  expect(() => compute(text)).toThrow(message);
});

test('sums, products and brackets are as in JavaScript', () => {
  const number = fc.integer({ min: 1, max: 9 }).map(String);
  const { sum } = fc.letrec<{ sum: string; atom: string }>((tie) => ({
    atom: fc.oneof({ depthSize: 'small' }, number, tie('sum').map((inner) => `(${inner})`)), // prettier-ignore
    sum: fc
      .array(fc.tuple(fc.constantFrom('+', '-', '*', '/'), tie('atom')), { maxLength: 4 })
      .chain((rest) => tie('atom').map((first) => first + rest.map(([mark, value]) => ` ${mark} ${value}`).join(''))), // prettier-ignore
  }));
  fc.assert(
    fc.property(sum, (text) => {
      // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
      const expected = new Function(`return ${text}`)() as number; // Digits, operators and brackets only.
      expect(Object.is(compute(text), expected) || Math.abs(compute(text) - expected) < 1e-9 * Math.abs(expected)).toBe(true); // prettier-ignore
    }),
  );
});
