/**
 * Writes a program as a TensorFlow SavedModel.
 *
 * Messages and field numbers are those of tensorflow/core/framework/graph.proto and
 * tensorflow/core/protobuf/{saved_model,meta_graph}.proto.
 */
import type { FusedBody, Node, Tensor, TensorData, Variable } from '../ir.ts';
import { collectNodes, constant } from '../ir.ts';
import { findInPlaceUpdates } from './in-place-updates.ts';
import type { InPlaceUpdate } from './in-place-updates.ts';
import { lowerPrecision } from './low-precision.ts';
import type { NamedAttributes } from './node-def.ts';
import {
  attributesOf,
  castAttributes,
  constantAttributes,
  functionMessage,
  nodeMessage,
} from './node-def.ts';
import type { Entry, Program, Update } from '../program.ts';
import { tensorsOf } from '../program.ts';
import { bytes, int, message } from './protobuf.ts';

/** Where a run finds the nodes of an entry. */
export interface EntryNames {
  /** Names to feed, in the order of the entry's inputs. */
  readonly inputs: readonly string[];
  /** Names to fetch, in the order of the entry's outputs; updates have happened when they are there. */
  readonly outputs: readonly string[];
}

/** Where a run finds the nodes of a variable. */
export interface VariableNames {
  /** Feed the value here … */
  readonly value: string;
  /** … and fetch this to assign it. */
  readonly assigned: string;
  /** Feed 0 to {@link SavedProgram.zero} and fetch this to set all of it to zero. */
  readonly cleared: string;
  /** Fetch this to read it; absent for a weight that is kept in bfloat16 alone. */
  readonly read?: string;
}

/** A written program. */
export interface SavedProgram {
  /** The content of `saved_model.pb`. */
  readonly content: Buffer;
  readonly entries: ReadonlyMap<string, EntryNames>;
  readonly variables: ReadonlyMap<string, VariableNames>;
  /** What zeros are made of: a value that is fed, since a constant would be repeated when the graph is optimized, and kept. */
  readonly zero: string;
}

/** How a program is written. */
export interface WriteOptions {
  /** Whether fused functions are compiled by XLA; otherwise their operations are written one by one. */
  readonly usesXla: boolean;
  /** The element type inside matrix products; everything else stays float32. */
  readonly matmul: 'float32' | 'bfloat16';
}

/** Writes one program; used once. */
class GraphWriter {
  readonly #nodes: Buffer[] = [];
  /** The names of a node's outputs. */
  readonly #names = new Map<Node, readonly string[]>();
  readonly #constants = new Map<string, string>();
  readonly #functions = new Map<string, string>();
  readonly #variables = new Map<string, string>();
  readonly #options: WriteOptions;
  #count = 0;

  constructor(options: WriteOptions) {
    this.#options = options;
  }

  /** Adds a node under a name. */
  write(name: string, op: string, inputs: readonly string[], attributes: NamedAttributes): string {
    this.#nodes.push(bytes(1, nodeMessage(name, op, inputs, attributes)));
    return name;
  }

  /** Adds a node under a name of its own, which messages from TensorFlow will show. */
  add(op: string, inputs: readonly string[], attributes: NamedAttributes): string {
    return this.write(`${op}_${this.#count++}`, op, inputs, attributes);
  }

  /** The name of a tensor, whose node has been written. */
  nameOf(tensor: Tensor): string {
    const name = this.#names.get(tensor.node)?.[tensor.index];
    if (name === undefined) throw new Error(`Internal error: ${tensor.node.op} was not written.`);
    return name;
  }

