import { LayerConfig, asJson } from './layer-config.ts';
import type { Json } from './layer-config.ts';
import { LayersModelError } from './layers-model-error.ts';

/** One use of a layer. */
export interface LayerCall {
  /** The layer's name; a layer that is used twice has two calls. */
  readonly name: string;
  /** Keras' class, such as `Conv2D`. */
  readonly kind: string;
  readonly config: LayerConfig;
  /** Positions of the calls whose results it takes; each is smaller than its own. */
  readonly inputs: readonly number[];
  /** Numbers that it takes beside them: Keras writes x + 3 as an Add of a tensor and a number. */
  readonly numbers: readonly number[];
}

/** A model as a list of calls, models inside it laid flat; the last call gives its result. */
export interface LayerGraph {
  readonly calls: readonly LayerCall[];
  /** [height, width, channels]; 0 where the model takes any length. */
  readonly inputShape: readonly number[];
}

const models = new Set(['Functional', 'Model', 'Sequential']);

/** A call of a layer by name, as Keras writes references. */
type Reference = readonly [name: string, node: number];

/** References in one entry of `inbound_nodes`: lists in Keras 2 and TensorFlow.js, tensors among arguments in Keras 3. */
function findReferences(value: unknown): readonly Reference[] {
  const history = asJson(asJson(value)['config'])['keras_history'];
  if (Array.isArray(history)) return [[String(history[0]), Number(history[1])]];
  if (Array.isArray(value)) {
    const [name, node] = value as readonly unknown[]; // Looked at below.
    if (typeof name === 'string' && typeof node === 'number') return [[name, node]];
    return value.flatMap(findReferences);
  }
  return 'args' in asJson(value) ? findReferences(asJson(value)['args']) : [];
}

/** Numbers among the arguments of one entry of `inbound_nodes`; only Keras 3 has some. */
function findNumbers(value: unknown): readonly number[] {
  const args = asJson(value)['args'];
  return Array.isArray(args) ? args.filter((argument) => typeof argument === 'number') : [];
}

/** Lays a model flat. */
class GraphBuilder {
  readonly calls: LayerCall[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  #fail(problem: string): LayersModelError {
    return new LayersModelError(this.#file, [problem]);
  }

  #add(layer: Json, inputs: readonly number[], numbers: readonly number[] = []): number {
    const kind = String(layer['class_name']);
    if (models.has(kind)) return this.expand(layer, inputs);
    const config = asJson(layer['config']);
    this.calls.push({ name: nameOf(layer), kind, config: new LayerConfig(config), inputs, numbers });
    return this.calls.length - 1;
  }

  /** Adds a model's layers and gives the position of its result; `inputs` are absent for the outermost model. */
  expand(model: Json, inputs?: readonly number[]): number {
    return model['class_name'] === 'Sequential'
      ? this.#expandSequential(model, inputs)
      : this.#expandFunctional(model, inputs);
  }

  #expandSequential(model: Json, inputs?: readonly number[]): number {
    const { config } = model;
    const layers = (Array.isArray(config) ? config : asJson(config)['layers']) as readonly Json[]; // Old files hold the list itself.
    const first = layers[0];
    if (first === undefined) throw this.#fail('The model has no layers.');
    const startsItself = first['class_name'] === 'InputLayer' || models.has(String(first['class_name']));
    const start = startsItself
      ? first
      : { class_name: 'InputLayer', config: inputConfig(asJson(config), first) };
    // Inside another model the input is what that model gives.
    let position = inputs?.[0] ?? this.#add(start, []);
    const rest =
      first['class_name'] === 'InputLayer' || (startsItself && inputs === undefined)
        ? layers.slice(1)
        : layers;
    for (const layer of rest) position = this.#add(layer, [position]);
    return position;
  }

  #expandFunctional(model: Json, inputs?: readonly number[]): number {
    const config = asJson(model['config']);
    const list = (config['layers'] ?? []) as readonly Json[]; // Every functional model has them.
    const layers = new Map(list.map((layer) => [nameOf(layer), layer]));
    const outputs = findReferences(config['output_layers']);
    const starts = findReferences(config['input_layers']).map(([name]) => name);
    const [output] = outputs;
    if (outputs.length !== 1 || output === undefined || starts.length !== 1)
      throw this.#fail(
        `It has ${starts.length} inputs and ${outputs.length} outputs; one of each is supported.`,
      );
    const positions = new Map<string, number>();
    const resolve = ([name, node]: Reference): number => {
      const layer = layers.get(name);
      if (layer === undefined) throw this.#fail(`The layer ${name} is used, but not described.`);
      const nodes = (layer['inbound_nodes'] ?? []) as readonly unknown[]; // A list in every version.
      // Files of Keras 2 count the calls of a model inside a model from 1.
      const index = Math.min(node, Math.max(nodes.length - 1, 0));
      const key = `${index}/${name}`;
      const known = positions.get(key);
      if (known !== undefined) return known;
      const given = starts.includes(name) ? inputs?.[0] : undefined;
      const position =
        given ?? this.#add(layer, findReferences(nodes[index]).map(resolve), findNumbers(nodes[index]));
      positions.set(key, position);
      return position;
    };
    return resolve(output);
  }
}

const nameOf = (layer: Json): string => String(layer['name'] ?? asJson(layer['config'])['name']);

/** The settings of the input that a sequential model leaves out. */
const inputConfig = (config: Json, first: Json): Json => ({
  name: 'input',
  batch_input_shape: asJson(first['config'])['batch_input_shape'] ?? config['build_input_shape'],
});

/** Reads the description of a model: the JSON in a Keras file's `model_config` or in `model.json`. */
export function parseLayerGraph(file: string, json: unknown): LayerGraph {
  const model = asJson(json);
  const kind = String(model['class_name']);
  if (!models.has(kind))
    throw new LayersModelError(file, [`It describes a ${kind}; a Sequential or functional model is needed.`]);
  const builder = new GraphBuilder(file);
  builder.expand(model);
  const input = builder.calls.find((call) => call.kind === 'InputLayer');
  const shape = input?.config.get('batch_shape') ?? input?.config.get('batch_input_shape');
  if (!Array.isArray(shape) || shape.length !== 4)
    throw new LayersModelError(file, ['Its input is not an image of [height, width, channels].']);
  return { calls: builder.calls, inputShape: shape.slice(1).map((length) => Number(length ?? 0)) };
}
