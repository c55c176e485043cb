import { open } from 'node:fs/promises';
import type { NumberFormat } from './number-formats.ts';
import { WeightsError } from './weights-error.ts';

/** A tensor in memory. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A tensor whose numbers are read when they are asked for, so that a model need not be in memory to be copied. */
export interface LazyTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Reads the numbers; each call reads them again. */
  readData(): Promise<Float32Array>;
}

/** Order of names by code units, the same on every machine. */
export const compareNames = (left: { readonly name: string }, right: { readonly name: string }): number =>
  left.name < right.name ? -1 : left.name === right.name ? 0 : 1;

/** How many numbers a tensor of this shape has. */
export const countElements = (shape: readonly number[]): number =>
  shape.reduce((product, length) => product * length, 1);

/** About how much of a file is read at a time: small enough to stay in the processor's caches. */
const chunkBytes = 1 << 19;

/** Numbers of a file as 32-bit floats; a file that ends within them is damaged, which `what` is blamed for. */
export async function readNumbers(
  file: string,
  place: { readonly offset: number; readonly sizeBytes: number },
  format: NumberFormat,
  what: string,
): Promise<Float32Array> {
  const { blockLength, blockBytes } = format;
  const values = new Float32Array((place.sizeBytes / blockBytes) * blockLength);
  const chunkBlocks = Math.ceil(chunkBytes / blockBytes);
  const buffer = new Uint8Array(Math.min(place.sizeBytes, chunkBlocks * blockBytes));
  const handle = await open(file);
  try {
    for (let done = 0; done < place.sizeBytes; done += buffer.length) {
      const wanted = Math.min(buffer.length, place.sizeBytes - done);
      for (let filled = 0; filled < wanted;) {
        const position = place.offset + done + filled;
        const { bytesRead } = await handle.read(buffer, filled, wanted - filled, position);
        if (bytesRead === 0) throw new WeightsError(file, `the file ends within ${what}.`);
        filled += bytesRead;
      }
      const from = (done / blockBytes) * blockLength;
      const length = (wanted / blockBytes) * blockLength;
      format.unpack(buffer.subarray(0, wanted), values.subarray(from, from + length));
    }
  } finally {
    await handle.close();
  }
  return values;
}

/** The numbers of lazy tensors in memory, one tensor after the other. */
export async function loadTensors(tensors: Iterable<LazyTensor>): Promise<readonly NamedTensor[]> {
  const loaded: NamedTensor[] = [];
  for (const tensor of tensors)
    loaded.push({ name: tensor.name, shape: tensor.shape, data: await tensor.readData() });
  return loaded;
}
