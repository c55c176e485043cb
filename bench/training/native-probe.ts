/** Speed of matrix products on the TensorFlow library that is set up; prints JSON. */
import { Program, compilesFunctions, createSession, loadBinding, matMul, sumRows } from '@joyul/compute';
import type { Session } from '@joyul/compute';

/** What one library can do. */
export interface NativeProbe {
  readonly version: string;
  /** Whether it compiles fused functions (XLA). */
  readonly compiles: boolean;
  /** Billions of operations a second, the best of many, by name such as `1024x1024x1024 float32`. */
  readonly gflops: Readonly<Record<string, number>>;
}

/** Rows, inner width and columns. */
type Shape = readonly [number, number, number];

const shapes: readonly Shape[] = [
  [1024, 1024, 1024],
  [512, 576, 1536],
];
/** Products in one run, so that the call itself does not count. */
const products = 8;
const runs = 12;

/** A program that multiplies one left matrix by several right ones. */
function makeProgram([rows, inner, columns]: Shape): Program {
  const program = new Program();
  const left = program.variable('left', [rows, inner]);
  const rights = Array.from({ length: products }, (_, index) =>
    program.variable(`right-${index}`, [inner, columns]),
  );
  program.entry('run', () => ({
    outputs: Object.fromEntries(rights.map((right, index) => [`y${index}`, sumRows(matMul(left, right))])),
  }));
  return program;
}

async function fill(session: Session, program: Program): Promise<void> {
  const values = program.variables.map(({ name, shape }) => {
    const data = new Float32Array(shape.reduce((product, length) => product * length, 1));
    return [name, data.map((_, index) => ((index % 13) - 6) / 8)] as const;
  });
  await session.write(Object.fromEntries(values));
}

async function measure(shape: Shape, matmul: 'float32' | 'bfloat16'): Promise<number> {
  const program = makeProgram(shape);
  const session = await createSession(program, { backend: 'tensorflow', matmul });
  await fill(session, program);
  const times: number[] = [];
  for (let index = 0; index < runs; index++) {
    const startMs = performance.now();
    await session.run('run', {});
    times.push(performance.now() - startMs);
  }
  session.dispose();
  return (2 * products * shape[0] * shape[1] * shape[2]) / Math.min(...times) / 1e6;
}

async function probe(): Promise<NativeProbe> {
  const native = loadBinding();
  if (!native.isLoaded) throw new Error(native.reason);
  const gflops: Record<string, number> = {};
  for (const shape of shapes)
    for (const matmul of ['float32', 'bfloat16'] as const)
      gflops[`${shape.join('x')} ${matmul}`] = await measure(shape, matmul);
  return { version: native.version, compiles: await compilesFunctions(native.binding), gflops };
}

if (import.meta.main) console.log(JSON.stringify(await probe()));
