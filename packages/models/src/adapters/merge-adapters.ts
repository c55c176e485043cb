import type { NamedTensor } from '../tensors.ts';
import { adapterNames } from './adapter-plan.ts';
import type { AdaptedLayer, AdapterPlan } from './adapter-plan.ts';

/** The Euclidean length of each row of a matrix with `width` columns. */
export function rowNorms(matrix: Float32Array, width: number): Float32Array {
  return Float32Array.from({ length: matrix.length / width }, (_, row) => {
    let sum = 0;
    for (let at = row * width; at < (row + 1) * width; at++) sum += (matrix[at] ?? 0) ** 2;
    return Math.sqrt(sum);
  });
}

/** W + s·B·A for W [out, in]: every row of the result is W's plus rank multiples of A's rows. */
function addProduct(
  base: Float32Array,
  down: Float32Array,
  up: Float32Array,
  { inputs, outputs, rank, scale }: AdaptedLayer,
): Float32Array {
  const merged = Float32Array.from(base);
  for (let row = 0; row < outputs; row++) {
    const target = merged.subarray(row * inputs, (row + 1) * inputs);
    for (let middle = 0; middle < rank; middle++) {
      const factor = scale * (up[row * rank + middle] ?? 0);
      if (factor === 0) continue;
      const start = middle * inputs;
      for (let column = 0; column < inputs; column++)
        target[column] = (target[column] ?? 0) + factor * (down[start + column] ?? 0);
    }
  }
  return merged;
}

/** Merges adapters into the weights of a model, one tensor at a time. */
export class AdapterMerger {
  readonly #layers: ReadonlyMap<string, AdaptedLayer>;
  readonly #adapters: ReadonlyMap<string, NamedTensor>;
  readonly #isDora: boolean;

  /** `adapters` are the tensors by name, without any prefix. */
  constructor(plan: AdapterPlan, adapters: ReadonlyMap<string, NamedTensor>) {
    this.#layers = new Map(plan.layers.map((layer) => [`${layer.name}.weight`, layer]));
    this.#adapters = adapters;
    this.#isDora = plan.spec.variant === 'dora';
  }

  #find(name: string): Float32Array {
    const found = this.#adapters.get(name);
    if (found === undefined) throw new Error(`Internal error: the adapter has no ${name}.`);
    return found.data;
  }

  /** W + s·B·A, for DoRA with rows of the learned lengths; a weight without an adapter as it is. */
  merge(tensor: NamedTensor): NamedTensor {
    const layer = this.#layers.get(tensor.name);
    if (layer === undefined) return tensor;
    const names = adapterNames(layer.name);
    const data = addProduct(tensor.data, this.#find(names.down), this.#find(names.up), layer);
    if (!this.#isDora) return { ...tensor, data };
    const magnitude = this.#find(names.magnitude);
    const { inputs } = layer;
    rowNorms(data, inputs).forEach((norm, row) => {
      const factor = (magnitude[row] ?? 0) / norm;
      for (let at = row * inputs; at < (row + 1) * inputs; at++) data[at] = factor * (data[at] ?? 0);
    });
    return { ...tensor, data };
  }
}
