import { collectNodes, sizeOf } from './ir.ts';
import type { Tensor } from './ir.ts';
import type { Binding } from './native/binding.ts';
import { add, mul } from './ops/elementwise.ts';
import { fuse, fuseThreshold } from './ops/fuse.ts';
import { matMul } from './ops/matmul.ts';
import { sumRows } from './ops/structure.ts';
import { Program, tensorsOf } from './program.ts';
import type { Feeds, Session } from './session.ts';
import type { WriteOptions } from './graph/graph-def.ts';
import { createTensorflowSession } from './graph/session-tensorflow.ts';

/** Whether a program has functions to compile. */
export function hasFusedNodes(program: Program): boolean {
  const tensors = program.entries.flatMap((entry) => [
    ...entry.outputs.map((output) => output.tensor),
    ...entry.updates.flatMap(tensorsOf),
  ]);
  return collectNodes(tensors).some((node) => node.op === 'Fused');
}

function makeProgram(shape: readonly number[], build: (x: Tensor) => Tensor): Program {
  const program = new Program();
  program.entry('run', (builder) => ({ outputs: { y: build(builder.input('x', 'float32', shape)) } }));
  return program;
}

const makeFeeds = (shape: readonly number[]): Feeds => ({ x: new Float32Array(sizeOf(shape)).fill(0.5) });

async function tryProgram<T>(
  binding: Binding,
  program: Program,
  options: WriteOptions,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const session = createTensorflowSession(binding, program, options);
  try {
    return await use(session);
  } finally {
    session.dispose();
  }
}

let compiles: Promise<boolean> | undefined;

/** Whether this build of TensorFlow compiles functions and computes right values with them; tried once a process. */
export function compilesFunctions(binding: Binding): Promise<boolean> {
  compiles ??= tryToCompile(binding).catch(() => false);
  return compiles;
}

async function tryToCompile(binding: Binding): Promise<boolean> {
  const shape = [fuseThreshold];
  const program = makeProgram(shape, (x) => fuse([x], (y) => [add(mul(y, 3), 1)] as const)[0]);
  const { y } = await tryProgram(binding, program, { usesXla: true, matmul: 'float32' }, (session) =>
    session.run('run', makeFeeds(shape)),
  );
  return y?.every((value) => value === 2.5) === true;
}

let gain: Promise<number> | undefined;

/** How many times as fast matrix products are in bfloat16 on this machine; measured once a process, in about 50 ms. */
export function measureGain(binding: Binding): Promise<number> {
  gain ??= measureMatmul(binding);
  return gain;
}

/** A gain below this is not worth the lost digits. */
export const worthwhileGain = 1.3;

async function measureMatmul(binding: Binding): Promise<number> {
  const shape = [512, 512];
  const program = makeProgram(shape, (x) => {
    let y = x;
    for (let index = 0; index < 4; index++) y = mul(matMul(y, x), 1 / 256);
    return sumRows(y);
  });
  const measure = (matmul: 'float32' | 'bfloat16'): Promise<number> =>
    tryProgram(binding, program, { usesXla: false, matmul }, async (session) => {
      const times: number[] = [];
      for (let index = 0; index < 6; index++) {
        const start = performance.now();
        await session.run('run', makeFeeds(shape));
        times.push(performance.now() - start);
      }
      return Math.min(...times);
    });
  const wide = await measure('float32');
  return wide / (await measure('bfloat16'));
}
