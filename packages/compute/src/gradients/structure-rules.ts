import type { Node, Tensor } from '../ir.ts';
import { sizeOf } from '../ir.ts';
import { mul } from '../ops/elementwise.ts';
import { lengthOf } from '../ops/shapes.ts';
import { broadcastTo, gather, pad, reshape, segmentSum, slice, transpose } from '../ops/structure.ts';
import type { Rule } from './rule.ts';
import { inputOf, unbroadcast } from './rule.ts';

function expand(node: Node, gradient: Tensor): Tensor {
  const x = inputOf(node, 0);
  const axes = node.attributes['axes'] as readonly number[]; // Set by every reduction.
  const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  return broadcastTo(reshape(gradient, kept), x.shape);
}

/** Puts a slice's gradient back in its place, with zeros around it. */
function padBack(node: Node, gradient: Tensor): Tensor {
  const x = inputOf(node, 0);
  const begin = inputOf(node, 1).node.data ?? [];
  const amounts = x.shape.map((length, axis) => {
    const before = begin[axis] ?? 0;
    return [before, length - before - lengthOf(gradient, axis)] as const;
  });
  return pad(gradient, amounts);
}

/** Gradients of the operations that move elements or add them up. */
export const structureRules: Readonly<Record<string, Rule>> = {
  Reshape: (node, g) => [reshape(g, inputOf(node, 0).shape)],
  Transpose: (node, g) => {
    const order = [...(inputOf(node, 1).node.data ?? [])];
    const inverse = order.map((_, axis) => order.indexOf(axis));
    return [transpose(g, inverse)];
  },
  Slice: (node, g) => [padBack(node, g)],
  ConcatV2: (node, g) => {
    const parts = node.inputs.slice(0, -1);
    const axis = inputOf(node, parts.length).node.data?.[0] ?? 0;
    let at = 0;
    return parts.map((part) => {
      const begin = part.shape.map((_, index) => (index === axis ? at : 0));
      at += lengthOf(part, axis);
      return slice(g, begin, part.shape);
    });
  },
  BroadcastTo: (node, g) => [unbroadcast(g, inputOf(node, 0))],
  GatherV2: (node, g) => {
    const [table, indices] = [inputOf(node, 0), inputOf(node, 1)];
    const rows = sizeOf(indices.shape);
    return [
      segmentSum(reshape(g, [rows, ...table.shape.slice(1)]), reshape(indices, [rows]), lengthOf(table, 0)),
    ];
  },
  Pad: (node, g) => {
    const x = inputOf(node, 0);
    const amounts = inputOf(node, 1).node.data ?? [];
    return [
      slice(
        g,
        x.shape.map((_, axis) => amounts[2 * axis] ?? 0),
        x.shape,
      ),
    ];
  },
  UnsortedSegmentSum: (node, g) => [gather(g, inputOf(node, 1))],
  Sum: (node, g) => [expand(node, g)],
  Mean: (node, g) => {
    const count = sizeOf(inputOf(node, 0).shape) / sizeOf(g.shape);
    return [expand(node, mul(g, 1 / count))];
  },
};
