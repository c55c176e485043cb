/**
 * A model's weights in one safetensors file, or in several with an index, under the names that Hugging Face gives them.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { numberFormats } from './number-formats.ts';
import type { WrittenType } from './number-formats.ts';
import { openTensors, writeTensors } from './safetensors.ts';
import { compareNames, countElements } from './tensors.ts';
import type { LazyTensor, NamedTensor } from './tensors.ts';
import { WeightsError } from './weights-error.ts';

/** The file with a model's weights, where there is one. */
const weightsFile = 'model.safetensors';

/** The file that says which of several files holds a weight. */
const indexFile = `${weightsFile}.index.json`;

/** Weights of a folder, and the file to name when something is wrong with them. */
export interface FolderWeights {
  readonly file: string;
  /** All files that hold weights. */
  readonly files: readonly string[];
  readonly tensors: readonly LazyTensor[];
}

async function openParts(dir: string, index: string): Promise<FolderWeights> {
  let map: unknown;
  try {
    map = (JSON.parse(await readFile(index, 'utf8')) as { weight_map?: unknown }).weight_map; // Checked below.
  } catch {
    throw new WeightsError(index, 'this is not JSON.');
  }
  if (typeof map !== 'object' || map === null) throw new WeightsError(index, 'there is no "weight_map".');
  const names = new Map(Object.entries(map).map(([name, file]) => [name, String(file)]));
  const files = [...new Set(names.values())].sort();
  const lost = files.filter((file) => basename(file) !== file || !existsSync(join(dir, file)));
  if (lost.length > 0)
    throw new WeightsError(index, `it names files that are not in the folder: ${lost.join(', ')}.`);
  const parts = files.map(async (file) =>
    (await openTensors(join(dir, file))).filter((tensor) => names.get(tensor.name) === file),
  );
  return {
    file: index,
    files: files.map((file) => join(dir, file)),
    tensors: (await Promise.all(parts)).flat(),
  };
}

/** Every tensor of the weights in a folder. */
export async function openWeights(dir: string): Promise<FolderWeights> {
  const file = join(dir, weightsFile);
  if (existsSync(file)) return { file, files: [file], tensors: await openTensors(file) };
  const index = join(dir, indexFile);
  if (existsSync(index)) return openParts(dir, index);
  throw new WeightsError(file, `the folder has no such file, and no ${indexFile}.`);
}

/** How weights are written. */
export interface WriteWeightsOptions {
  /** F32 by default. */
  readonly dtype?: WrittenType;
  /** A file has at most so many bytes of weights, unless one alone has more; 5 GB by default, as Hugging Face's. */
  readonly maxFileBytes?: number;
}

/** Writes a model's weights; lazy tensors are read one at a time. */
export async function writeWeights(
  dir: string,
  tensors: readonly (NamedTensor | LazyTensor)[],
  options: WriteWeightsOptions = {},
): Promise<void> {
  const { dtype = 'F32', maxFileBytes = 5e9 } = options;
  const bytesOf = (tensor: NamedTensor | LazyTensor): number =>
    countElements(tensor.shape) * numberFormats[dtype].blockBytes;
  const parts: (NamedTensor | LazyTensor)[][] = [[]];
  let partBytes = 0;
  for (const tensor of [...tensors].sort(compareNames)) {
    if (partBytes > 0 && partBytes + bytesOf(tensor) > maxFileBytes) {
      parts.push([]);
      partBytes = 0;
    }
    parts.at(-1)?.push(tensor);
    partBytes += bytesOf(tensor);
  }
  if (parts.length === 1) {
    await writeTensors(join(dir, weightsFile), tensors, { dtype });
    return;
  }
  const number = (index: number): string => String(index).padStart(5, '0');
  const map: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const file = `model-${number(index + 1)}-of-${number(parts.length)}.safetensors`;
    await writeTensors(join(dir, file), part, { dtype });
    for (const { name } of part) map[name] = file;
  }
  const total = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  await writeFile(
    join(dir, indexFile),
    `${JSON.stringify({ metadata: { total_size: total }, weight_map: map }, null, 2)}\n`,
  );
}
