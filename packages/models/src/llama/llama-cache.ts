/**
 * A Llama decoder for one token after the others: keys and values of the tokens before it are variables.
 */
import {
  add,
  causalBias,
  compiled,
  concat,
  constant,
  forbid,
  gather,
  less,
  lessEqual,
  maximum,
  mul,
  reshape,
  sizeOf,
  slice,
  sub,
  updateSlice,
} from '@joyul/compute';
import type { Program, RopeTables, Tensor, Update, Variable } from '@joyul/compute';
import type { BatchShape } from '../bert/bert.ts';
import type { LlamaConfig } from './llama-config.ts';
import type { AttentionContext, KeysAndValues, Llama, Projected } from './llama.ts';

const count = (length: number): Int32Array => Int32Array.from({ length }, (_, index) => index);

/** What tokens may look at, and where they are. */
type Place = Pick<AttentionContext, 'bias' | 'rope'>;

/** Logits [batch, vocabulary] after each text's last token, and what keeps the keys and values of new tokens. */
export interface CachedStep {
  readonly logits: Tensor;
  readonly updates: readonly Update[];
}

/** How much room a cache has. */
export interface CacheShape {
  /** Texts that are continued at the same time. */
  readonly batch: number;
  /** Tokens of the longest. */
  readonly context: number;
}

const cacheNames = (layer: number): Readonly<Record<'keys' | 'values', string>> => ({
  keys: `cache.${layer}.keys`,
  values: `cache.${layer}.values`,
});

const cacheShape = (
  { keyValueHeads, headDim }: LlamaConfig,
  { batch, context }: CacheShape,
): readonly number[] => [batch, keyValueHeads, context, headDim];

/** The values of a cache's variables before the first text, one after the other. */
export function* emptyCache(
  config: LlamaConfig,
  shape: CacheShape,
): Iterable<readonly [string, Float32Array]> {
  const size = sizeOf(cacheShape(config, shape));
  for (let layer = 0; layer < config.layers; layer++)
    for (const name of Object.values(cacheNames(layer))) yield [name, new Float32Array(size)];
}

/**
 * Room for the keys and values of some texts, in the variables of a program.
 *
 * The texts end at the same place: shorter ones begin later, and nobody looks at what is before them.
 */
export class LlamaCache {
  readonly #llama: Llama;
  /** By layer: [batch, groups, context, headDim]. */
  readonly #layers: readonly { readonly keys: Variable; readonly values: Variable }[];
  readonly #shape: CacheShape;

