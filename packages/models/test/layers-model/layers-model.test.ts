import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program, createSession, loadBinding, softmax } from '@joyul/compute';
import type { Session, Tensor } from '@joyul/compute';
import { describe, expect, test } from 'vitest';
import { LayersModel, openLayersModel } from '../../src/index.ts';
import { drawImage } from './images.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
/** What Keras 2, Keras 3 and TensorFlow.js compute; the scripts beside the fixtures made them. */
const expected = {
  ...(JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')) as Record<string, number[]>), // As the script writes it.
  ...(JSON.parse(readFileSync(join(fixtures, 'tfjs/expected.json'), 'utf8')) as Record<string, number[]>), // As above.
};

const pathOf = (name: string): string => join(fixtures, name === 'tfjs' ? 'tfjs' : `${name}.h5`);

/** Results of functions of an image [1, 9, 8, 3] and a model. */
async function compute(
  name: string,
  backend: Session['backend'],
  build: (model: LayersModel, image: Tensor) => Record<string, Tensor>,
): Promise<Record<string, ArrayLike<number>>> {
  const file = await openLayersModel(pathOf(name));
  const program = new Program();
  const model = LayersModel.declare(program, file);
  program.entry('run', (builder) => ({
    outputs: build(model, builder.input('image', 'float32', [1, 9, 8, 3])),
  }));
  const session = await createSession(program, { backend });
  await session.write(Object.fromEntries([...file.tensors].map(([key, { data }]) => [key, data])));
  const outputs = await session.run('run', { image: drawImage(9, 8) });
  session.dispose();
  return outputs;
}

const difference = (left: ArrayLike<number> = [], right: ArrayLike<number> = []): number =>
  left.length === right.length
    ? Math.max(...Array.from(left, (value, index) => Math.abs(value - (right[index] ?? Number.NaN))))
    : Number.NaN;

describe.each(['cpu', 'wasm', 'tensorflow'] as const)('on %s', (backend) => {
  const isMissing = backend === 'tensorflow' && !loadBinding().isLoaded;
  const title = isMissing ? ' (skipped: TensorFlow is not set up here)' : '';

  test.skipIf(isMissing).each(Object.entries(expected))(
    `%s gives what the library that saved it gives${title}`,
    async (name, probabilities) => {
      const { y } = await compute(name, backend, (model, image) => ({ y: model.run(image) }));
      expect(difference(y, probabilities)).toBeLessThan(1e-5);
    },
  );
});

test.each(['every-layer-keras3', 'tfjs'])('%s taken apart behind any cut gives the same', async (name) => {
  const outputs = await compute(name, 'cpu', (model, image) =>
    Object.fromEntries(
      model.cuts.map((cut) => [cut, model.run(model.run(image, { to: cut }), { from: cut })]),
    ),
  );
  expect(Object.keys(outputs).length).toBeGreaterThan(8);
  for (const y of Object.values(outputs)) expect(difference(y, expected[name])).toBeLessThan(1e-5);
});

test('a model cannot be taken apart where a second path goes by', async () => {
  const attempt = compute('tfjs', 'cpu', (model, image) => ({ y: model.run(image, { from: 'deep' }) }));
  await expect(attempt).rejects.toThrow(
    'The model cannot be taken apart there; it can behind pad, conv, norm, relu, join, separable, largest, flatten, dense.',
  );
});

test.each(['every-layer-keras2', 'sequential-keras3'])('the softmax of the logits of %s', async (name) => {
  const { y } = await compute(name, 'cpu', (model, image) => ({
    y: softmax(model.run(image, { asLogits: true })),
  }));
  expect(difference(y, expected[name])).toBeLessThan(1e-5);
});

test('the result of a convolution is not normalised when it is asked for itself', async () => {
  const outputs = await compute('sequential-keras3', 'cpu', (model, image) => ({
    whole: model.run(image, { to: 'norm' }),
    inTwo: model.run(model.run(image, { to: 'conv' }), { from: 'conv', to: 'norm' }),
  }));
  expect(difference(outputs['whole'], outputs['inTwo'])).toBeLessThan(1e-5);
});

test('blocks are the layers with weights, and statistics are not trainable', async () => {
  const file = await openLayersModel(pathOf('sequential-keras2'));
  const model = LayersModel.declare(new Program(), file);
  expect(file.blocks).toEqual(['conv', 'norm', 'dense']);
  expect([...model.weights.values()].filter((weight) => !weight.isTrainable).map(({ name }) => name)).toEqual(
    ['norm/moving_mean', 'norm/moving_variance'],
  );
});
