import { gradientsFrom } from './gradients.ts';
import { collectNodes, nextNodeId } from './ir.ts';
import type { Tensor } from './ir.ts';
import { after, withGradient } from './ops/structure.ts';

/** What nodes from `start` on read of those before: weights, masks, tables; constants need no gradient. */
function findOuter(output: Tensor, start: number, inputs: readonly Tensor[]): readonly Tensor[] {
  const found = new Map<string, Tensor>();
  for (const node of collectNodes([output])) {
    if (node.id < start) continue;
    for (const tensor of [...node.inputs, ...(node.custom?.inputs ?? [])]) {
      const isOuter = tensor.node.id < start && tensor.node.op !== 'Const';
      if (isOuter && !inputs.some((input) => input.node === tensor.node && input.index === tensor.index))
        found.set(`${tensor.node.id}:${tensor.index}`, tensor);
    }
  }
  return [...found.values()];
}

/**
 * `build` of the inputs, of which only the inputs are kept for the backward pass (Chen et al. 2016).
 *
 * When its gradient is wanted, `build` is traced and computed once more. The second computation waits for the
 * gradient, or it would be done, or merged with the first, long before its results are needed. `build` may
 * read other tensors than its arguments; gradients flow to them too. It gives the same nodes each time.
 */
export function checkpoint<Inputs extends readonly Tensor[]>(
  inputs: Inputs,
  build: (...inputs: Inputs) => Tensor,
): Tensor {
  const start = nextNodeId();
  const output = build(...inputs);
  const outer = findOuter(output, start, inputs);
  const sources = [...inputs, ...outer];
  return withGradient(output, sources, (gradient, needed) => {
    const again = inputs.map((input) => after(input, gradient)) as readonly Tensor[] as Inputs; // One for each input.
    const recomputed = build(...again);
    const targets = [...again, ...outer];
    const wanted = targets.filter((_, index) => needed[index] === true);
    const results = new Map(
      gradientsFrom(recomputed, gradient, wanted).map((result, index) => [wanted[index], result] as const),
    );
    return targets.map((target) => results.get(target));
  });
}
