/**
 * A Keras layers model as a part of a program.
 *
 * Normalisations keep the statistics they were trained with, whether a layer is frozen or not: nothing but a
 * gradient changes a weight, and statistics have none.
 */
import type { BatchNormWeights, Program, Tensor, Variable } from '@joyul/compute';
import type { LayerCall } from './layer-graph.ts';
import { layerKinds, normWeights } from './layer-kinds.ts';
import type { LayerContext } from './layer-kinds.ts';
import type { LayersModelFile } from './open-layers-model.ts';

/** Which part of a model is computed. */
export interface LayerRange {
  /** The layer whose result is given; absent: the image is. It must be a cut. */
  readonly from?: string;
  /** The layer whose result is wanted; absent: the last one. */
  readonly to?: string;
  /** Leaves out the softmax of the layer whose result is wanted: losses take logits. */
  readonly asLogits?: boolean;
}

/** Where one part of a model is computed: results by position, and the shape of the rest. */
interface Evaluation {
  readonly known: Map<number, Tensor>;
  readonly last: number;
  readonly asLogits: boolean;
}

/** A model whose weights are variables of a program. */
export class LayersModel {
  readonly #file: LayersModelFile;
  readonly #variables: ReadonlyMap<string, Variable>;
  /** How many calls take a call's result … */
  readonly #uses: readonly number[];
  /** … and the position of the last of them. */
  readonly #lastUses: readonly number[];

  private constructor(file: LayersModelFile, variables: ReadonlyMap<string, Variable>) {
    this.#file = file;
    this.#variables = variables;
    const users = file.graph.calls.map((_, position) =>
      file.graph.calls.flatMap((call, by) => (call.inputs.includes(position) ? [by] : [])),
    );
    this.#uses = users.map((list) => list.length);
    this.#lastUses = users.map((list) => Math.max(...list, 0));
  }

  /** Declares the weights under their names, statistics as not trainable. */
  static declare(program: Program, file: LayersModelFile): LayersModel {
    const variables = [...file.tensors.values()].map(
      ({ name, shape }) =>
        [name, program.variable(name, shape, { isTrainable: !file.statistics.has(name) })] as const,
    );
    return new LayersModel(file, new Map(variables));
  }

  /** The variables by name, `layer/weight`. */
  get weights(): ReadonlyMap<string, Variable> {
    return this.#variables;
  }

  /** Layers through which everything passes: a model can be taken apart behind each. From the input on, without it. */
  get cuts(): readonly string[] {
    const { calls } = this.#file.graph;
    const isOnce = (name: string): boolean => calls.filter((call) => call.name === name).length === 1;
    // How far the results of the calls so far reach: a call is a cut when none is used beyond it.
    let reach = 0;
    return calls.flatMap(({ name, inputs }, position) => {
      const isCut = inputs.length > 0 && reach <= position && isOnce(name);
      reach = Math.max(reach, this.#lastUses[position] ?? 0);
      return isCut ? [name] : [];
    });
  }

  /** The result of a layer, from an image x [batch, height, width, channels] or from the result of an earlier layer. */
  run(x: Tensor, range: LayerRange = {}): Tensor {
    const { calls } = this.#file.graph;
    const start =
      range.from === undefined ? this.#find((call) => call.kind === 'InputLayer') : this.#named(range.from);
    const last = range.to === undefined ? calls.length - 1 : this.#named(range.to);
    return this.#value(last, { known: new Map([[start, x]]), last, asLogits: range.asLogits === true });
  }

  #find(matches: (call: LayerCall) => boolean): number {
    return this.#file.graph.calls.findIndex(matches);
  }

  #named(name: string): number {
    const position = this.#find((call) => call.name === name);
    if (position === -1) throw new Error(`The model has no layer ${name}.`);
    return position;
  }

  #value(position: number, evaluation: Evaluation): Tensor {
    const known = evaluation.known.get(position);
    if (known !== undefined) return known;
    const call = this.#call(position);
    if (call.kind === 'InputLayer')
      throw new Error(`The model cannot be taken apart there; it can behind ${this.cuts.join(', ')}.`);
    const value = this.#foldedInto(position, evaluation) ?? this.#apply(position, evaluation);
    evaluation.known.set(position, value);
    return value;
  }

  #call(position: number): LayerCall {
    const call = this.#file.graph.calls[position];
    if (call === undefined) throw new Error('Internal error: a layer that is not in the model.');
    return call;
  }

  #apply(position: number, evaluation: Evaluation, norm?: BatchNormWeights): Tensor {
    const call = this.#call(position);
    const inputs = call.inputs.map((input) => this.#value(input, evaluation));
    const isBare = evaluation.asLogits && position === evaluation.last;
    if (isBare && call.kind === 'Softmax') return inputs[0] ?? this.#value(position, evaluation);
    const config =
      isBare && call.config.activation === 'softmax' ? call.config.with('activation', 'linear') : call.config;
    const kind = layerKinds[call.kind];
    if (kind === undefined) throw new Error(`Internal error: ${call.kind} was let through.`);
    return kind.apply(inputs, { ...this.#contextOf(call), config, ...(norm === undefined ? {} : { norm }) });
  }

  #contextOf(call: LayerCall): LayerContext {
    return {
      config: call.config,
      numbers: call.numbers,
      find: (weight) => this.#variables.get(`${call.name}/${weight}`),
    };
  }

  /** A convolution together with the normalisation behind it, where nothing else looks at what lies between. */
  #foldedInto(position: number, evaluation: Evaluation): Tensor | undefined {
    const call = this.#call(position);
    const [before = -1] = call.inputs;
    if (call.kind !== 'BatchNormalization' || evaluation.known.has(before)) return undefined;
    const { kind, config } = this.#call(before);
    const isFolded = kind === 'Conv2D' || kind === 'DepthwiseConv2D';
    if (!isFolded || config.activation !== 'linear' || this.#uses[before] !== 1) return undefined;
    return this.#apply(before, evaluation, normWeights(this.#contextOf(call)));
  }
}
