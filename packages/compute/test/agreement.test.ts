import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eagerKernels } from '../src/eager/eager-kernels.ts';
import { loadBinding } from '../src/index.ts';
import type { Program, Tensor } from '../src/index.ts';
import * as operations from '../src/ops/index.ts';
import { differentiableCases, forwardCases } from './operation-cases.ts';
import { feedsOf, makeForwardProgram, makeGradientProgram, runOn } from './run-case.ts';

const programs = [
  ...differentiableCases.map((item) => [item[0], item, makeGradientProgram] as const),
  ...forwardCases.map((item) => [item[0], item, makeForwardProgram] as const),
];

const native = loadBinding();

describe.each(['wasm', 'tensorflow'] as const)('%s agrees with plain JavaScript', (backend) => {
  const isMissing = backend === 'tensorflow' && !native.isLoaded;
  test.skipIf(isMissing).each(programs)(
    `%s${isMissing ? ' (skipped: TensorFlow is not set up here)' : ''}`,
    async (_name, item, make) => {
      const expected = await runOn('cpu', make(item), feedsOf(item));
      const found = await runOn(backend, make(item), feedsOf(item));
      for (const [name, data] of Object.entries(expected)) {
        expect(found[name]?.length).toBe(data.length);
        data.forEach((value, index) => {
          const difference = Math.abs((found[name]?.[index] ?? Number.NaN) - value);
          expect(difference).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
        });
      }
    },
  );
});

/** All operations of a program, those inside fused functions and behind custom gradients too. */
function opsOf(program: Program): ReadonlySet<string> {
  const seen = new Set<Tensor['node']>();
  const visit = ({ node }: Tensor): void => {
    if (seen.has(node)) return;
    seen.add(node);
    node.inputs.forEach(visit);
    node.body?.results.forEach(visit);
  };
  for (const entry of program.entries) entry.outputs.forEach((output) => visit(output.tensor));
  return new Set([...seen].map((node) => node.op));
}

const sourceDir = join(import.meta.dirname, '../src');
const read = (file: string): string => readFileSync(join(sourceDir, file), 'utf8');

test('every operation is in a case that all backends run', () => {
  const used = new Set(programs.flatMap(([, item, make]) => [...opsOf(make(item))]));
  const files = readdirSync(sourceDir, { recursive: true, encoding: 'utf8' });
  const made = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [
      ...read(file).matchAll(
        /\b(?:makeTensor|makeNode|unary|binary|reduce|pool|poolGradient|activationGradient)\(\s*'([A-Z]\w+)'/g,
      ),
    ])
    .map(([, op]) => op ?? '');
  // A variable is not computed; the tests of sessions read and write them.
  const all = new Set([...made, ...Object.keys(eagerKernels)].filter((op) => op !== 'Variable'));
  expect(all.size).toBeGreaterThan(60);
  expect([...all].filter((op) => !used.has(op))).toEqual([]);
});

test('every function that makes operations is in a case with gradients, or known to have none', () => {
  const source = readFileSync(join(import.meta.dirname, 'operation-cases.ts'), 'utf8');
  const [, afterImports = ''] = source.split('} = joyul;');
  const [withGradients = ''] = afterImports.split('export const forwardCases');
  const missing = Object.keys(operations).filter((name) => !new RegExp(`\\b${name}\\b`).test(withGradients));
  expect(missing.sort()).toEqual([
    'after',
    'argMax',
    'compiled',
    'countCorrect',
    'equal',
    'forbid',
    'fuse',
    'greater',
    'less',
    'lessEqual',
    'max',
    'notEqual',
    'oneHot',
    'packHalf',
    'paddingBias',
    'randomUniform',
    'resizeBilinear',
    'unpackHalf',
    'updateSlice',
  ]);
});
