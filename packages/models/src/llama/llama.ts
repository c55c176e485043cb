/**
 * The Llama decoder (Touvron et al. 2023), as Hugging Face's LlamaForCausalLM computes it.
 */
import {
  add,
  attention,
  causalBias,
  checkpoint,
  gather,
  headCrossEntropy,
  makeRopeTables,
  matMul,
  mul,
  reshape,
  rmsNorm,
  rope,
  swiglu,
  transpose,
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
import { llamaWeightSpecs } from './llama-weights.ts';

/** What every layer needs besides states: where tokens may look, and where they are. */
export interface AttentionContext {
  /** Broadcasts to [batch, heads, time, keys]; large and negative where a token may not look. */
  readonly bias: Tensor;
  readonly rope: RopeTables;
}

/** A decoder whose weights are variables of a program. */
export class Llama {
  readonly config: LlamaConfig;
  readonly #weights: ModelWeights;

  private constructor(config: LlamaConfig, weights: ModelWeights) {
    this.config = config;
    this.#weights = weights;
  }

  /** Declares the decoder's weights. */
  static declare(
    program: Program,
    config: LlamaConfig,
    options: { readonly adapters?: ReadonlyMap<string, LayerAdapter> } = {},
  ): Llama {
    return new Llama(config, ModelWeights.declare(program, llamaWeightSpecs(config), options.adapters));
  }

  /** The variables by their names in the file. */
  get weights(): ReadonlyMap<string, Variable> {
    return this.#weights.variables;
  }

  /** Every token sees itself and those before it. Padding on the right needs no more than that. */
  causalContext(time: number): AttentionContext {
    const { headDim, ropeTheta: theta } = this.config;
    return { bias: causalBias(time), rope: makeRopeTables(time, headDim, { theta }) };
  }

  /** Token states before the first layer [batch·time, hidden], from ids [batch, time]. */
  embed(ids: Tensor, { batch, time }: BatchShape): Tensor {
    const table = this.#weights.get('model.embed_tokens.weight');
    return gather(table, reshape(ids, [batch * time]));
  }

  /** One layer: states [batch·time, hidden] to the same shape. */
  layer(index: number, x: Tensor, context: AttentionContext, { batch, time }: BatchShape): Tensor {
    const { heads, keyValueHeads, headDim, rmsNormEpsilon: epsilon } = this.config;
    const weights = this.#weights;
    const name = `model.layers.${index}`;
    const split = (part: Tensor, count: number): Tensor =>
      transpose(reshape(part, [batch, time, count, headDim]), [0, 2, 1, 3]); // [batch, count, time, headDim]
    const normed = rmsNorm(x, weights.get(`${name}.input_layernorm.weight`), epsilon);
    const query = split(weights.linear(normed, `${name}.self_attn.q_proj`), heads);
    const key = split(weights.linear(normed, `${name}.self_attn.k_proj`), keyValueHeads);
    const value = split(weights.linear(normed, `${name}.self_attn.v_proj`), keyValueHeads);
    const scaled = mul(rope(query, context.rope), 1 / Math.sqrt(headDim));
    const mixed = attention(scaled, rope(key, context.rope), value, context.bias); // [batch, heads, time, headDim]
    const joined = reshape(transpose(mixed, [0, 2, 1, 3]), [batch * time, heads * headDim]);
    const attended = add(x, weights.linear(joined, `${name}.self_attn.o_proj`));
    const inner = rmsNorm(attended, weights.get(`${name}.post_attention_layernorm.weight`), epsilon);
    const activated = swiglu(
      weights.linear(inner, `${name}.mlp.gate_proj`),
      weights.linear(inner, `${name}.mlp.up_proj`),
    ); // [batch·time, intermediate]
    return add(attended, weights.linear(activated, `${name}.mlp.down_proj`));
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

  /** The head's matrix [vocabulary, hidden]. */
  get head(): Tensor {
    return this.#weights.get(this.config.tiesEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight');
  }

  /** Logits [rows, vocabulary] of states after the last layer [rows, hidden]. */
  logits(states: Tensor): Tensor {
    return matMul(this.finalNorm(states), this.head, { transposeB: true });
  }

  /** The loss of states after the last layer [rows, hidden] for the next tokens [rows]; −100 does not count. */
  loss(
    states: Tensor,
    nextTokens: Tensor,
    options: Pick<HeadCrossEntropyOptions, 'rowWeights' | 'trains'> = {},
  ): CrossEntropy {
    return headCrossEntropy(this.finalNorm(states), this.head, nextTokens, options);
  }
}
