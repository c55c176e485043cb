import { expect, test } from 'vitest';
import { findShapeProblems } from '../src/shape.ts';
import { parseSource } from '../src/source-files.ts';

const path = 'packages/core/src/a.ts';
const problemsOf = (text: string, at = path): readonly string[] => findShapeProblems([parseSource(at, text)]);
const lines = (count: number, line: string): string => `${line}\n`.repeat(count);

test('a file of 400 lines is fine, one more is not', () => {
  expect(problemsOf(lines(400, 'f();'))).toEqual([]);
  expect(problemsOf(lines(401, 'f();'))).toEqual([`${path}: 401 lines; 400 are the limit`]);
});

test('tests may be long', () => {
  expect(problemsOf(lines(500, 'f();'), 'packages/core/test/a.test.ts')).toEqual([]);
});

test('a function of more than 60 lines is found', () => {
  const text = `function f() {\n${lines(60, 'g();')}}\n`;
  expect(problemsOf(text)).toEqual([`${path}:1: a function of 62 lines; 60 are the limit`]);
});

test('the lines of inner functions are not counted twice', () => {
  const inner = `  const h = () => {\n${lines(40, 'g();')}  };\n`;
  expect(problemsOf(`function f() {\n${inner}${inner}${lines(20, 'g();')}}\n`)).toEqual([]);
});

test('a cast needs a reason near it, `as const` does not', () => {
  expect(problemsOf('const a = b as string;\n')).toEqual([
    `${path}:1: \`as\` without a comment that says why it is right`,
  ]);
  expect(problemsOf('const a = b as string; // The parser checked it.\n')).toEqual([]);
  expect(problemsOf('const a = [1] as const;\n')).toEqual([]);
});
