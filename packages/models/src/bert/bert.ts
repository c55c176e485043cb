/**
 * The BERT encoder (Devlin et al. 2019), as Hugging Face's BertModel computes it; without dropout unless it is asked for.
 */
import {
  add,
  attentionWith,
  checkpoint,
  concat,
  constant,
  dropout,
  gather,
  gelu,
  layerNorm,
  linear,
  maskedMean,
  mul,
  reshape,
  slice,
  sub,
  transpose,
} from '@joyul/compute';
import type { Dropout, Program, Tensor, Variable } from '@joyul/compute';
import { ModelWeights } from '../model-weights.ts';
import type { LayerAdapter } from '../model-weights.ts';
import type { BertConfig } from './bert-config.ts';
import { bertWeightSpecs, classifierSpecs, maskedHeadSpecs } from './bert-weights.ts';

/** How a text's token states become one feature vector. */
export type Pooling = 'mean' | 'cls';

/** Added to attention scores of padding: far below any score, and still finite. */
const forbidden = -1e9;

/** Batch and padded length of one static shape. */
export interface BatchShape {
  readonly batch: number;
  readonly time: number;
}

/** What is dropped while training. */
export interface BertDropout {
  /** The share of states, and that of attention's probabilities. */
  readonly rates: { readonly hidden: number; readonly attention: number };
  /** int32 [1]: another one each iteration; each place of the model drops by numbers of its own. */
  readonly seed: Tensor;
}

/** Some consecutive layers. */
export interface LayerRange {
  readonly from: number;
  /** The first layer that is not one of them. */
  readonly to: number;
  /** Whether only the states between layers are kept for the backward pass, which computes the layers again. */
  readonly checkpointing?: boolean;
  /** Absent: nothing is dropped. */
  readonly dropout?: BertDropout;
}

/** An encoder whose weights are variables of a program. */
export class Bert {
  readonly config: BertConfig;
  readonly #weights: ModelWeights;

  private constructor(config: BertConfig, weights: ModelWeights) {
    this.config = config;
    this.#weights = weights;
  }

  /**
   * Declares the encoder's weights, a classifier's head when `classes` is given, and the one that guesses masked words.
   *
   * `from` leaves out what lies below a cut: 0 is everything, n starts at `layer.(n−1)`'s output, that is
   * without embeddings and the layers 0 … n−1; the weights then never reach the program.
   */
  static declare(
    program: Program,
    config: BertConfig,
    options: {
      readonly classes?: number;
      readonly guessesWords?: boolean;
      readonly from?: number;
      readonly adapters?: ReadonlyMap<string, LayerAdapter>;
    } = {},
  ): Bert {
    const { classes, guessesWords = false, from } = options;
    const specs = [
      ...bertWeightSpecs(config),
      ...(classes === undefined ? [] : classifierSpecs(config, classes)),
      ...(guessesWords ? maskedHeadSpecs(config) : []),
    ];
    const kept = from === undefined ? specs : specs.filter((spec) => layerIndex(spec.name) >= from);
    return new Bert(config, ModelWeights.declare(program, kept, options.adapters));
  }

  /** The variables by their names in the file. */
  get weights(): ReadonlyMap<string, Variable> {
    return this.#weights.variables;
  }

