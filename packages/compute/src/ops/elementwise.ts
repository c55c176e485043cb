import type { DType, Tensor } from '../ir.ts';
import { makeTensor, scalar } from '../ir.ts';
import { broadcastShapes } from './shapes.ts';

const asTensor = (value: Tensor | number, like: Tensor): Tensor =>
  typeof value === 'number' ? scalar(value, like.dtype) : value;

type Operand = Tensor | number;

function binary(op: string, left: Tensor, right: Operand, dtype: DType = left.dtype): Tensor {
  const other = asTensor(right, left);
  return makeTensor(op, [left, other], broadcastShapes(left.shape, other.shape), dtype);
}

const unary =
  (op: string) =>
  (x: Tensor): Tensor =>
    makeTensor(op, [x], x.shape, x.dtype);

/** x + y, with broadcasting. */
export const add = (x: Tensor, y: Operand): Tensor => binary('AddV2', x, y);
/** x − y, with broadcasting. */
export const sub = (x: Tensor, y: Operand): Tensor => binary('Sub', x, y);
/** x · y elementwise, with broadcasting. */
export const mul = (x: Tensor, y: Operand): Tensor => binary('Mul', x, y);
/** x / y elementwise, with broadcasting. */
export const div = (x: Tensor, y: Operand): Tensor => binary('RealDiv', x, y);
/** The larger of x and y. */
export const maximum = (x: Tensor, y: Operand): Tensor => binary('Maximum', x, y);
/** The smaller of x and y. */
export const minimum = (x: Tensor, y: Operand): Tensor => binary('Minimum', x, y);
/** (x − y)². */
export const squaredDifference = (x: Tensor, y: Operand): Tensor => binary('SquaredDifference', x, y);
/** x = y, as bool. */
export const equal = (x: Tensor, y: Operand): Tensor => binary('Equal', x, y, 'bool');
/** x ≠ y, as bool. */
export const notEqual = (x: Tensor, y: Operand): Tensor => binary('NotEqual', x, y, 'bool');
/** x ≥ y, as bool. */
export const greaterEqual = (x: Tensor, y: Operand): Tensor => binary('GreaterEqual', x, y, 'bool');
/** x > y, as bool. */
export const greater = (x: Tensor, y: Operand): Tensor => binary('Greater', x, y, 'bool');
/** x ≤ y, as bool. */
export const lessEqual = (x: Tensor, y: Operand): Tensor => binary('LessEqual', x, y, 'bool');
/** x < y, as bool. */
export const less = (x: Tensor, y: Operand): Tensor => binary('Less', x, y, 'bool');

/** xʸ for a fixed y; x is positive where y is not whole. */
export const pow = (x: Tensor, y: number): Tensor => binary('Pow', x, y);

/** −x. */
export const neg = unary('Neg');
/** x². */
export const square = unary('Square');
/** √x. */
export const sqrt = unary('Sqrt');
/** 1/√x. */
export const rsqrt = unary('Rsqrt');
/** eˣ. */
export const exp = unary('Exp');
/** ln x. */
export const log = unary('Log');
/** tanh x. */
export const tanh = unary('Tanh');
/** 1 / (1 + e⁻ˣ). */
export const sigmoid = unary('Sigmoid');
/** The error function. */
export const erf = unary('Erf');
/** max(x, 0). */
export const relu = unary('Relu');
/** min(max(x, 0), 6) (Howard et al. 2017). */
export const relu6 = unary('Relu6');

/** The same values in another element type. */
export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : makeTensor('Cast', [x], x.shape, dtype);
}

/** `yes` where `condition` holds, else `no`; all broadcast. */
export function where(condition: Tensor, yes: Tensor, no: Tensor): Tensor {
  const shape = broadcastShapes(condition.shape, broadcastShapes(yes.shape, no.shape));
  return makeTensor('SelectV2', [condition, yes, no], shape, yes.dtype);
}
