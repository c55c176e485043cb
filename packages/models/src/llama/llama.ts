/**
 * The Llama decoder (Touvron et al. 2023), as Hugging Face's LlamaForCausalLM computes it.
 */
import {
  addResidual,
  attention,
  causalBias,
  checkpoint,
  concat,
  gather,
  headCrossEntropy,
  makeRopeTables,
  joinHeads,
  linear,
  reshape,
  rmsNorm,
  splitHeads,
  swiglu,
} from '@joyul/compute';
import type {
  CrossEntropy,
  HeadCrossEntropyOptions,
  Program,
  RopeTables,
  Tensor,
  Variable,
} from '@joyul/compute';
import type { BatchShape, LayerRange } from '../bert/bert.ts';
import { ModelWeights } from '../model-weights.ts';
import type { LayerAdapter } from '../model-weights.ts';
import type { LlamaConfig } from './llama-config.ts';
import type { WeightSpec } from '../weight-specs.ts';
import { llamaWeightSpecs } from './llama-weights.ts';
import { ropeFrequencies } from './rope-frequencies.ts';

/** What a layer's queries meet, both [batch, groups, keys, headDim]; the keys are rotated. */
export interface KeysAndValues {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** Queries [batch·time, heads·headDim] and keys and values [batch·time, groups·headDim], as the projections give them. */
export interface Projected {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/** What every layer needs besides states: where tokens may look, and where they are. */
export interface AttentionContext {
  /** Broadcasts to [batch, heads, time, keys]; large and negative where a token may not look. */
  readonly bias: Tensor;
  readonly rope: RopeTables;
  /** How a layer attends, in place of {@link Llama.attend}: queries, keys and values in, what is mixed out. */
  readonly attend?: (layer: number, projected: Projected) => Tensor;
}

const embeddings = 'model.embed_tokens.weight';

/** A decoder whose weights are variables of a program. */
export class Llama {
  readonly config: LlamaConfig;
  readonly #weights: ModelWeights;

  private constructor(config: LlamaConfig, weights: ModelWeights) {
    this.config = config;
    this.#weights = weights;
  }

  /**
   * Declares the decoder's weights. `from` leaves out the layers below a cut, and the embeddings where they are not
   * the head: the input are then the states before layer `from`.
   */
  static declare(
    program: Program,
    config: LlamaConfig,
    options: { readonly adapters?: ReadonlyMap<string, LayerAdapter>; readonly from?: number } = {},
  ): Llama {
    const { from, adapters } = options;
    const isHeld = ({ name }: WeightSpec): boolean => {
      if (from === undefined) return true;
      const layer = /^model\.layers\.(\d+)\./.exec(name)?.[1];
      return layer === undefined ? name !== embeddings || config.tiesEmbeddings : Number(layer) >= from;
    };
    return new Llama(
      config,
      ModelWeights.declare(program, llamaWeightSpecs(config).filter(isHeld), adapters),
    );
  }

  /** The variables by their names in the file. */
  get weights(): ReadonlyMap<string, Variable> {
    return this.#weights.variables;
  }

  /** Every token sees itself and those before it. Padding on the right needs no more than that. */
  causalContext(time: number): AttentionContext {
    return { bias: causalBias(time), rope: this.ropeTables(time) };
  }

  /** The rotations of the positions 0 … time − 1. */
  ropeTables(time: number): RopeTables {
    return makeRopeTables(time, this.config.headDim, { frequencies: ropeFrequencies(this.config) });
  }

  /** Token states before the first layer [batch·time, hidden], from ids [batch, time]. */
  embed(ids: Tensor, { batch, time }: BatchShape): Tensor {
    const table = this.#weights.get(embeddings);
    return gather(table, reshape(ids, [batch * time]));
  }

  /** One layer: states [batch·time, hidden] to the same shape. */
  layer(index: number, x: Tensor, context: AttentionContext, shape: BatchShape): Tensor {
    const { rmsNormEpsilon: epsilon } = this.config;
    const weights = this.#weights;
    const name = `model.layers.${index}`;
    const normed = rmsNorm(x, weights.get(`${name}.input_layernorm.weight`), epsilon);
    const [query, key, value] = weights.linears(normed, [
      `${name}.self_attn.q_proj`,
      `${name}.self_attn.k_proj`,
      `${name}.self_attn.v_proj`,
    ]);
    const projected = { query, key, value };
    const mixed = context.attend?.(index, projected) ?? this.attend(projected, context, shape).mixed;
    const attended = addResidual(x, weights.linear(mixed, `${name}.self_attn.o_proj`));
    const inner = rmsNorm(attended, weights.get(`${name}.post_attention_layernorm.weight`), epsilon);
    const [gate, up] = weights.linears(inner, [`${name}.mlp.gate_proj`, `${name}.mlp.up_proj`]);
    const activated = swiglu(gate, up); // [batch·time, intermediate]
    return addResidual(attended, weights.linear(activated, `${name}.mlp.down_proj`));
  }

  /**
   * What tokens find in each other [batch·time, heads·headDim], and in earlier ones, `before`, when there are any. Gives
   * their own keys and values as well.
   */
  attend(
    { query, key, value }: Projected,
    { bias, rope }: Pick<AttentionContext, 'bias' | 'rope'>,
    { batch, time }: BatchShape,
    before?: KeysAndValues,
  ): KeysAndValues & { readonly mixed: Tensor } {
    const { heads, keyValueHeads, headDim } = this.config;
    const apart = { batch, time, headDim };
    const queries = splitHeads(query, { ...apart, heads }, { rope, scale: 1 / Math.sqrt(headDim) });
    const keys = splitHeads(key, { ...apart, heads: keyValueHeads }, { rope });
    const values = splitHeads(value, { ...apart, heads: keyValueHeads });
    const mixed =
      before === undefined
        ? attention(queries, keys, values, bias)
        : attention(queries, concat([before.keys, keys], 2), concat([before.values, values], 2), bias); // [batch, heads, time, headDim]
    return { mixed: joinHeads(mixed), keys, values };
  }

  /** States after layer `to`−1, from those after layer `from`−1. */
  layers(
    x: Tensor,
    context: AttentionContext,
    shape: BatchShape,
    range: LayerRange = { from: 0, to: this.config.layers },
  ): Tensor {
    let states = x;
    for (let index = range.from; index < range.to; index++) {
      const layer = (input: Tensor): Tensor => this.layer(index, input, context, shape);
      states = range.checkpointing === true ? checkpoint([states], layer) : layer(states);
    }
    return states;
  }

  /** States [rows, hidden] as the head reads them. */
  finalNorm(states: Tensor): Tensor {
    return rmsNorm(states, this.#weights.get('model.norm.weight'), this.config.rmsNormEpsilon);
  }

  /** The name of the head's matrix, which may be the embedding table. */
  get headName(): string {
    return this.config.tiesEmbeddings ? embeddings : 'lm_head.weight';
  }

  /** The head's matrix [vocabulary, hidden]. */
  get head(): Tensor {
    return this.#weights.get(this.headName);
  }

  /** Logits [rows, vocabulary] of states after the last layer [rows, hidden]. */
  logits(states: Tensor): Tensor {
    return linear(this.finalNorm(states), this.head);
  }

  /** The loss of states after the last layer [rows, hidden] for the next tokens [rows]; −100 does not count. */
  loss(states: Tensor, nextTokens: Tensor, options: HeadCrossEntropyOptions = {}): CrossEntropy {
    return headCrossEntropy(this.finalNorm(states), this.head, nextTokens, options);
  }
}
