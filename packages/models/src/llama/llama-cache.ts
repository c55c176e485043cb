/**
 * The Llama decoder for one token after the others: keys and values of the tokens before it are variables.
 */
import {
  add,
  addResidual,
  cast,
  compiled,
  concat,
  constant,
  gather,
  joinHeads,
  less,
  matMul,
  mul,
  reshape,
  rmsNorm,
  slice,
  softmax,
  splitHeads,
  sub,
  sum,
  swiglu,
  transpose,
  updateSlice,
} from '@joyul/compute';
import type { Program, Tensor, Update, Variable } from '@joyul/compute';
import type { LlamaConfig } from './llama-config.ts';
import type { Llama } from './llama.ts';

/** Added to a score where attention is forbidden: far below any score, and still finite. */
const forbidden = -1e9;

/** Layers in one compiled function: more are fewer calls and more to compile. */
const layersAtOnce = 5;

/** What a layer keeps of the tokens it has seen. */
interface LayerCache {
  /** Rotated keys, one token a row: [context, groups·headDim]. */
  readonly keys: Variable;
  /** Values, one token a column: [groups·headDim, context], so that a sum over tokens reads memory in order. */
  readonly values: Variable;
}

/** What a token's pass through some layers reads besides weights and caches. */
interface Place {
  /** Rotations of the token's position: [1, headDim / 2]. */
  readonly cosine: Tensor;
  readonly sine: Tensor;
  /** 0 for the tokens before it, and large and negative for what lies behind them: [1, tokens]. */
  readonly bias: Tensor;
}

/** The names of a layer's weights, in the order in which {@link LlamaCache} passes them on. */
const weightNames = [
  'input_layernorm',
  'self_attn.q_proj',
  'self_attn.k_proj',
  'self_attn.v_proj',
  'self_attn.o_proj',
  'post_attention_layernorm',
  'mlp.gate_proj',
  'mlp.up_proj',
  'mlp.down_proj',
] as const;

/** The caches of a decoder's layers as variables of a program; for one text at a time. */
export class LlamaCache {
  readonly #llama: Llama;
  readonly #layers: readonly LayerCache[];
  /** Tokens that there is room for. */
  readonly context: number;

  private constructor(llama: Llama, layers: readonly LayerCache[], context: number) {
    this.#llama = llama;
    this.#layers = layers;
    this.context = context;
  }

  /** Declares room for the keys and values of `context` tokens. */
  static declare(program: Program, llama: Llama, context: number): LlamaCache {
    const { layers, keyValueHeads, headDim } = llama.config;
    const width = keyValueHeads * headDim;
    const caches = Array.from({ length: layers }, (_, index) => ({
      keys: program.variable(`cache.${index}.keys`, [context, width], { isTrainable: false }),
      values: program.variable(`cache.${index}.values`, [width, context], { isTrainable: false }),
    }));
    return new LlamaCache(llama, caches, context);
  }

