import { addBias, linear } from '@joyul/compute';
import type { Program, Tensor, Variable } from '@joyul/compute';
import { adapt, effectiveNorms, narrow } from './adapters/apply-adapter.ts';
import type { LayerAdapter } from './adapters/apply-adapter.ts';
import type { WeightSpec } from './weight-specs.ts';

export type { LayerAdapter } from './adapters/apply-adapter.ts';

/** x·Wᵀ [rows, out], with the layer's adapter in it, and the bias [out] that is not in it yet. */
interface Product {
  readonly product: Tensor;
  readonly bias: Tensor | undefined;
}

/** A model's weights as variables of a program; the way in which models apply their linear layers. */
export class ModelWeights {
  readonly variables: ReadonlyMap<string, Variable>;
  readonly #adapters: ReadonlyMap<string, LayerAdapter>;
  /** DoRA's norms depend on weights alone: all calls of a run share them. */
  readonly #norms = new Map<string, Tensor>();

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
    const [output] = this.linears(x, [layer]);
    if (output === undefined) throw new Error('Internal error: a layer without an output.');
    return output;
  }

  /** {@link linear} of layers that read the same x; their adapters share a product. */
  linears<const Layers extends readonly string[]>(
    x: Tensor,
    layers: Layers,
  ): { readonly [K in keyof Layers]: Tensor } {
    const products = this.products(x, layers);
    const outputs = products.map(({ product, bias }) =>
      bias === undefined ? product : addBias(product, bias),
    );
    return outputs as { readonly [K in keyof Layers]: Tensor }; // One output for each layer.
  }

  /** {@link linears} without their biases, for what adds those in a pass of its own. */
  products<const Layers extends readonly string[]>(
    x: Tensor,
    layers: Layers,
  ): { readonly [K in keyof Layers]: Product } {
    const adapters = layers.flatMap((layer) => this.#adapters.get(layer) ?? []);
    const narrowed = new Map(narrow(x, adapters).map((tensor, index) => [adapters[index], tensor]));
    const products = layers.map((layer): Product => {
      const weight = this.get(`${layer}.weight`);
      const bias = this.variables.get(`${layer}.bias`);
      const adapter = this.#adapters.get(layer);
      const own = narrowed.get(adapter);
      if (adapter === undefined || own === undefined)
        return { product: linear(x, weight, undefined, layers.length === 1), bias };
      const norms = this.#normsOf(layer, weight, adapter);
      return { product: adapt(x, { weight, adapter, narrowed: own, norms }), bias };
    });
    return products as { readonly [K in keyof Layers]: Product }; // One product for each layer.
  }

  #normsOf(layer: string, weight: Tensor, adapter: LayerAdapter): Tensor | undefined {
    if (adapter.magnitude === undefined) return undefined;
    const norms = this.#norms.get(layer) ?? effectiveNorms(weight, adapter);
    this.#norms.set(layer, norms);
    return norms;
  }
}
