import { add, linear, matMul, mul } from '@joyul/compute';
import type { Program, Tensor, Variable } from '@joyul/compute';
import type { WeightSpec } from './weight-specs.ts';

/** Two small matrices beside a linear layer. */
export interface LayerAdapter {
  /** [rank, in] */
  readonly down: Variable;
  /** [out, rank] */
  readonly up: Variable;
  /** What the product is multiplied with: α / rank, or α / √rank. */
  readonly scale: number;
}

/** A model's weights as variables of a program; the way in which models apply their linear layers. */
export class ModelWeights {
  readonly variables: ReadonlyMap<string, Variable>;
  readonly #adapters: ReadonlyMap<string, LayerAdapter>;

  private constructor(variables: ReadonlyMap<string, Variable>, adapters: ReadonlyMap<string, LayerAdapter>) {
    this.variables = variables;
    this.#adapters = adapters;
  }

  /** Declares the weights; `adapters` go by the name of their layer, such as `model.layers.0.self_attn.q_proj`. */
  static declare(
    program: Program,
    specs: readonly WeightSpec[],
    adapters: ReadonlyMap<string, LayerAdapter> = new Map(),
  ): ModelWeights {
    const variables = new Map(specs.map((spec) => [spec.name, program.variable(spec.name, spec.shape)]));
    return new ModelWeights(variables, adapters);
  }

  /** The weight of this name. */
  get(name: string): Variable {
    const found = this.variables.get(name);
    if (found === undefined) throw new Error(`Internal error: the weight ${name} was not declared.`);
    return found;
  }

  /** y = x·Wᵀ + b for x [rows, in], with the layer's adapter beside it where it has one. */
  linear(x: Tensor, layer: string): Tensor {
    const output = linear(x, this.get(`${layer}.weight`), this.variables.get(`${layer}.bias`)); // [rows, out]
    const adapter = this.#adapters.get(layer);
    if (adapter === undefined) return output;
    const narrow = mul(matMul(x, adapter.down, { transposeB: true }), adapter.scale); // [rows, rank]
    return add(output, matMul(narrow, adapter.up, { transposeB: true }));
  }
}
