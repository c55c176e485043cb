import { describe, expect, test } from 'vitest';
import { Program, createSession, loadBinding, packHalf, unpackHalf } from '../../src/index.ts';

const isMissing = !loadBinding().isLoaded;

describe.each(['cpu', 'tensorflow'] as const)('half-precision pairs on %s', (backend) => {
  const why = backend === 'tensorflow' && isMissing ? ' (skipped: TensorFlow is not set up here)' : '';
  test.skipIf(why !== '')(`are the bits of Float16Array, and come back as its numbers${why}`, async () => {
    // One of each: exact, rounded, the largest, the smallest subnormal, zero and negative.
    const values = Float32Array.of(1, 0.1, 65_504, 5.960_464_477_539_063e-8, 0, -2.333);
    const halves = new Float16Array(values);
    const program = new Program();
    program.entry('pack', (builder) => ({
      outputs: { packed: packHalf(builder.input('x', 'float32', [3, 2])) },
    }));
    program.entry('unpack', (builder) => ({
      outputs: { x: unpackHalf(builder.input('packed', 'int32', [3, 1])) },
    }));
    const session = await createSession(program, { backend });
    const { packed } = await session.run('pack', { x: values });
    expect(packed).toEqual(new Int32Array(halves.buffer));
    const { x } = await session.run('unpack', { packed: packed ?? Int32Array.of() });
    expect(x).toEqual(new Float32Array(halves));
    session.dispose();
  });
});
