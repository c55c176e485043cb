import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExpressionError, parseExpression } from '../../src/language/expression-parser.ts';
import { evaluateExpression, evaluateText, unwrapExpression } from '../../src/language/expression.ts';

const scope = {
  params: { n: 3, text: 'abc', list: [1, 2], map: { a: { b: 1 } }, none: null, 'odd name': 7 },
  matrix: {},
};

/** What is told of an expression that is wrong. */
function tellOf(text: string): string {
  try {
    evaluateExpression(text, scope);
    return 'nothing';
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
}

describe('values', () => {
  test.each([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['7 % 4 - -1', 4],
    ['1e-3', 0.001],
    ['params.n / 2', 1.5],
    ["'it''s'", "it's"],
    ['"a\\n\\u00e9"', 'a\né'],
    ["params.text + '-' + params.n", 'abc-3'],
    ['params.n == 3 && params.text != "x"', true],
    ['params.none || "other"', 'other'],
    ['false && params.n', false],
    ['!params.none', true],
    ['params.n > 2 ? "big" : params.n > 1 ? "some" : "few"', 'big'],
    ['params.list[0] + params.list[-1]', 3],
    ['params.map.a["b"]', 1],
    ['params["odd name"]', 7],
    ['params.map == params.map', true],
    ['contains(params.list, 2)', true],
    ["contains(params.text, 'bc')", true],
    ["startsWith(params.text, 'a') && endsWith(params.text, 'c')", true],
    ["format('{1}-{0}-{2}', 1, 'x')", 'x-1-{2}'],
    ['toJSON(params.map)', '{"a":{"b":1}}'],
    ['default(params.none, 5)', 5],
    ['1 < 2 == true', true],
    ['2 <= 2 && 3 >= 3', true],
  ])('%s', (text, value) => {
    expect(evaluateExpression(text, scope)).toEqual(value);
  });

  test.each([
    ['', 'The expression ends too early.'],
    ['1 +', 'The expression ends too early.'],
    ['1 2', '"2" comes after the end of the expression.'],
    ['params.', 'After a dot comes a name.'],
    ['(1', 'Here must be ")", but is the end.'],
    ['params.list[0', 'Here must be "]", but is the end.'],
    ['a ? b', 'Here must be ":", but is the end.'],
    ['#', '"#" has no meaning here.'],
    ["'abc", 'This text has no closing quote.'],
    ['params.n = 3', 'Two values are compared with "==".'],
    ['nothing', '"nothing" is not defined.'],
    ['params.nothing', 'params has no "nothing".'],
    ['params.map.a.c', 'params.map.a has no "c".'],
    ['params.list[5]', 'params.list has 2 items, and none at 5; the first is at 0.'],
    ['params.list["x"]', 'params.list has 2 items, and none at x; the first is at 0.'],
    ['nope(1)', 'There is no function "nope".'],
    ['constructor(1)', 'There is no function "constructor".'],
    ['contains(1)', 'contains() takes 2 values, but is given 1.'],
    ['format()', 'format() takes at least 1 value, but is given 0.'],
    ['params.text * 2', 'Here must be a number, but is "abc".'],
    ['-params.text', 'Here must be a number, but is "abc".'],
    ['1 / 0', 'The result is not a finite number.'],
    ['false && params.nothing', 'params has no "nothing".'],
    [`${'('.repeat(300)}1`, 'The expression is nested too deeply.'],
    [`${'!'.repeat(300)}1`, 'The expression is nested too deeply.'],
    [`${'-'.repeat(100_000)}1`, 'The expression is nested too deeply.'],
  ])('%s is told', (text, message) => {
    expect(tellOf(text)).toBe(message);
  });

  test('a long chain of operators or members is no nesting', () => {
    expect(evaluateExpression(Array.from({ length: 500 }, () => '1').join(' + '), scope)).toBe(500);
  });
});

describe('texts', () => {
  const errors: string[] = [];
  const compute = (text: string): unknown =>
    evaluateText(text, scope, (error) => void errors.push(error.message));

  test.each([
    ['${{ params.n }}', 3],
    [' ${{ params.list }} ', [1, 2]],
    ['a${{ params.n }}b${{ params.text }}', 'a3babc'],
    ['\\${{ params.n }}', '${{ params.n }}'],
    ["${{ '}}' }}", '}}'],
    ['${{ "a\\"}}" }}!', 'a"}}!'],
    ['no expression', 'no expression'],
    ['$ {{ }} }}', '$ {{ }} }}'],
  ])('%s', (text, value) => {
    expect(compute(text)).toEqual(value);
  });

  test('one that never ends is told', () => {
    errors.length = 0;
    compute('a ${{ params.n');
    expect(errors).toEqual(['An expression begins with "${{" and never ends with "}}".']);
  });

  test('a condition is the whole text or none', () => {
    expect(unwrapExpression('params.n > 1')).toEqual({ text: 'params.n > 1', offset: 0 });
    expect(unwrapExpression(' ${{ a }} ')).toEqual({ text: ' a ', offset: 4 });
    expect(unwrapExpression('${{ a }} && ${{ b }}')).toBeUndefined();
    expect(unwrapExpression('${{ a')).toBeUndefined();
  });
});

describe('any text', () => {
  /** Pieces from which nearly valid expressions are made. */
  const piece = fc.constantFrom(
    ...'params . n text list [ ] ( ) , ? : ! - + * / % == != < <= > >= && || = 1 0.5 1e3 \'a\' "b" " \' contains format true null matrix ${{ }} \\ # é 🚀'.split(
      ' ',
    ),
    ' ',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
    fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(' ')),
  );

  /** Where an error is, or the whole of what was read; any other kind of error is thrown on. */
  const attempt = (
    read: () => { readonly start: number; readonly end: number },
  ): { readonly start: number; readonly end: number } => {
    try {
      return read();
    } catch (error) {
      if (error instanceof ExpressionError) return error.span;
      throw error;
    }
  };

  test('the parser throws nothing but an expression error, inside of the text', () => {
    fc.assert(
      fc.property(text, (source) => {
        const { start, end } = attempt(() => parseExpression(source));
        expect(0 <= start && start <= end && end <= source.length).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test('computing throws nothing else either', () => {
    fc.assert(
      fc.property(text, (source) => {
        const { end } = attempt(() => {
          evaluateExpression(source, scope);
          return { start: 0, end: source.length };
        });
        expect(end).toBeLessThanOrEqual(source.length);
        evaluateText(`x\${{${source}}}`, scope, () => undefined);
      }),
      { numRuns: 2000 },
    );
  });

  test('a text that is quoted gives itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(evaluateExpression(`'${value.replaceAll("'", "''")}'`, scope)).toBe(value);
        expect(evaluateExpression(JSON.stringify(value), scope)).toBe(value);
      }),
    );
  });

  test('arithmetic on numbers is that of JavaScript', () => {
    const number = fc.integer({ min: 1, max: 1000 });
    fc.assert(
      fc.property(number, number, number, (a, b, c) => {
        expect(evaluateExpression(`${a} + ${b} * ${c} - ${a} / ${b} % ${c}`, scope)).toBe(
          a + b * c - ((a / b) % c),
        );
      }),
    );
  });
});
