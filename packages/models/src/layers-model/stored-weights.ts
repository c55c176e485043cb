/** A weight in a file. */
export interface StoredWeight {
  readonly shape: readonly number[];
  /** Reads the numbers. */
  readonly read: () => Float32Array;
}

/**
 * The weights of a file, by layer and name.
 *
 * Their paths differ: `conv/kernel` in TensorFlow.js, `conv/conv/kernel:0` in Keras 2, `model/conv/kernel` for a
 * model inside a model. The end of the path says which one it is.
 */
export class StoredWeights {
  readonly #byEnd = new Map<string, StoredWeight | 'ambiguous'>();

  add(path: string, weight: StoredWeight): void {
    const parts = path.replace(/:\d+$/, '').split('/');
    for (let from = 0; from < parts.length - 1; from++) {
      const end = parts.slice(from).join('/');
      this.#byEnd.set(end, this.#byEnd.has(end) ? 'ambiguous' : weight);
    }
  }

  /** The weight `layer/name`; `ambiguous` where two layers share a name. */
  find(layer: string, name: string): StoredWeight | 'ambiguous' | undefined {
    const found = this.#byEnd.get(`${layer}/${name}`);
    // Keras 3 calls a depthwise layer's kernel by the plain name.
    return found ?? (name === 'depthwise_kernel' ? this.#byEnd.get(`${layer}/kernel`) : undefined);
  }
}
