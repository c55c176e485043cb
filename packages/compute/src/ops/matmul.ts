import type { Tensor } from '../ir.ts';
import { makeTensor } from '../ir.ts';
import { sumRows, withGradient } from './structure.ts';
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

/** y = x·Wᵀ + b, for x [rows, in], W [out, in], b [out]; the layout of PyTorch's Linear. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const product = matMul(x, weight, { transposeB: true }); // [rows, out]
  const output = bias === undefined ? product : addBias(product, bias);
  return withGradient(output, bias === undefined ? [x, weight] : [x, weight, bias], (gradient, needed) => [
    needed[0] === true ? matMul(gradient, weight) : undefined,
    needed[1] === true ? matMul(gradient, x, { transposeA: true }) : undefined,
    needed[2] === true ? sumRows(gradient) : undefined,
  ]);
}
