import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
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

/** How many numbers a tensor of this shape has. */
export const countElements = (shape: readonly number[]): number =>
  shape.reduce((product, length) => product * length, 1);

/** A part of a file in a buffer of its own; a file that ends within it is damaged, which `what` is blamed for. */
export async function readPart(
  file: string,
  place: { readonly offset: number; readonly sizeBytes: number },
  what: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const raw = new Uint8Array(place.sizeBytes);
  const handle: FileHandle = await open(file);
  try {
    let done = 0;
    while (done < raw.length) {
      const { bytesRead } = await handle.read(raw, done, raw.length - done, place.offset + done);
      if (bytesRead === 0) throw new WeightsError(file, `the file ends within ${what}.`);
      done += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return raw;
}

/** The numbers of lazy tensors in memory, one tensor after the other. */
export async function loadTensors(tensors: Iterable<LazyTensor>): Promise<readonly NamedTensor[]> {
  const loaded: NamedTensor[] = [];
  for (const tensor of tensors)
    loaded.push({ name: tensor.name, shape: tensor.shape, data: await tensor.readData() });
  return loaded;
}
