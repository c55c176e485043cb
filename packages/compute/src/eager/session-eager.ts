import type * as Tfjs from '@tensorflow/tfjs-core';
import { eagerKernels } from './eager-kernels.ts';
import type { Node, TensorData } from '../ir.ts';
import { collectNodes } from '../ir.ts';
import type { Entry, Program, Update } from '../program.ts';
import { tensorsOf } from '../program.ts';
import { eachValue } from '../session.ts';
import type { Session } from '../session.ts';

type Values = Map<Node, readonly Tfjs.Tensor[]>;

/** The nodes of an entry, and after which of them each node's outputs are not needed any more. */
interface Schedule {
  readonly nodes: readonly Node[];
  /** By position: the nodes whose outputs are last used there. */
  readonly dead: readonly (readonly Node[])[];
}

function scheduleEntry(entry: Entry): Schedule {
  const kept = [...entry.outputs.map((output) => output.tensor), ...entry.updates.flatMap(tensorsOf)];
  const nodes = collectNodes(kept);
  const lastUse = new Map<Node, number>();
  nodes.forEach((node, position) => {
    lastUse.set(node, position);
    for (const input of node.inputs) lastUse.set(input.node, position);
  });
  for (const tensor of kept) lastUse.delete(tensor.node);
  const dead = nodes.map((): Node[] => []);
  for (const [node, position] of lastUse) dead[position]?.push(node);
  return { nodes, dead };
}

