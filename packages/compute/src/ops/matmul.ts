import type { Tensor } from '../ir.ts';
import { makeTensor, sizeOf } from '../ir.ts';
import { concat, reshape, slice, sumRows, transpose, withGradient } from './structure.ts';
import { lengthOf } from './shapes.ts';

/** Which operands are transposed in their last two axes. */
export interface MatMulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** a·b of two matrices. */
export function matMul(a: Tensor, b: Tensor, options: MatMulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = options;
  const rows = lengthOf(a, transposeA ? 1 : 0);
  const columns = lengthOf(b, transposeB ? 0 : 1);
  if (lengthOf(a, transposeA ? 0 : 1) !== lengthOf(b, transposeB ? 1 : 0)) {
    throw new Error(
      `Internal error: [${a.shape.join(', ')}] and [${b.shape.join(', ')}] cannot be multiplied.`,
    );
  }
  return makeTensor('MatMul', [a, b], [rows, columns], a.dtype, { transposeA, transposeB });
}

/** a·b of the matrices in the last two axes; the axes before them are equal. */
export function batchMatMul(a: Tensor, b: Tensor, options: MatMulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = options;
  const rows = lengthOf(a, transposeA ? -1 : -2);
  const columns = lengthOf(b, transposeB ? -2 : -1);
  return makeTensor('BatchMatMulV2', [a, b], [...a.shape.slice(0, -2), rows, columns], a.dtype, {
    transposeA,
    transposeB,
  });
}

/** x + b along the last axis of x. */
export const addBias = (x: Tensor, bias: Tensor): Tensor =>
  makeTensor('BiasAdd', [x, bias], x.shape, x.dtype);

/** Up to so many rows a product is bound by reading the weight. */
const fewRows = 16;
/** From so many elements on a weight is worth two cores, and from so many on oneDNN uses them by itself. */
const [worthTwo, usesTwo] = [1 << 17, 1 << 22];

/**
 * x·Wᵀ of few rows x [rows, in] and W [out, in].
 *
 * Written as W·xᵀ, which oneDNN computes without bringing W into another order first. A product that nothing else runs
 * beside (`isAlone`) is computed in two halves of W, which cost no copy: oneDNN would use one core.
 */
function multiplyFew(x: Tensor, weight: Tensor, isAlone: boolean): Tensor {
  const [outputs = 0, inputs = 0] = weight.shape;
  const rows = lengthOf(x, 0);
  const multiply = (part: Tensor): Tensor => matMul(part, x, { transposeB: true });
  const isHalved = isAlone && outputs * inputs >= worthTwo && outputs * inputs < usesTwo;
  const half = Math.ceil(outputs / 2);
  const columns = isHalved
    ? concat(
        [
          multiply(slice(weight, [0, 0], [half, inputs])),
          multiply(slice(weight, [half, 0], [outputs - half, inputs])),
        ],
        0,
      )
    : multiply(weight); // [out, rows]
  return rows === 1 ? reshape(columns, [1, outputs]) : transpose(columns, [1, 0]);
}

/**
 * y = x·Wᵀ + b, for x [rows, in], W [out, in], b [out]; the layout of PyTorch's Linear. `isAlone` tells whether
 * nothing else can be computed at the same time.
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor, isAlone = true): Tensor {
  const product =
    lengthOf(x, 0) <= fewRows && sizeOf(weight.shape) >= worthTwo
      ? multiplyFew(x, weight, isAlone)
      : matMul(x, weight, { transposeB: true }); // [rows, out]
  const output = bias === undefined ? product : addBias(product, bias);
  return withGradient(output, bias === undefined ? [x, weight] : [x, weight, bias], (gradient, needed) => [
    needed[0] === true ? matMul(gradient, weight) : undefined,
    needed[1] === true ? matMul(gradient, x, { transposeA: true }) : undefined,
    needed[2] === true ? sumRows(gradient) : undefined,
  ]);
}
