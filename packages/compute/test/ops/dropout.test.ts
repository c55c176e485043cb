import { describe, expect, test } from 'vitest';
import {
  Program,
  constant,
  createSession,
  dropout,
  loadBinding,
  randomUniform,
  sum,
} from '../../src/index.ts';
import type { Session, Tensor } from '../../src/index.ts';

/** Runs something that takes a seed. */
async function run(
  backend: Session['backend'],
  seed: readonly [number, number],
  build: (seed: Tensor) => Tensor,
): Promise<Float32Array> {
  const program = new Program();
  program.entry('run', (builder) => ({ outputs: { y: build(builder.input('seed', 'int32', [2])) } }));
  const session = await createSession(program, { backend });
  const { y } = await session.run('run', { seed: Int32Array.from(seed) });
  session.dispose();
  return Float32Array.from(y ?? []);
}

const native = loadBinding();

describe.each(['cpu', 'tensorflow'] as const)('on %s', (backend) => {
  const isMissing = backend === 'tensorflow' && !native.isLoaded;

  test.skipIf(isMissing)('draws are those of TensorFlow for the same seed', async () => {
    const draws = await run(backend, [1, 2], (seed) => randomUniform([6], seed));
    // tf.random.stateless_uniform([6], seed=[1, 2]) gives these.
    expect([...draws].map((value) => Number(value.toFixed(7)))).toEqual([
      0.8440604, 0.1920453, 0.9962232, 0.1603874, 0.2719902, 0.649346,
    ]);
  });

  test.skipIf(isMissing)('a tenth is dropped, and the rest makes up for it', async () => {
    const ones = constant(new Float32Array(20_000).fill(1), [200, 100]);
    const kept = await run(backend, [7, 0], (seed) => dropout(ones, { rate: 0.1, seed }));
    expect(Math.abs(kept.filter((value) => value === 0).length / kept.length - 0.1)).toBeLessThan(0.006);
    expect(Math.max(...kept)).toBeCloseTo(1 / 0.9, 6);
  });

  test.skipIf(isMissing)('another seed drops other places, the same seed the same', async () => {
    const drop = (seed: Tensor): Tensor => dropout(randomUniform([64], seed), { rate: 0.5, seed });
    const [first, again, other] = [
      await run(backend, [5, 1], drop),
      await run(backend, [5, 1], drop),
      await run(backend, [6, 1], drop),
    ];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(await run(backend, [5, 2], (seed) => sum(drop(seed)))).not.toEqual(
      await run(backend, [5, 1], (seed) => sum(drop(seed))),
    );
  });
});
