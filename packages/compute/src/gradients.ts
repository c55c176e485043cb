import type { Node, Tensor } from './ir.ts';
import { collectNodes, constant, scalar, sizeOf } from './ir.ts';
import { convolutionRules } from './gradients/convolution-rules.ts';
import { elementwiseRules } from './gradients/elementwise-rules.ts';
import { productRules } from './gradients/product-rules.ts';
import type { Rule } from './gradients/rule.ts';
import { structureRules } from './gradients/structure-rules.ts';
import { add } from './ops/elementwise.ts';
import { fuse } from './ops/fuse.ts';

const rules: Readonly<Record<string, Rule>> = {
  ...elementwiseRules,
  ...structureRules,
  ...productRules,
  ...convolutionRules,
};

/** The tensors that gradients flow to from a node. */
const sourcesOf = (node: Node): readonly Tensor[] => node.custom?.inputs ?? node.inputs;

/** Marks the nodes on a path from `wrt`: only they need gradients. */
function findNeeded(nodes: readonly Node[], wrt: readonly Tensor[]): ReadonlySet<Node> {
  const needed = new Set(wrt.map((tensor) => tensor.node));
  for (const node of nodes) {
    if (sourcesOf(node).some((source) => needed.has(source.node))) needed.add(node);
  }
  return needed;
}

/**
 * Gradients of `loss` (shape []) with respect to tensors, by reverse accumulation on the graph.
 *
 * Nothing is computed for what does not lead to one of them: frozen weights and the layers
 * below the lowest trained one cost nothing.
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): readonly Tensor[] {
  const nodes = collectNodes([loss]);
  const needed = findNeeded(nodes, wrt);
  const found = new Map<Node, (readonly Tensor[])[]>();
  const addTo = (tensor: Tensor, gradient: Tensor): void => {
    const lists = found.get(tensor.node) ?? [];
    lists[tensor.index] = [...(lists[tensor.index] ?? []), gradient];
    found.set(tensor.node, lists);
  };
  const sumAt = ({ node, index }: Pick<Tensor, 'node' | 'index'>): Tensor | undefined => {
    const lists = found.get(node);
    const total = sumOf(lists?.[index] ?? []);
    if (lists !== undefined && total !== undefined) lists[index] = [total];
    return total;
  };
  addTo(loss, scalar(1));
  for (const node of [...nodes].reverse()) {
    const gradient = sumAt({ node, index: 0 });
    if (gradient === undefined || !needed.has(node)) continue;
    const sources = sourcesOf(node);
    if (sources.length === 0) continue;
    const wanted = sources.map((source) => needed.has(source.node));
    const results = node.custom?.backward(gradient, wanted) ?? applyRule(node, gradient);
    results.forEach((result, index) => {
      const source = sources[index];
      if (source !== undefined && result !== undefined && wanted[index] === true) addTo(source, result);
    });
  }
  return wrt.map((tensor) => sumAt(tensor) ?? constant(new Float32Array(sizeOf(tensor.shape)), tensor.shape));
}

/** The sum of gradients, in one pass over them. */
function sumOf(parts: readonly Tensor[]): Tensor | undefined {
  if (parts.length < 2) return parts[0];
  return fuse(parts, (...all) => [all.reduce((left, right) => add(left, right))])[0];
}

function applyRule(node: Node, gradient: Tensor): readonly (Tensor | undefined)[] {
  const rule = rules[node.op];
  if (rule === undefined) throw new Error(`Internal error: ${node.op} has no gradient.`);
  const output: Tensor = {
    node,
    index: 0,
    shape: gradient.shape,
    dtype: node.outputs[0]?.dtype ?? gradient.dtype,
  };
  return rule(node, gradient, output);
}

/** Operations that have a gradient of their own; the tests check each. */
export const differentiableOps: readonly string[] = Object.keys(rules);
