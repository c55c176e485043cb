import type { Tensor } from '../ir.ts';
import { makeTensor } from '../ir.ts';
import { cast } from './elementwise.ts';
import { reshape } from './structure.ts';

/**
 * x [rows, width] as float16 numbers, two in each int32 of [rows, width / 2]: half the bytes, for storing.
 *
 * JavaScript gets and gives no float16 tensors through TensorFlow's addon, but int32 ones. It has no gradient.
 */
export function packHalf(x: Tensor): Tensor {
  const [rows = 1, width = 1] = x.shape;
  if (x.shape.length !== 2 || width % 2 !== 0)
    throw new Error(`Internal error: [${x.shape.join(', ')}] cannot be packed in pairs.`);
  const pairs = reshape(cast(x, 'float16'), [rows, width / 2, 2]);
  return makeTensor('Bitcast', [pairs], [rows, width / 2], 'int32');
}

/** What {@link packHalf} packed, as float32 [rows, width]. */
export function unpackHalf(packed: Tensor): Tensor {
  const [rows = 1, half = 1] = packed.shape;
  const pairs = makeTensor('Bitcast', [packed], [rows, half, 2], 'float16');
  return cast(reshape(pairs, [rows, 2 * half]), 'float32');
}
