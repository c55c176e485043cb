import type { Backend } from '@joyul/plugin-api';
import { describe, expect, test } from 'vitest';
import {
  Program,
  add,
  checkpoint,
  createSession,
  gradients,
  linear,
  loadBinding,
  matMul,
  mean,
  predictMemory,
  square,
  tanh,
} from '../src/index.ts';
import type { Tensor } from '../src/index.ts';

const width = 8;
const rows = 4;
const depth = 3;

const noise = (count: number, phase: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => 0.6 * Math.sin(12.9898 * (index + 1) + 78.233 * phase));

/** Layers that share one weight and have one of their own, so that gradients come from several places. */
function makeProgram(isCheckpointed: boolean, size = { width, rows }): Program {
  const program = new Program();
  const shape = [size.width, size.width];
  const shared = program.variable('shared', shape);
  const own = Array.from({ length: depth }, (_, index) => program.variable(`own${index}`, shape));
  program.entry('run', (builder) => {
    const x = builder.input('x', 'float32', [size.rows, size.width]);
    const shift = tanh(x); // An outer tensor that is no weight.
    let states: Tensor = matMul(x, shared);
    for (const weight of own) {
      const layer = (input: Tensor): Tensor =>
        add(tanh(add(linear(tanh(linear(input, weight)), shared), shift)), input);
      states = isCheckpointed ? checkpoint([states], layer) : layer(states);
    }
    const loss = mean(square(states));
    const found = gradients(loss, [shared, ...own]);
    return { outputs: { loss, ...Object.fromEntries(found.map((tensor, index) => [`g${index}`, tensor])) } };
  });
  return program;
}

async function runProgram(program: Program, backend: Backend): Promise<Record<string, unknown>> {
  const session = await createSession(program, { backend });
  try {
    await session.write(
      program.variables.map(({ name }, index) => [name, noise(width * width, index)] as const),
    );
    return await session.run('run', { x: noise(rows * width, 9) });
  } finally {
    session.dispose();
  }
}

const backends: readonly Backend[] = loadBinding().isLoaded ? ['cpu', 'wasm', 'tensorflow'] : ['cpu', 'wasm'];

describe.each(backends)('on %s', (backend) => {
  test('checkpointed layers give the same loss and the same gradients, to the last bit', async () => {
    const plain = await runProgram(makeProgram(false), backend);
    expect(await runProgram(makeProgram(true), backend)).toEqual(plain);
  });
});

test('without gradients a checkpointed layer is computed once', () => {
  const count = (isCheckpointed: boolean): number => {
    const program = new Program();
    program.entry('run', (builder) => {
      const x = builder.input('x', 'float32', [rows, width]);
      return { outputs: { y: isCheckpointed ? checkpoint([x], tanh) : tanh(x) } };
    });
    const options = { backend: 'tensorflow', matmul: 'float32', processBytes: 0 } as const;
    return predictMemory(program, options).parts.activations;
  };
  expect(count(true)).toBe(count(false));
});

test('only the states between checkpointed layers are kept for the backward pass', () => {
  const activations = (isCheckpointed: boolean): number => {
    const program = makeProgram(isCheckpointed, { width: 64, rows: 1 << 18 });
    const { parts } = predictMemory(program, { backend: 'tensorflow', matmul: 'float32', processBytes: 0 });
    return (parts.activations + parts.temporaries) / (4 * 64 * (1 << 18));
  };
  expect(activations(false)).toBeGreaterThan(activations(true) + 2);
});
