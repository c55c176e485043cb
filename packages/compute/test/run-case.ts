import { Program, constant, createSession, gradients, mul, sum } from '../src/index.ts';
import type { Session, Tensor } from '../src/index.ts';
import { size, values } from './operation-cases.ts';
import type { Case } from './operation-cases.ts';

/** A scalar that depends on every element in another way. */
const mix = (x: Tensor): Tensor => sum(mul(x, constant(values(size(x.shape), 9), x.shape)));

/** A program that gives a scalar made of a case's result, and the gradients of its inputs. */
export function makeGradientProgram([, shapes, build]: Case): Program {
  const program = new Program();
  program.entry('run', (builder) => {
    const inputs = shapes.map((shape, index) => builder.input(`x${index}`, 'float32', shape));
    const loss = mix(build(...inputs));
    const found = gradients(loss, inputs);
    return {
      outputs: { loss, ...Object.fromEntries(found.map((gradient, index) => [`g${index}`, gradient])) },
    };
  });
  return program;
}

/** A program that gives a case's result as it is. */
export function makeForwardProgram([, shapes, build]: Case): Program {
  const program = new Program();
  program.entry('run', (builder) => {
    const inputs = shapes.map((shape, index) => builder.input(`x${index}`, 'float32', shape));
    return { outputs: { y: build(...inputs) } };
  });
  return program;
}

/** Values for a case's inputs. */
export const feedsOf = ([, shapes]: Case): Record<string, Float32Array> =>
  Object.fromEntries(shapes.map((shape, index) => [`x${index}`, values(size(shape), index)]));

/** What a program gives on a backend. */
export async function runOn(
  backend: Session['backend'],
  program: Program,
  feeds: Readonly<Record<string, Float32Array>>,
): ReturnType<Session['run']> {
  const session = await createSession(program, { backend });
  try {
    return await session.run('run', feeds);
  } finally {
    session.dispose();
  }
}
