import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLayersModel } from '../../src/index.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'joyul-layers-'));
});
afterAll(() => rm(dir, { recursive: true }));

interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: Readonly<Record<string, unknown>>;
}

/** A sequential model of these layers behind an image [4, 4, 3], as TensorFlow.js saves it. */
async function writeModel(
  layers: readonly (readonly [kind: string, config: Readonly<Record<string, unknown>>])[],
  weights: readonly Weight[] = [],
  content = Buffer.alloc(0),
): Promise<string> {
  const input = { class_name: 'InputLayer', config: { name: 'image', batch_input_shape: [null, 4, 4, 3] } };
  const list = [input, ...layers.map(([kind, config]) => ({ class_name: kind, config }))];
  const json = {
    format: 'layers-model',
    modelTopology: { class_name: 'Sequential', config: { name: 'small', layers: list } },
    weightsManifest: [{ paths: ['weights.bin'], weights }],
  };
  await writeFile(join(dir, 'weights.bin'), content);
  await writeFile(join(dir, 'model.json'), JSON.stringify(json));
  return dir;
}

describe('a model that cannot be computed is refused with everything that is wrong', () => {
  test('layers, settings and weights', async () => {
    const path = await writeModel([
      ['Conv2D', { name: 'conv', activation: 'mish', data_format: 'channels_first', use_bias: false }],
      ['UpSampling2D', { name: 'up' }],
      ['LSTM', { name: 'memory' }],
      ['UpSampling2D', { name: 'up_again' }],
      ['ReLU', { name: 'relu', threshold: 0.5 }],
    ]);
    await expect(openLayersModel(path)).rejects.toThrow(
      'model.json cannot be tuned here: ' +
        'UpSampling2D is not a supported layer (up, up_again). LSTM is not a supported layer (memory). ' +
        'The layer conv (Conv2D) has the setting data_format channels_first, which is not supported. ' +
        'The layer conv (Conv2D) has the setting activation mish, which is not supported. ' +
        'The layer relu (ReLU) has the setting threshold, which is not supported. ' +
        'The weight conv/kernel is missing.',
    );
  });

  test('a weight with other axes', async () => {
    const weight = { name: 'dense/kernel', shape: [3], dtype: 'float32' };
    const path = await writeModel(
      [['Dense', { name: 'dense', use_bias: false }]],
      [weight],
      Buffer.alloc(12),
    );
    await expect(openLayersModel(path)).rejects.toThrow('The weight dense/kernel has 1 axes instead of 2.');
  });

  test('weights that end early', async () => {
    const weight = { name: 'dense/kernel', shape: [3, 2], dtype: 'float32' };
    const path = await writeModel(
      [['Dense', { name: 'dense', use_bias: false }]],
      [weight],
      Buffer.alloc(20),
    );
    await expect(openLayersModel(path)).rejects.toThrow('Its weights have 20 bytes instead of 24.');
  });

  test('a graph model', async () => {
    await writeFile(join(dir, 'model.json'), JSON.stringify({ format: 'graph-model' }));
    await expect(openLayersModel(dir)).rejects.toThrow(
      'model.json cannot be tuned here: It is a graph model, which cannot be trained; a layers model is needed.',
    );
  });

  test('files of weights outside the folder', async () => {
    const weightsManifest = [{ paths: ['../../secret.bin'], weights: [] }];
    await writeFile(join(dir, 'model.json'), JSON.stringify({ modelTopology: {}, weightsManifest }));
    await expect(openLayersModel(dir)).rejects.toThrow('It names weights outside its folder.');
  });

  test('a file of another kind', async () => {
    await writeFile(join(dir, 'model.h5'), 'no HDF5');
    await expect(openLayersModel(join(dir, 'model.h5'))).rejects.toThrow(
      'model.h5 cannot be tuned here: It is not an HDF5 file.',
    );
  });

  test('a damaged HDF5 file', async () => {
    const whole = await readFile(join(import.meta.dirname, 'fixtures/sequential-keras3.h5'));
    await writeFile(join(dir, 'half.h5'), whole.subarray(0, whole.length / 2));
    await expect(openLayersModel(join(dir, 'half.h5'))).rejects.toThrow(
      'half.h5 cannot be tuned here: It is damaged: truncated file: eof = 11216,',
    );
  });
});

test.each([
  ['uint8', Buffer.from([0, 10, 255]), [-1, 0, 24.5]],
  ['uint16', Buffer.from(Uint16Array.of(0, 10, 1000).buffer), [-1, 0, 99]],
])('weights that TensorFlow.js quantized as %s are scaled back', async (dtype, content, numbers) => {
  const weight = {
    name: 'dense/kernel',
    shape: [3, 1],
    dtype: 'float32',
    quantization: { dtype, scale: 0.1, min: -1 },
  };
  const path = await writeModel([['Dense', { name: 'dense', use_bias: false }]], [weight], content);
  const { tensors } = await openLayersModel(path);
  const data = tensors.get('dense/kernel')?.data ?? [];
  numbers.forEach((value, index) => expect(data[index]).toBeCloseTo(value, 5));
});

test('half floats are widened', async () => {
  const weight = {
    name: 'dense/kernel',
    shape: [2, 1],
    dtype: 'float32',
    quantization: { dtype: 'float16' },
  };
  const content = Buffer.from(Uint16Array.of(0x3c00, 0xc000).buffer); // 1 and −2.
  const path = await writeModel([['Dense', { name: 'dense', use_bias: false }]], [weight], content);
  expect([...((await openLayersModel(path)).tensors.get('dense/kernel')?.data ?? [])]).toEqual([1, -2]);
});

test('two layers of one name are refused, since nothing says whose the weights are', async () => {
  const weights = ['a', 'b'].map((model) => ({
    name: `${model}/dense/kernel`,
    shape: [3, 3],
    dtype: 'float32',
  }));
  const dense = ['Dense', { name: 'dense', use_bias: false }] as const;
  const path = await writeModel([dense, dense], weights, Buffer.alloc(72));
  await expect(openLayersModel(path)).rejects.toThrow('Two layers are called dense.');
});