  /**
   * States [time, hidden] after the last layer of a text's first tokens [1, time], and what keeps their keys and values.
   *
   * What is behind the text's end in `ids` does no harm: it is overwritten before it is looked at.
   */
  begin(ids: Tensor): { readonly states: Tensor; readonly updates: readonly Update[] } {
    const time = ids.shape[1] ?? 0;
    const updates: Update[] = [];
    const start = constant([0, 0], [2], 'int32');
    const shape = { batch: 1, time };
    const onKeys = (layer: number, keys: Tensor, values: Tensor): void => {
      const cache = this.#layers[layer];
      if (cache === undefined) throw new Error(`Internal error: the layer ${layer} has no cache.`);
      const columns = transpose(joinHeads(values), [1, 0]); // [groups·headDim, time]
      const inputs: [Tensor, Tensor, Tensor, Tensor] = [cache.keys, cache.values, joinHeads(keys), columns];
      const [newKeys, newValues] = compiled(
        inputs,
        (oldKeys, oldValues, rows, others) =>
          [updateSlice(oldKeys, rows, start), updateSlice(oldValues, others, start)] as const,
      );
      updates.push({ kind: 'assign', variable: cache.keys, value: newKeys });
      updates.push({ kind: 'assign', variable: cache.values, value: newValues });
    };
    const context = { ...this.#llama.causalContext(time), onKeys };
    return { states: this.#llama.layers(this.#llama.embed(ids, shape), context, shape), updates };
  }

  /**
   * The state [1, hidden] after the last layer of the token `id` [1] at `position` [], and what keeps its keys and
   * values. `tokens` limits how many tokens of the cache are read: more than `position`.
   */
  next(
    id: Tensor,
    position: Tensor,
    tokens: number,
  ): { readonly state: Tensor; readonly updates: readonly Update[] } {
    const at = reshape(position, [1]);
    const { cosine, sine } = this.#llama.ropeTables(this.context);
    const order = constant(Int32Array.from({ length: tokens }, (_, index) => index), [1, tokens], 'int32'); // prettier-ignore
    const place: Place = {
      cosine: gather(cosine, at),
      sine: gather(sine, at),
      bias: mul(sub(cast(less(order, position), 'float32'), 1), -forbidden),
    };
    let state = this.#llama.embed(id, { batch: 1, time: 1 });
    const rows: Tensor[] = [];
    for (let from = 0; from < this.#layers.length; from += layersAtOnce) {
      const layers = this.#layers.slice(from, from + layersAtOnce);
      const [passed, ...kept] = this.#pass(state, place, from, layers);
      if (passed === undefined) throw new Error('Internal error: layers without a result.');
      state = passed;
      rows.push(...kept);
    }
    return { state, updates: this.#keep(rows, position) };
  }

  /** The state after some layers, and the row of keys and of values of each, [1, groups·headDim]. */
  #pass(state: Tensor, place: Place, from: number, layers: readonly LayerCache[]): readonly Tensor[] {
    const { weights, config } = this.#llama;
    const own = layers.flatMap(({ keys, values }, index) => {
      const found = weightNames.map((name) => weights.get(`model.layers.${from + index}.${name}.weight`));
      return [keys, values, ...found.filter((weight) => weight !== undefined)];
    });
    const each = weightNames.length + 2;
    const inputs: readonly Tensor[] = [state, place.cosine, place.sine, place.bias, ...own];
    return compiled<readonly Tensor[], readonly Tensor[]>(
      inputs,
      (x = state, cosine = place.cosine, sine = place.sine, bias = place.bias, ...rest) => {
        let passed = x;
        const kept: Tensor[] = [];
        for (let index = 0; index < layers.length; index++) {
          const [keys = x, values = x, ...matrices] = rest.slice(index * each, (index + 1) * each);
          const result = passLayer(config, passed, { cosine, sine, bias, keys, values, matrices });
          passed = result.state;
          kept.push(result.key, result.value);
        }
        return [passed, ...kept];
      },
    );
  }

  /** Writes the rows of keys and values of all layers into the caches, in one function that gets the variables. */
  #keep(rows: readonly Tensor[], position: Tensor): readonly Update[] {
    const variables = this.#layers.flatMap(({ keys, values }) => [keys, values]);
    const inputs: readonly Tensor[] = [position, ...variables, ...rows];
    const results = compiled<readonly Tensor[], readonly Tensor[]>(inputs, (at = position, ...rest) => {
      const row = mul(at, constant([1, 0], [2], 'int32'));
      const column = mul(at, constant([0, 1], [2], 'int32'));
      return variables.map((variable, index) => {
        const [old, added] = [rest[index] ?? variable, rest[variables.length + index] ?? variable];
        return index % 2 === 0
          ? updateSlice(old, added, row)
          : updateSlice(old, reshape(added, [-1, 1]), column);
      });
    });
    return variables.map((variable, index) => ({
      kind: 'assign',
      variable,
      value: results[index] ?? variable,
    }));
  }
}

/** What one layer reads besides the state. */
interface LayerInputs extends Place {
  readonly keys: Tensor;
  readonly values: Tensor;
  /** In the order of {@link weightNames}. */
  readonly matrices: readonly Tensor[];
}

const multiply = (row: Tensor, matrix: Tensor): Tensor => matMul(row, matrix, { transposeB: true });

/** One layer for one token: its state [1, hidden], and the rows of its key and value. */
function passLayer(
  config: LlamaConfig,
  x: Tensor,
  inputs: LayerInputs,
): { readonly state: Tensor; readonly key: Tensor; readonly value: Tensor } {
  const { heads, keyValueHeads, headDim, rmsNormEpsilon: epsilon } = config;
  const { cosine, sine, matrices } = inputs;
  const [norm = x, q = x, k = x, v = x, o = x, innerNorm = x, gate = x, up = x, down = x] = matrices;
  const apart = { batch: 1, time: 1, headDim };
  const rope = { cosine, sine };
  const normed = rmsNorm(x, norm, epsilon);
  const scale = 1 / Math.sqrt(headDim);
  const query = joinHeads(splitHeads(multiply(normed, q), { ...apart, heads }, { rope, scale }));
  const key = joinHeads(splitHeads(multiply(normed, k), { ...apart, heads: keyValueHeads }, { rope }));
  const value = multiply(normed, v); // [1, groups·headDim]
  const mixed = attend(config, { query, key, value }, inputs); // [1, heads·headDim]
  const attended = addResidual(x, multiply(mixed, o));
  const inner = rmsNorm(attended, innerNorm, epsilon);
  const activated = swiglu(multiply(inner, gate), multiply(inner, up)); // [1, intermediate]
  return { state: addResidual(attended, multiply(activated, down)), key, value };
}

/** Attention of one token over the cached ones and itself: a row [1, heads·headDim]. */
function attend(
  { heads, keyValueHeads: groups, headDim }: LlamaConfig,
  own: { readonly query: Tensor; readonly key: Tensor; readonly value: Tensor },
  { bias, keys, values }: LayerInputs,
): Tensor {
  const tokens = bias.shape[1] ?? 0;
  const shared = heads / groups;
  const ofGroup = (head: number): number => Math.floor(head / shared) * headDim;
  const each = Array.from({ length: heads }, (_, head) => head);
  const before = each.map((head) =>
    multiply(
      slice(own.query, [0, head * headDim], [1, headDim]),
      slice(keys, [0, ofGroup(head)], [tokens, headDim]),
    ),
  ); // Each [1, tokens].
  const apart = reshape(own.query, [groups, shared, headDim]);
  const self = sum(mul(apart, reshape(own.key, [groups, 1, headDim])), [-1]);
  const scores = concat([add(concat(before, 0), bias), reshape(self, [heads, 1])], 1);
  const shares = softmax(scores); // [heads, tokens + 1]
  const mixed = each.map((head) =>
    multiply(slice(shares, [head, 0], [1, tokens]), slice(values, [ofGroup(head), 0], [headDim, tokens])),
  ); // Each [1, headDim].
  const last = reshape(slice(shares, [0, tokens], [heads, 1]), [groups, shared, 1]);
  const rest = mul(last, reshape(own.value, [groups, 1, headDim])); // [groups, shared, headDim]
  return add(concat(mixed, 1), reshape(rest, [1, heads * headDim]));
}