  private constructor(llama: Llama, program: Program, shape: CacheShape) {
    const declare = (name: string): Variable =>
      program.variable(name, cacheShape(llama.config, shape), { isTrainable: false });
    this.#llama = llama;
    this.#shape = shape;
    this.#layers = Array.from({ length: llama.config.layers }, (_, index) => {
      const { keys, values } = cacheNames(index);
      return { keys: declare(keys), values: declare(values) };
    });
  }

  /** Declares the room. */
  static declare(program: Program, llama: Llama, shape: CacheShape): LlamaCache {
    return new LlamaCache(llama, program, shape);
  }

  /**
   * Begins texts: `ids` [batch, time] of which each text's own begin at `starts` [batch] and all end with `last` [].
   *
   * What is behind that in `ids` does no harm: it is overwritten before it is looked at.
   */
  begin(ids: Tensor, starts: Tensor, last: Tensor): CachedStep {
    const { batch } = this.#shape;
    const time = ids.shape[1] ?? 0;
    const shape = { batch, time };
    const order = constant(count(time), [1, 1, 1, time], 'int32');
    const first = reshape(starts, [batch, 1, 1, 1]);
    const positions = maximum(sub(constant(count(time), [1, time], 'int32'), reshape(starts, [batch, 1])), 0);
    const context = {
      bias: add(forbid(less(order, first)), causalBias(time)), // [batch, 1, time, time]
      rope: this.#turns(positions),
    };
    const { states, kept } = this.#pass(ids, shape, context, (_, projected) =>
      this.#llama.attend(projected, context, shape),
    );
    const rows = add(
      constant(
        Int32Array.from(count(batch), (row) => row * time),
        [batch],
        'int32',
      ),
      last,
    );
    return {
      logits: this.#llama.logits(gather(states, rows)),
      updates: this.#keep(kept, constant([0], [], 'int32')),
    };
  }

  /**
   * Goes on with the tokens `ids` [batch] at the place `at` [] of texts that began at `starts` [batch]. `at` is less
   * than `tokens`: so much of the room is looked at.
   */
  next(ids: Tensor, starts: Tensor, at: Tensor, tokens: number): CachedStep {
    const { batch } = this.#shape;
    const order = constant(count(tokens), [1, 1, 1, tokens], 'int32');
    const first = reshape(starts, [batch, 1, 1, 1]);
    const before = add(forbid(less(order, first)), forbid(lessEqual(at, order))); // [batch, 1, 1, tokens]
    // A token's own key comes after those that are kept, wherever in the room they end.
    const own = constant(new Float32Array(batch), [batch, 1, 1, 1]);
    const shape = { batch, time: 1 };
    const context = {
      bias: concat([before, own], 3),
      rope: this.#turns(reshape(sub(at, starts), [batch, 1])),
    };
    const { states, kept } = this.#pass(ids, shape, context, (layer, projected) =>
      this.#attendTo(layer, projected, context, tokens),
    );
    return { logits: this.#llama.logits(states), updates: this.#keep(kept, at) };
  }

  /** States [batch·time, hidden] after the last layer, and the new keys and values of each. */
  #pass(
    ids: Tensor,
    shape: BatchShape,
    context: Place,
    attend: (layer: number, projected: Projected) => ReturnType<Llama['attend']>,
  ): { readonly states: Tensor; readonly kept: readonly KeysAndValues[] } {
    const kept: KeysAndValues[] = [];
    const states = this.#llama.layers(
      this.#llama.embed(ids, shape),
      {
        ...context,
        attend: (layer, projected) => {
          const { mixed, ...own } = attend(layer, projected);
          kept.push(own);
          return mixed;
        },
      },
      shape,
    );
    return { states, kept };
  }

  /** The rotations of positions [batch, time], for all heads. */
  #turns(positions: Tensor): RopeTables {
    const { cosine, sine } = this.#llama.ropeTables(this.#shape.context);
    const [batch = 0, time = 0] = positions.shape;
    const turn = (table: Tensor): Tensor =>
      reshape(gather(table, positions), [batch, 1, time, table.shape[1] ?? 0]);
    return { cosine: turn(cosine), sine: turn(sine) };
  }

  /**
   * Attention of one token of each text to the first `tokens` that are kept, and itself. Compiled to one function:
   * its dozens of small operations take longer to start than to run.
   */
  #attendTo(
    layer: number,
    { query, key, value }: Projected,
    { bias, rope }: Place,
    tokens: number,
  ): ReturnType<Llama['attend']> {
    const cache = this.#layers[layer];
    if (cache === undefined) throw new Error(`Internal error: the layer ${layer} has no cache.`);
    const [batch = 0, groups = 0, , headDim = 0] = cache.keys.shape;
    const read = (kept: Tensor): Tensor => slice(kept, [0, 0, 0, 0], [batch, groups, tokens, headDim]);
    const [mixed, keys, values] = compiled(
      [query, key, value, bias, rope.cosine, rope.sine, cache.keys, cache.values],
      (q, k, v, mask, cosine, sine, oldKeys, oldValues) => {
        const own = this.#llama.attend(
          { query: q, key: k, value: v },
          { bias: mask, rope: { cosine, sine } },
          { batch, time: 1 },
          { keys: read(oldKeys), values: read(oldValues) },
        );
        return [own.mixed, own.keys, own.values] as const;
      },
    );
    return { mixed, keys, values };
  }

  /** Writes the keys and values of all layers into their places from `position` on. */
  #keep(kept: readonly KeysAndValues[], position: Tensor): readonly Update[] {
    const variables = this.#layers.flatMap(({ keys, values }) => [keys, values]);
    const added = kept.flatMap(({ keys, values }) => [keys, values]);
    const inputs: readonly Tensor[] = [position, ...variables, ...added];
    // One function for all: it writes over the variables that it is given.
    const results = compiled<readonly Tensor[], readonly Tensor[]>(inputs, (at = position, ...rest) => {
      const begin = mul(at, constant([0, 0, 1, 0], [4], 'int32'));
      return variables.map((variable, index) =>
        updateSlice(rest[index] ?? variable, rest[variables.length + index] ?? variable, begin),
      );
    });
    return variables.map((variable, index) => ({
      kind: 'assign',
      variable,
      value: results[index] ?? variable,
    }));
  }
}
