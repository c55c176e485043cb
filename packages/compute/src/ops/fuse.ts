import type { Tensor } from '../ir.ts';
import { collectNodes, makeNode, makeTensor, sizeOf } from '../ir.ts';

/** From this many elements on a pass over memory costs more than the call of a compiled function. */
export const fuseThreshold = 1 << 17;

/**
 * `build` of the inputs, as one pass over memory where TensorFlow can compile it.
 *
 * Each elementwise operation reads and writes whole tensors; a chain of ten is bound by memory. XLA
 * compiles it to one loop. `build` is written with elementwise operations and reductions, holds no
 * matrix products, and reads nothing but its arguments and constants. It has no gradient: wrap it in
 * {@link withGradient}. Small tensors, and backends without a compiler, run the operations one by one.
 */
export function fuse<Inputs extends readonly Tensor[], Results extends readonly Tensor[]>(
  inputs: Inputs,
  build: (...inputs: Inputs) => Results,
): Results {
  if (Math.max(...inputs.map((tensor) => sizeOf(tensor.shape))) < fuseThreshold) return build(...inputs);
  return compiled(inputs, build);
}

/**
 * `build` of the inputs as one compiled function, however small they are.
 *
 * Worth it for dozens of small operations, which take longer to start than to run, and for what writes over variables
 * that it is given. Products in it are in float32 and on one core: only small ones belong here. It has no gradient.
 */
export function compiled<Inputs extends readonly Tensor[], Results extends readonly Tensor[]>(
  inputs: Inputs,
  build: (...inputs: Inputs) => Results,
): Results {
  const parameters = inputs.map((tensor) => makeTensor('Parameter', [], tensor.shape, tensor.dtype)) as [
    ...Inputs,
  ] as Inputs; // One parameter for each input.
  const results = build(...parameters);
  const known = new Set(parameters.map((parameter) => parameter.node));
  const stray = collectNodes(results).find(
    (node) => node.inputs.length === 0 && node.op !== 'Const' && !known.has(node),
  );
  if (stray !== undefined) throw new Error(`Internal error: a fused function reads an outer ${stray.op}.`);
  const outputs = results.map(({ shape, dtype }) => ({ shape, dtype }));
  return makeNode('Fused', inputs, outputs, {}, { body: { parameters, results } }) as Results; // One output for each result.
}
