import type { FusedBody, Node, Tensor } from '../ir.ts';
import { collectNodes, makeNode } from '../ir.ts';
import { add, div, mul } from '../ops/elementwise.ts';
import { matMul } from '../ops/matmul.ts';
import { slice } from '../ops/structure.ts';

/** XLA keeps a product out of its loops when the row has this many elements or more (16 KiB). */
const longestRow = 4095;

/** Whether a node multiplies one row x [1, in] with a matrix [out, in]. */
const isRowProduct = ({ op, inputs: [row], attributes }: Node): boolean =>
  op === 'MatMul' &&
  row?.shape[0] === 1 &&
  attributes['transposeA'] !== true &&
  attributes['transposeB'] === true;

/**
 * A body whose products of one row with a matrix become loops on all cores.
 *
 * XLA hands such a product to a loop of one thread unless there is something to compute the matrix from: then it is
 * part of a loop that is spread over the cores, and the matrix is never there as a whole. A matrix that is only
 * read is multiplied with 1, written so that no compiler sees that it is: 1 + 0·x₀. The row is divided by it, since
 * what makes the row would otherwise become part of the loop as well, and be done anew for each element of the
 * result; XLA leaves divisions outside. Longer rows are multiplied in parts.
 */
export function spreadRowProducts(body: FusedBody): FusedBody {
  const nodes = collectNodes(body.results);
  if (!nodes.some(isRowProduct)) return body;
  const parameters = new Set(body.parameters.map(({ node }) => node));
  const made = new Map<Node, readonly Tensor[]>();
  const find = (tensor: Tensor): Tensor => made.get(tensor.node)?.[tensor.index] ?? tensor;
  for (const node of nodes) {
    if (node.inputs.length === 0) continue;
    const inputs = node.inputs.map(find);
    const [row, matrix] = inputs;
    if (!isRowProduct(node) || row === undefined || matrix === undefined) {
      made.set(node, makeNode(node.op, inputs, node.outputs, node.attributes));
      continue;
    }
    const source = matrix.node.op === 'Cast' ? matrix.node.inputs[0] : matrix;
    const isWeight = source !== undefined && parameters.has(source.node);
    const one = add(mul(slice(row, [0, 0], [1, 1]), 0), 1); // [1, 1]
    made.set(node, [
      isWeight
        ? multiplyRow(div(row, one), source === matrix ? mul(matrix, one) : matrix)
        : multiplyRow(row, matrix),
    ]);
  }
  return { parameters: body.parameters, results: body.results.map(find) };
}

function multiplyRow(row: Tensor, matrix: Tensor): Tensor {
  const [outputs = 0, inputs = 0] = matrix.shape;
  if (inputs <= longestRow) return matMul(row, matrix, { transposeB: true });
  const parts = Math.ceil(inputs / longestRow);
  const length = Math.ceil(inputs / parts);
  let total: Tensor | undefined;
  for (let from = 0; from < inputs; from += length) {
    const width = Math.min(length, inputs - from);
    const part = matMul(slice(row, [0, from], [1, width]), slice(matrix, [0, from], [outputs, width]), {
      transposeB: true,
    });
    total = total === undefined ? part : add(total, part);
  }
  return total ?? matMul(row, matrix, { transposeB: true });
}
