import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Rig } from '@joyul/testing';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..');
const file = join(root, 'schemas', 'pipeline.schema.json');

test('schemas/pipeline.schema.json is what `npm run joyul -- schema` prints', async () => {
  await using rig = await Rig.create();
  const { stdout } = await rig.joyul('schema');
  expect(await readFile(file, 'utf8')).toBe(stdout);
});

test('docs/errors.md is what `npm run joyul -- errors` prints', async () => {
  await using rig = await Rig.create();
  const { stdout } = await rig.joyul('errors');
  expect(await readFile(join(root, 'docs', 'errors.md'), 'utf8')).toBe(stdout);
});

async function makeCheck(): Promise<(pipeline: unknown) => boolean> {
  const check = new Ajv({ strict: false }).compile(JSON.parse(await readFile(file, 'utf8')) as object);
  return (pipeline) => check(pipeline);
}

test('every pipeline of this repository fits the schema that editors use', async () => {
  const fits = await makeCheck();
  const names = await readdir(join(root, 'pipelines'));
  for (const name of names.filter((file) => file.endsWith('.yaml')))
    expect([name, fits(parse(await readFile(join(root, 'pipelines', name), 'utf8')))]).toEqual([name, true]);
});

test.each([
  ['an unknown param', { uses: 'train', with: { epochs: 3 } }],
  ['a param of another type', { uses: 'hparams', with: { epochs: 'many' } }],
  ['an unknown input', { uses: 'train', inputs: { datset: 'prepare.dataset' } }],
  ['a reference without a port', { uses: 'train', inputs: { dataset: 'prepare' } }],
  ['a gate with an unknown key', { uses: 'train', gates: [{ check: 'metrics.a > 1', mesage: 'no' }] }],
])('the schema refuses %s', async (_, step) => {
  const fits = await makeCheck();
  expect(fits({ name: 'p', steps: { step } })).toBe(false);
});

test('an expression may stand for any value, and other plugins may be used', async () => {
  const fits = await makeCheck();
  const steps = {
    hparams: { uses: 'hparams', with: { epochs: '${{ params.epochs }}' } },
    other: { uses: '@acme/joyul-step', with: { any: 'thing' } },
    tune: { uses: './tune.yaml', with: { lr: 0.1 }, inputs: { dataset: 'inputs.dataset' } },
    test: { uses: '@acme/test', gates: ['metrics.accuracy >= 0.9', { check: 'metrics.f1 > params.floor' }] },
  };
  const more = {
    inputs: { dataset: { type: 'dataset', optional: true } },
    outputs: { model: 'tune.model', other: { from: 'other.x', type: 'files' } },
    pools: { gpu: ['0', '1'], db: 2, disk: '10GB' },
  };
  expect(fits({ name: 'p', ...more, steps })).toBe(true);
});