/** Runs a program operation by operation, on a backend that tfjs-core has selected. */
export function createEagerSession(tf: typeof Tfjs, program: Program): Session {
  const variables = new Map<string, Tfjs.Tensor>();
  const schedules = new Map<string, Schedule>();

  const makeTensor = (shape: readonly number[], dtype: string, value: TensorData | number): Tfjs.Tensor => {
    const data =
      typeof value === 'number' ? (dtype === 'int32' ? Int32Array.of(value) : Float32Array.of(value)) : value;
    return tf.tensor(data, [...shape], dtype === 'int32' ? 'int32' : 'float32');
  };

  const valueOfVariable = (name: string, shape: readonly number[]): Tfjs.Tensor => {
    const found = variables.get(name) ?? tf.zeros([...shape]);
    variables.set(name, found);
    return found;
  };

  const assign = (name: string, value: Tfjs.Tensor): void => {
    variables.get(name)?.dispose();
    variables.set(name, value);
  };

  const evaluate = (
    entry: Entry,
    schedule: Schedule,
    feeds: Readonly<Record<string, TensorData | number>>,
  ): Values => {
    const values: Values = new Map();
    const inputNames = new Map(entry.inputs.map((input) => [input.tensor.node, input.name]));
    schedule.nodes.forEach((node, position) => {
      values.set(node, compute(node, values, inputNames, feeds));
      for (const finished of schedule.dead[position] ?? []) {
        for (const tensor of values.get(finished) ?? []) tensor.dispose();
        values.delete(finished);
      }
    });
    return values;
  };

  const compute = (
    node: Node,
    values: Values,
    inputNames: ReadonlyMap<Node, string>,
    feeds: Readonly<Record<string, TensorData | number>>,
  ): readonly Tfjs.Tensor[] => {
    const [output] = node.outputs;
    if (output === undefined) throw new Error('Internal error: a node without outputs.');
    if (node.op === 'Input') {
      const value = feeds[inputNames.get(node) ?? ''];
      if (value === undefined)
        throw new Error(`Internal error: ${inputNames.get(node) ?? 'an input'} was not given.`);
      return [makeTensor(output.shape, output.dtype, value)];
    }
    if (node.op === 'Const') return [makeTensor(output.shape, output.dtype, node.data ?? 0)];
    if (node.op === 'Variable')
      return [valueOfVariable(String(node.attributes['name']), output.shape).clone()];
    const kernel = eagerKernels[node.op];
    if (kernel === undefined)
      throw new Error(`Internal error: ${node.op} cannot run on the ${tf.getBackend()} backend.`);
    const inputs = node.inputs.map((tensor) => valueAt(values, tensor.node, tensor.index));
    const results = tf.tidy(() => [kernel(tf, inputs, node)].flat());
    return results;
  };

  const applyUpdate = (update: Update, values: Values): void => {
    const at = (tensor: { readonly node: Node; readonly index: number }): Tfjs.Tensor =>
      valueAt(values, tensor.node, tensor.index);
    if (update.kind === 'assign') {
      assign(update.variable.name, at(update.value).clone());
      return;
    }
    if (update.kind === 'add') {
      const before = valueOfVariable(update.variable.name, update.variable.shape);
      assign(update.variable.name, tf.add(before, at(update.value)));
      return;
    }
    const { rates } = update;
    const first = valueOfVariable(update.firstMoment.name, update.variable.shape);
    const second = valueOfVariable(update.secondMoment.name, update.variable.shape);
    const weight = valueOfVariable(update.variable.name, update.variable.shape);
    const [nextFirst, nextSecond, nextWeight] = tf.tidy(() => {
      const gradient = at(update.gradient);
      const m = tf.add(tf.mul(first, rates.beta1), tf.mul(gradient, 1 - rates.beta1));
      const v = tf.add(tf.mul(second, rates.beta2), tf.mul(tf.square(gradient), 1 - rates.beta2));
      const step = tf.div(
        tf.mul(at(rates.learningRate), tf.sqrt(tf.sub(1, at(rates.beta2Power)))),
        tf.sub(1, at(rates.beta1Power)),
      );
      const decayed = rates.decay === undefined ? weight : tf.sub(weight, tf.mul(weight, at(rates.decay)));
      return [
        m,
        v,
        tf.sub(decayed, tf.div(tf.mul(step, m), tf.add(tf.sqrt(v), at(rates.scaledEpsilon)))),
      ] as const;
    });
    assign(update.firstMoment.name, nextFirst);
    assign(update.secondMoment.name, nextSecond);
    assign(update.variable.name, nextWeight);
  };

  return {
    backend: tf.getBackend() === 'wasm' ? 'wasm' : 'cpu',
    matmul: 'float32',
    async write(values) {
      for await (const [variableName, value] of eachValue(values)) {
        const variable = program.findVariable(variableName);
        if (variable === undefined) continue;
        const { shape, dtype } = variable;
        assign(variable.name, value === 0 ? tf.zeros([...shape]) : makeTensor(shape, dtype, value.slice()));
      }
    },
    async run(name, feeds) {
      const entry = program.entries.find((item) => item.name === name);
      if (entry === undefined) throw new Error(`Internal error: the program has no entry ${name}.`);
      const schedule = schedules.get(name) ?? scheduleEntry(entry);
      schedules.set(name, schedule);
      const values = evaluate(entry, schedule, feeds);
      for (const update of entry.updates) applyUpdate(update, values);
      const outputs: Record<string, TensorData> = {};
      for (const output of entry.outputs) {
        const data = await valueAt(values, output.tensor.node, output.tensor.index).data();
        outputs[output.name] =
          data instanceof Float32Array || data instanceof Int32Array ? data.slice() : Int32Array.from(data);
      }
      for (const tensors of values.values()) for (const tensor of tensors) tensor.dispose();
      return outputs;
    },
    async read(names) {
      const result: Record<string, Float32Array> = {};
      for (const name of names) {
        const variable = program.findVariable(name);
        if (variable === undefined) throw new Error(`Internal error: the program has no ${name}.`);
        result[name] = Float32Array.from(await valueOfVariable(name, variable.shape).data());
      }
      return result;
    },
    dispose() {
      for (const tensor of variables.values()) tensor.dispose();
      variables.clear();
    },
  };
}

function valueAt(values: Values, node: Node, index: number): Tfjs.Tensor {
  const tensor = values.get(node)?.[index];
  if (tensor === undefined) throw new Error(`Internal error: ${node.op} has no value.`);
  return tensor;
}