  #norm(x: Tensor, name: string): Tensor {
    return layerNorm(
      x,
      this.#weights.get(`${name}.weight`),
      this.#weights.get(`${name}.bias`),
      this.config.layerNormEpsilon,
    );
  }

  /** Token states before the first layer [batch·time, hidden], from ids [batch, time]. */
  embed(ids: Tensor, { batch, time }: BatchShape, dropped?: BertDropout): Tensor {
    const width = this.config.hiddenSize;
    const words = gather(this.#weights.get('embeddings.word_embeddings.weight'), ids); // [batch, time, hidden]
    const positions = slice(
      this.#weights.get('embeddings.position_embeddings.weight'),
      [0, 0],
      [time, width],
    ); // [time, hidden]
    const type = slice(this.#weights.get('embeddings.token_type_embeddings.weight'), [0, 0], [1, width]); // [1, hidden]
    const sum = add(words, add(positions, type)); // [batch, time, hidden]
    return drop(this.#norm(reshape(sum, [batch * time, width]), 'embeddings.LayerNorm'), dropped, 0);
  }

  /** One layer: states [batch·time, hidden] to the same shape; `bias` comes from {@link attentionBias}. */
  layer(
    index: number,
    x: Tensor,
    { bias, dropout: dropped }: { readonly bias: Tensor; readonly dropout?: BertDropout },
    { batch, time }: BatchShape,
  ): Tensor {
    const { hiddenSize: width, heads } = this.config;
    const headDim = width / heads;
    const name = `encoder.layer.${index}`;
    const split = (part: Tensor): Tensor =>
      transpose(reshape(part, [batch, time, heads, headDim]), [0, 2, 1, 3]); // [batch, heads, time, headDim]
    const [query, key, value] = this.#weights.linears(x, [
      `${name}.attention.self.query`,
      `${name}.attention.self.key`,
      `${name}.attention.self.value`,
    ]);
    const scaled = mul(query, 1 / Math.sqrt(headDim));
    const place = 1 + 3 * index;
    const mixed = attentionWith(split(scaled), split(key), split(value), {
      bias,
      ...(dropped === undefined ? {} : { dropout: dropoutAt(dropped, 'attention', place) }),
    }); // [batch, heads, time, headDim]
    const joined = reshape(transpose(mixed, [0, 2, 1, 3]), [batch * time, width]);
    const attended = this.#norm(
      add(drop(this.#weights.linear(joined, `${name}.attention.output.dense`), dropped, place + 1), x),
      `${name}.attention.output.LayerNorm`,
    );
    const [wide] = this.#weights.products(attended, [`${name}.intermediate.dense`]);
    const inner = gelu(wide.product, wide.bias); // [batch·time, intermediate]
    return this.#norm(
      add(drop(this.#weights.linear(inner, `${name}.output.dense`), dropped, place + 2), attended),
      `${name}.output.LayerNorm`,
    );
  }

  /** States after layer `to`−1, from those after layer `from`−1. */
  layers(x: Tensor, mask: Tensor, shape: BatchShape, range: LayerRange): Tensor {
    const bias = attentionBias(mask, shape);
    let states = x;
    for (let index = range.from; index < range.to; index++) {
      const settings = { bias, ...(range.dropout === undefined ? {} : { dropout: range.dropout }) };
      const layer = (input: Tensor): Tensor => this.layer(index, input, settings, shape);
      states = range.checkpointing === true ? checkpoint([states], layer) : layer(states);
    }
    return states;
  }

  /** Features [batch, hidden] of token states [batch·time, hidden]. */
  pool(states: Tensor, mask: Tensor, { batch, time }: BatchShape, pooling: Pooling): Tensor {
    const width = this.config.hiddenSize;
    const grouped = reshape(states, [batch, time, width]);
    if (pooling === 'mean') return maskedMean(grouped, mask);
    return reshape(slice(grouped, [0, 0, 0], [batch, 1, width]), [batch, width]);
  }

  /** Logits [batch, classes] of features [batch, hidden]. */
  classify(features: Tensor): Tensor {
    return this.#weights.linear(features, 'classifier');
  }

  /** Logits of all words [rows, vocabulary] for states [rows, hidden] of masked tokens. */
  guessWords(states: Tensor): Tensor {
    const [dense] = this.#weights.products(states, ['cls.predictions.transform.dense']);
    const inner = this.#norm(gelu(dense.product, dense.bias), 'cls.predictions.transform.LayerNorm');
    const words = this.#weights.get('embeddings.word_embeddings.weight');
    return linear(inner, words, this.#weights.get('cls.predictions.bias'));
  }
}

/** What is dropped in one place: 0 is after the embeddings, then come three for each layer. */
const dropoutAt = (
  { rates, seed }: BertDropout,
  kind: keyof BertDropout['rates'],
  place: number,
): Dropout => ({ rate: rates[kind], seed: concat([seed, constant([place], [1], 'int32')], 0) });

const drop = (x: Tensor, dropped: BertDropout | undefined, place: number): Tensor =>
  dropped === undefined ? x : dropout(x, dropoutAt(dropped, 'hidden', place));

/** The position of a weight's block: embeddings 0, `layer.i` i + 1, the head last. */
function layerIndex(name: string): number {
  if (name.startsWith('embeddings.')) return -1;
  const layer = /^encoder\.layer\.(\d+)\./.exec(name)?.[1];
  return layer === undefined ? Number.POSITIVE_INFINITY : Number(layer);
}

/** 0 where mask [batch, time] is 1 and far below any score where it is 0, shape [batch, 1, 1, time]. */
export function attentionBias(mask: Tensor, { batch, time }: BatchShape): Tensor {
  return reshape(mul(sub(mask, 1), -forbidden), [batch, 1, 1, time]);
}
