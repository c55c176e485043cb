import { expect, test } from 'vitest';
import { findBoundaryProblems, findCycles } from '../src/boundaries.ts';
import { parseSource } from '../src/source-files.ts';

const packages = [
  {
    name: '@joyul/core',
    folder: 'packages/core',
    exports: ['.'],
    dependencies: ['yaml', '@joyul/plugin-api', '@joyul/cli'],
  },
  {
    name: '@joyul/step-train',
    folder: 'packages/step-train',
    exports: ['.'],
    dependencies: ['@joyul/step-init', '@joyul/training', '@joyul/core'],
  },
];

/** Problems of a few files, each given as its path and text. */
const problemsOf = (files: Readonly<Record<string, string>>): readonly string[] =>
  findBoundaryProblems(
    Object.entries(files).map(([path, text]) => parseSource(path, text)),
    packages,
  );

test('imports that follow the arrows give no problem', () => {
  const files = {
    'packages/core/src/plan/plan.ts': `import type { Graph } from '../graph/graph.ts';\nimport { parse } from 'yaml';`,
    'packages/core/src/graph/graph.ts': `import { readFileSync } from 'node:fs';`,
    'packages/step-train/src/index.ts': `import { train } from '@joyul/training';`,
  };
  expect(problemsOf(files)).toEqual([]);
});

test('the engine never imports the command line', () => {
  expect(problemsOf({ 'packages/core/src/a.ts': `\nimport { run } from '@joyul/cli';` })).toEqual([
    'packages/core/src/a.ts:2: is in @joyul/core, which may not import @joyul/cli',
  ]);
});

test.each(['@joyul/step-init', '@joyul/core'])('a step never imports %s', (name) => {
  const path = 'packages/step-train/src/run.ts';
  expect(problemsOf({ [path]: `export { run } from '${name}';` })).toEqual([
    `${path}:1: is in @joyul/step-train, which may not import ${name}`,
  ]);
});

test('a folder of the engine imports only what its row names', () => {
  expect(problemsOf({ 'packages/core/src/store/a.ts': `import '../execute/b.ts';` })).toEqual([
    'packages/core/src/store/a.ts:1: is in core/src/store and imports core/src/execute',
  ]);
});

test('a package that is not declared is found, also behind a dynamic import', () => {
  expect(problemsOf({ 'packages/core/src/a.ts': `const load = () => import('left-pad/x');` })).toEqual([
    'packages/core/src/a.ts:1: imports left-pad, which @joyul/core does not declare',
  ]);
});

test('another package is not reached by its path', () => {
  expect(problemsOf({ 'packages/core/src/a.ts': `import '../../cli/src/main.ts';` })).toEqual([
    'packages/core/src/a.ts:1: reaches into another package by its path: ../../cli/src/main.ts',
  ]);
});

test('files that need each other at run time are a cycle; types may look back', () => {
  const a = 'packages/core/src/a.ts';
  const b = 'packages/core/src/b.ts';
  const value = { [a]: `import { b } from './b.ts';`, [b]: `import { a } from './a.ts';` };
  const type = { [a]: `import { b } from './b.ts';`, [b]: `import type { A } from './a.ts';` };
  expect(problemsOf(value)).toEqual([`files in a cycle: ${a} → ${b} → ${a}`]);
  expect(problemsOf(type)).toEqual([]);
});

test('an export pattern is refused', () => {
  const [core] = packages;
  expect(core).toBeDefined();
  const problems = findBoundaryProblems([], core === undefined ? [] : [{ ...core, exports: ['.', './*'] }]);
  expect(problems).toEqual(['packages/core/package.json: exports "./*"; every export needs its own name']);
});

test('a diamond is no cycle', () => {
  const edges = new Map([
    ['a', ['b', 'c']],
    ['b', ['d']],
    ['c', ['d']],
    ['d', []],
  ]);
  expect(findCycles(edges)).toEqual([]);
});
