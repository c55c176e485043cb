import { numberFormats } from '../number-formats.ts';
import type { NumberFormat } from '../number-formats.ts';
import { unpackQ2K, unpackQ3K, unpackQ4K, unpackQ5K, unpackQ6K } from './k-blocks.ts';
import { unpackQ40, unpackQ41, unpackQ50, unpackQ51, unpackQ80 } from './plain-blocks.ts';

/** One of the ways in which GGUF packs numbers; each row of a tensor is whole blocks. */
export interface GgufType extends NumberFormat {
  readonly name: string;
}

function packed(
  name: string,
  blockLength: number,
  blockBytes: number,
  unpack: NumberFormat['unpack'],
): GgufType {
  return { name, blockLength, blockBytes, unpack };
}

function plain(name: 'F32' | 'F16' | 'BF16'): GgufType {
  return { name, ...numberFormats[name] };
}

/** By the numbers of ggml's `ggml_type`. */
export const ggufTypes: ReadonlyMap<number, GgufType> = new Map([
  [0, plain('F32')],
  [1, plain('F16')],
  [2, packed('Q4_0', 32, 18, unpackQ40)],
  [3, packed('Q4_1', 32, 20, unpackQ41)],
  [6, packed('Q5_0', 32, 22, unpackQ50)],
  [7, packed('Q5_1', 32, 24, unpackQ51)],
  [8, packed('Q8_0', 32, 34, unpackQ80)],
  [10, packed('Q2_K', 256, 84, unpackQ2K)],
  [11, packed('Q3_K', 256, 110, unpackQ3K)],
  [12, packed('Q4_K', 256, 144, unpackQ4K)],
  [13, packed('Q5_K', 256, 176, unpackQ5K)],
  [14, packed('Q6_K', 256, 210, unpackQ6K)],
  [30, plain('BF16')],
]);