  #setName(node: Node, name: string): void {
    this.#names.set(node, node.outputs.map((_, index) => (index === 0 ? name : `${name}:${index}`))); // prettier-ignore
  }

  writeVariable(variable: Variable, index: number): void {
    const scope = `v${index}`;
    const type = { dtype: { type: variable.dtype } } as const;
    const handle = this.write(scope, 'VarHandleOp', [], {
      ...type,
      shape: { shape: variable.shape },
      shared_name: { text: scope },
      container: { text: '' },
    });
    this.#variables.set(variable.name, handle);
    this.#names.set(variable.node, [this.write(`${scope}/read`, 'ReadVariableOp', [handle], type)]);
  }

  /** Writes the scalar that zeros are made of. */
  writeZero(): string {
    return this.write('zero', 'Placeholder', [], { dtype: { type: 'float32' }, shape: { shape: [] } });
  }

  /** Writes how values get into variables that hold the same numbers, and out again. */
  writeAccess(targets: readonly Variable[], index: number, zero: string): VariableNames {
    const scope = `a${index}`;
    const [first] = targets;
    if (first === undefined) throw new Error('Internal error: a value that goes nowhere.');
    const dtype = first.dtype === 'bfloat16' ? 'float32' : first.dtype;
    const type = { T: { type: dtype } } as const;
    const value = this.write(`${scope}/value`, 'Placeholder', [], {
      dtype: { type: dtype },
      shape: { shape: first.shape },
    });
    const assign = (from: string, target: Variable): string => {
      const isNarrow = target.dtype !== dtype;
      const source = isNarrow ? this.add('Cast', [from], castAttributes(dtype, target.dtype)) : from;
      const handle = this.#handleOf(target.name);
      return `^${this.add('AssignVariableOp', [handle, source], { dtype: { type: target.dtype } })}`;
    };
    const assigned = targets.map((target) => assign(value, target));
    const lengths = this.#writeConstant(constant(first.shape, [first.shape.length], 'int32').node);
    const zeros = this.add('Fill', [lengths, zero], { ...type, index_type: { type: 'int32' } });
    const cleared = targets.map((target) => assign(zeros, target));
    const whole = this.write(`${scope}/whole`, 'Identity', [value, ...assigned], type);
    // A shape as the result, since fetching the value would copy it back.
    const done = this.write(`${scope}/done`, 'Shape', [whole], { ...type, out_type: { type: 'int32' } });
    return {
      value,
      assigned: done,
      cleared: this.write(`${scope}/cleared`, 'Identity', [zero, ...cleared], type),
      ...(first.dtype === dtype ? { read: this.nameOf(first) } : {}),
    };
  }

  writeEntry(entry: Entry, index: number): EntryNames {
    const scope = `e${index}`;
    const inputs = entry.inputs.map(({ tensor }, position) => {
      const name = this.write(`${scope}/in${position}`, 'Placeholder', [], {
        dtype: { type: tensor.dtype },
        shape: { shape: tensor.shape },
      });
      this.#names.set(tensor.node, [name]);
      return name;
    });
    const wanted = [...entry.outputs.map((output) => output.tensor), ...entry.updates.flatMap(tensorsOf)];
    const nodes = collectNodes(wanted);
    const inPlace = this.#options.usesXla ? findInPlaceUpdates(entry, nodes) : [];
    const later = new Set(inPlace.map(({ node }) => node));
    for (const node of nodes) if (!later.has(node)) this.#writeNode(node);
    const reads = this.#writeBarrier(nodes);
    const others = entry.updates.filter(
      (update) => update.kind !== 'assign' || !later.has(update.value.node),
    );
    const done = [
      ...inPlace.map((update) => `^${this.#writeInPlace(update, reads)}`),
      ...others.map((update) => `^${this.#writeUpdate(update, reads)}`),
    ];
    const outputs = entry.outputs.map(({ tensor }, position) =>
      this.write(`${scope}/out${position}`, 'Identity', [this.nameOf(tensor), ...done], {
        T: { type: tensor.dtype },
      }),
    );
    return { inputs, outputs };
  }

  /**
   * What has happened when every variable was read: that comes before any change to one.
   *
   * One node for all, since an edge from each read to each update is half a million for a small language model.
   */
  #writeBarrier(nodes: readonly Node[]): readonly string[] {
    const reads = nodes.filter((node) => node.op === 'Variable');
    if (reads.length === 0) return [];
    const names = reads.map((node) => `^${this.#names.get(node)?.[0] ?? ''}`);
    return [`^${this.add('NoOp', names, {})}`];
  }

  #writeNode(node: Node): void {
    if (this.#names.has(node)) return;
    const [first] = node.inputs;
    if (node.op === 'Identity' && first !== undefined) this.#names.set(node, [this.nameOf(first)]);
    else if (node.op === 'Const') this.#setName(node, this.#writeConstant(node));
    else if (node.op === 'Fused') this.#writeFused(node);
    else if (node.op === 'After') this.#writeAfter(node);
    else if (node.op === 'DynamicUpdateSlice') this.#writeSliceUpdate(node);
    else {
      this.#setName(
        node,
        this.add(
          node.op,
          node.inputs.map((tensor) => this.nameOf(tensor)),
          attributesOf(node),
        ),
      );
    }
  }

  /** The order is a control edge: the other tensor itself is not needed and not kept. */
  #writeAfter(node: Node): void {
    const [x, first] = node.inputs.map((tensor) => this.nameOf(tensor));
    if (x === undefined || first === undefined) throw new Error('Internal error: an order of one tensor.');
    const control = `^${first.replace(/:\d+$/, '')}`;
    this.#setName(node, this.add('Identity', [x, control], attributesOf(node)));
  }

  /** Outside of compiled functions a box is told by its end as well. */
  #writeSliceUpdate(node: Node): void {
    const [x = '', value = '', begin = ''] = node.inputs.map((tensor) => this.nameOf(tensor));
    const lengths = node.inputs[1]?.shape ?? [];
    const shape = [lengths.length];
    const write = (data: readonly number[]): string =>
      this.#writeConstant(constant(data, shape, 'int32').node);
    const end = this.add('AddV2', [begin, write(lengths)], { T: { type: 'int32' } });
    const none = { int: 0 } as const;
    const name = this.add('TensorStridedSliceUpdate', [x, begin, end, write(lengths.map(() => 1)), value], {
      T: { type: node.inputs[0]?.dtype ?? 'float32' },
      Index: { type: 'int32' },
      begin_mask: none,
      end_mask: none,
      ellipsis_mask: none,
      new_axis_mask: none,
      shrink_axis_mask: none,
    });
    this.#setName(node, name);
  }

  #writeFused(node: Node): void {
    const { body } = node;
    if (body === undefined) throw new Error('Internal error: a fused node without a body.');
    const inputs = node.inputs.map((tensor) => this.nameOf(tensor));
    if (!this.#options.usesXla) {
      body.parameters.forEach((parameter, index) => this.#names.set(parameter.node, [inputs[index] ?? '']));
      for (const inner of collectNodes(body.results)) this.#writeNode(inner);
      this.#names.set(
        node,
        body.results.map((result) => this.nameOf(result)),
      );
      return;
    }
    const call = this.add('PartitionedCall', inputs, {
      Tin: { types: node.inputs.map((tensor) => tensor.dtype) },
      Tout: { types: node.outputs.map((output) => output.dtype) },
      f: { function: this.#functionOf(body) },
      _XlaMustCompile: { bool: true },
    });
    this.#setName(node, call);
  }

  /** A fused function that changes variables, which it gets instead of their values. */
  #writeInPlace({ node, targets }: InPlaceUpdate, reads: readonly string[]): string {
    const { body } = node;
    if (body === undefined) throw new Error('Internal error: a fused node without a body.');
    const variables = new Map(
      targets.map(({ input }) => [input, String(node.inputs[input]?.node.attributes['name'])]),
    );
    const inputs = node.inputs.map((tensor, index) => {
      const name = variables.get(index);
      return name === undefined ? this.nameOf(tensor) : this.#handleOf(name);
    });
    return this.add('StatefulPartitionedCall', [...inputs, ...reads], {
      Tin: { types: node.inputs.map((tensor, index) => (variables.has(index) ? 'resource' : tensor.dtype)) },
      Tout: { types: [] },
      f: { function: this.#functionOf(body, targets) },
      _XlaMustCompile: { bool: true },
    });
  }

  /** Equal bodies share one function, so XLA compiles them once. */
  #functionOf(body: FusedBody, targets: InPlaceUpdate['targets'] = []): string {
    const key = functionMessage('', body, targets).toString('latin1');
    const known = this.#functions.get(key) ?? `fused${this.#functions.size}`;
    this.#functions.set(key, known);
    if (!this.#definitions.has(known)) this.#definitions.set(known, functionMessage(known, body, targets));
    return known;
  }

  readonly #definitions = new Map<string, Buffer>();

  /** Small constants are shared between all places that use them. */
  #writeConstant(node: Node): string {
    const [output] = node.outputs;
    const { data } = node;
    if (output === undefined || data === undefined)
      throw new Error('Internal error: a constant without data.');
    const key = data.length > 16 ? undefined : `${output.dtype}[${output.shape.join(',')}]${data.join(',')}`;
    return this.#shareConstant(key, () => this.add('Const', [], constantAttributes(node)));
  }

  #shareConstant(key: string | undefined, write: () => string): string {
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = write();
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }

  #floatConstant(value: number): string {
    const data: TensorData = Float32Array.of(value);
    return this.#shareConstant(`float32[]${data.join(',')}`, () =>
      this.add('Const', [], {
        dtype: { type: 'float32' },
        value: { data, shape: [], dtype: 'float32' },
      }),
    );
  }

  #handleOf(name: string): string {
    const found = this.#variables.get(name);
    if (found === undefined)
      throw new Error(`Internal error: the variable ${name} is not part of the program.`);
    return found;
  }

  #writeUpdate(update: Update, reads: readonly string[]): string {
    const handle = this.#handleOf(update.variable.name);
    const type = { type: update.variable.dtype } as const;
    if (update.kind !== 'adamw') {
      const op = update.kind === 'add' ? 'AssignAddVariableOp' : 'AssignVariableOp';
      return this.add(op, [handle, this.nameOf(update.value), ...reads], { dtype: type });
    }
    const { rates } = update;
    const gradient = this.nameOf(update.gradient);
    const order = [...reads];
    if (rates.decay !== undefined) {
      // θ ← θ − η·λ·θ, on the value before this update.
      const product = this.add('Mul', [this.nameOf(update.variable), this.nameOf(rates.decay)], { T: type });
      const after = [handle, product, ...reads, `^${gradient.replace(/:\d+$/, '')}`];
      order.push(`^${this.add('AssignSubVariableOp', after, { dtype: type })}`);
    }
    const inputs = [
      handle,
      this.#handleOf(update.firstMoment.name),
      this.#handleOf(update.secondMoment.name),
      ...[rates.beta1Power, rates.beta2Power, rates.learningRate].map((tensor) => this.nameOf(tensor)),
      this.#floatConstant(rates.beta1),
      this.#floatConstant(rates.beta2),
      this.nameOf(rates.scaledEpsilon),
      gradient,
      ...order,
    ];
    return this.add('ResourceApplyAdam', inputs, {
      T: type,
      use_locking: { bool: false },
      use_nesterov: { bool: false },
    });
  }

  /** A SavedModel with one graph, tagged `serve`; 1987 is a GraphDef version of TensorFlow 2.15. */
  finish(): Buffer {
    const functions = [...this.#definitions.values()].map((definition) => bytes(1, definition));
    const graph = message(...this.#nodes, bytes(4, int(1, 1987)), bytes(2, message(...functions)));
    const meta = message(bytes(1, bytes(4, 'serve')), bytes(2, graph));
    return message(int(1, 1), bytes(2, meta));
  }
}

/** Writes a program as a SavedModel and tells the names that runs need. */
export function writeSavedModel(program: Program, options: WriteOptions): SavedProgram {
  const { program: written, shadows } =
    options.matmul === 'float32'
      ? { program, shadows: new Map<string, Variable>() }
      : lowerPrecision(program);
  const writer = new GraphWriter(options);
  written.variables.forEach((variable, index) => {
    writer.writeVariable(variable, index);
  });
  const zero = writer.writeZero();
  const variables = program.variables.map(({ name }, index) => {
    const holders = [written.findVariable(name), shadows.get(name)].filter((holder) => holder !== undefined);
    return [name, writer.writeAccess(holders, index, zero)] as const;
  });
  const entries = new Map(
    written.entries.map((entry, index) => [entry.name, writer.writeEntry(entry, index)]),
  );
  return { content: writer.finish(), entries, variables: new Map(variables), zero };
}
