/**
 * Writes a program as a TensorFlow SavedModel.
 *
 * Messages and field numbers are those of tensorflow/core/framework/{graph,node_def,attr_value,tensor}.proto
 * and tensorflow/core/protobuf/{saved_model,meta_graph}.proto.
 */
import type { Attributes, DType, Node, Tensor, TensorData, Variable } from './ir.ts';
import { collectNodes } from './ir.ts';
import type { Entry, Program, Update } from './program.ts';
import { tensorsOf } from './program.ts';
import { bytes, int, message } from './protobuf.ts';

/** TensorFlow's numbers for element types. */
export const dtypeNumbers: Readonly<Record<DType, number>> = { float32: 1, int32: 3, bool: 10, bfloat16: 14 };

type Attribute =
  | { readonly type: DType }
  | { readonly bool: boolean }
  | { readonly int: number }
  | { readonly text: string }
  | { readonly shape: readonly number[] }
  | { readonly tensor: Tensor };

const shapeMessage = (shape: readonly number[]): Buffer =>
  message(...shape.map((length) => bytes(2, int(1, length))));

function tensorMessage(shape: readonly number[], dtype: DType, data: TensorData): Buffer {
  const content = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return message(int(1, dtypeNumbers[dtype]), bytes(2, shapeMessage(shape)), bytes(4, content));
}

function attributeMessage(attribute: Attribute): Buffer {
  if ('type' in attribute) return int(6, dtypeNumbers[attribute.type]);
  if ('bool' in attribute) return int(5, attribute.bool ? 1 : 0);
  if ('int' in attribute) return int(3, attribute.int);
  if ('text' in attribute) return bytes(2, attribute.text);
  if ('shape' in attribute) return bytes(7, shapeMessage(attribute.shape));
  const { node, shape, dtype } = attribute.tensor;
  return bytes(8, tensorMessage(shape, dtype, node.data ?? new Float32Array()));
}

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
  /** Fetch this to read it. */
  readonly read: string;
}

/** A written program. */
export interface SavedProgram {
  /** The content of `saved_model.pb`. */
  readonly content: Buffer;
  readonly entries: ReadonlyMap<string, EntryNames>;
  readonly variables: ReadonlyMap<string, VariableNames>;
}

/** Attributes of each operation in TensorFlow's registry, from those of our node. */
type AttributeRule = (node: Node, attributes: Attributes) => Readonly<Record<string, Attribute>>;

const inputType = (node: Node): DType => node.inputs[0]?.dtype ?? 'float32';
const elementwise: AttributeRule = (node) => ({ T: { type: inputType(node) } });
const reduction: AttributeRule = (node, { keepDims }) => ({
  T: { type: inputType(node) },
  Tidx: { type: 'int32' },
  keep_dims: { bool: keepDims === true },
});

const attributeRules: Readonly<Record<string, AttributeRule>> = {
  Sum: reduction,
  Mean: reduction,
  Max: reduction,
  Cast: (node) => ({
    SrcT: { type: inputType(node) },
    DstT: { type: node.outputs[0]?.dtype ?? 'float32' },
    Truncate: { bool: false },
  }),
  Reshape: (node) => ({ T: { type: inputType(node) }, Tshape: { type: 'int32' } }),
  Transpose: (node) => ({ T: { type: inputType(node) }, Tperm: { type: 'int32' } }),
  Slice: (node) => ({ T: { type: inputType(node) }, Index: { type: 'int32' } }),
  BroadcastTo: (node) => ({ T: { type: inputType(node) }, Tidx: { type: 'int32' } }),
  ConcatV2: (node, { count }) => ({
    T: { type: inputType(node) },
    Tidx: { type: 'int32' },
    N: { int: Number(count) },
  }),
  GatherV2: (node) => ({
    Tparams: { type: inputType(node) },
    Tindices: { type: 'int32' },
    Taxis: { type: 'int32' },
    batch_dims: { int: 0 },
  }),
  UnsortedSegmentSum: (node) => ({
    T: { type: inputType(node) },
    Tindices: { type: 'int32' },
    Tnumsegments: { type: 'int32' },
  }),
  OneHot: (node) => ({
    T: { type: node.outputs[0]?.dtype ?? 'float32' },
    TI: { type: 'int32' },
    axis: { int: -1 },
  }),
  ArgMax: (node) => ({
    T: { type: inputType(node) },
    Tidx: { type: 'int32' },
    output_type: { type: 'int32' },
  }),
  SelectV2: (node) => ({ T: { type: node.outputs[0]?.dtype ?? 'float32' } }),
  Equal: (node) => ({ T: { type: inputType(node) }, incompatible_shape_error: { bool: true } }),
  NotEqual: (node) => ({ T: { type: inputType(node) }, incompatible_shape_error: { bool: true } }),
  BiasAdd: (node) => ({ T: { type: inputType(node) }, data_format: { text: 'NHWC' } }),
  MatMul: (node, { transposeA, transposeB }) => ({
    T: { type: inputType(node) },
    transpose_a: { bool: transposeA === true },
    transpose_b: { bool: transposeB === true },
  }),
  BatchMatMulV2: (node, { transposeA, transposeB }) => ({
    T: { type: inputType(node) },
    adj_x: { bool: transposeA === true },
    adj_y: { bool: transposeB === true },
  }),
  SparseSoftmaxCrossEntropyWithLogits: (node) => ({
    T: { type: inputType(node) },
    Tlabels: { type: 'int32' },
  }),
};

/** Writes one program; used once. */
class GraphWriter {
  readonly #nodes: Buffer[] = [];
  readonly #names = new Map<Node, string>();
  readonly #constants = new Map<string, string>();
  readonly #variables = new Map<string, { readonly handle: string; readonly read: string }>();
  #count = 0;

  /** Adds a node under a name. */
  write(
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
  ): string {
    const fields = Object.entries(attributes).map(([key, value]) =>
      bytes(5, message(bytes(1, key), bytes(2, attributeMessage(value)))),
    );
    const node = message(bytes(1, name), bytes(2, op), ...inputs.map((input) => bytes(3, input)), ...fields);
    this.#nodes.push(bytes(1, node));
    return name;
  }

  /** Adds a node under a name of its own. */
  add(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>>): string {
    return this.write(`n${this.#count++}`, op, inputs, attributes);
  }

  /** The name of a tensor, whose node has been written. */
  nameOf(tensor: Tensor): string {
    const name = this.#names.get(tensor.node);
    if (name === undefined) throw new Error(`Internal error: ${tensor.node.op} was not written.`);
    return tensor.index === 0 ? name : `${name}:${tensor.index}`;
  }

  writeVariable(variable: Variable, index: number): VariableNames {
    const type = { dtype: { type: variable.dtype } } as const;
    const typeAndShape = { ...type, shape: { shape: variable.shape } } as const;
    const handle = this.write(`v${index}`, 'VarHandleOp', [], {
      ...typeAndShape,
      shared_name: { text: `v${index}` },
      container: { text: '' },
    });
    const value = this.write(`v${index}/value`, 'Placeholder', [], typeAndShape);
    const assign = this.write(`v${index}/assign`, 'AssignVariableOp', [handle, value], type);
    const assigned = this.write(`v${index}/assigned`, 'Identity', [value, `^${assign}`], {
      T: { type: variable.dtype },
    });
    // A shape as the result, since fetching the value would copy it back.
    const done = this.write(`v${index}/done`, 'Shape', [assigned], {
      T: { type: variable.dtype },
      out_type: { type: 'int32' },
    });
    const read = this.write(`v${index}/read`, 'ReadVariableOp', [handle], type);
    this.#variables.set(variable.name, { handle, read });
    this.#names.set(variable.node, read);
    return { value, assigned: done, read };
  }

  writeEntry(entry: Entry, index: number): EntryNames {
    const scope = `e${index}`;
    const inputs = entry.inputs.map(({ tensor }, position) => {
      const name = this.write(`${scope}/in${position}`, 'Placeholder', [], {
        dtype: { type: tensor.dtype },
        shape: { shape: tensor.shape },
      });
      this.#names.set(tensor.node, name);
      return name;
    });
    const wanted = [...entry.outputs.map((output) => output.tensor), ...entry.updates.flatMap(tensorsOf)];
    const nodes = collectNodes(wanted);
    for (const node of nodes) this.#writeNode(node);
    // Everything that reads a variable in this entry comes before any change to one.
    const reads = nodes
      .filter((node) => node.op === 'Variable')
      .map((node) => `^${this.#names.get(node) ?? ''}`);
    const done = entry.updates.map((update) => `^${this.#writeUpdate(update, reads)}`);
    const outputs = entry.outputs.map(({ tensor }, position) =>
      this.write(`${scope}/out${position}`, 'Identity', [this.nameOf(tensor), ...done], {
        T: { type: tensor.dtype },
      }),
    );
    return { inputs, outputs };
  }

  #writeNode(node: Node): void {
    if (this.#names.has(node)) return;
    const first = node.inputs[0];
    if (node.op === 'Identity' && first !== undefined) {
      this.#names.set(node, this.nameOf(first));
      return;
    }
    if (node.op === 'Const') {
      this.#names.set(node, this.#writeConstant(node));
      return;
    }
    const attributes = (attributeRules[node.op] ?? elementwise)(node, node.attributes);
    this.#names.set(
      node,
      this.add(
        node.op,
        node.inputs.map((tensor) => this.nameOf(tensor)),
        attributes,
      ),
    );
  }

  /** Small constants are shared between all places that use them. */
  #writeConstant(node: Node): string {
    const [output] = node.outputs;
    if (output === undefined || node.data === undefined)
      throw new Error('Internal error: a constant without data.');
    const key =
      node.data.length > 16 ? undefined : `${output.dtype}[${output.shape.join(',')}]${node.data.join(',')}`;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const tensor: Tensor = { node, index: 0, ...output };
    const name = this.add('Const', [], { dtype: { type: output.dtype }, value: { tensor } });
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }

  #handleOf(variable: Variable): string {
    const found = this.#variables.get(variable.name);
    if (found === undefined)
      throw new Error(`Internal error: the variable ${variable.name} is not part of the program.`);
    return found.handle;
  }

  #writeUpdate(update: Update, reads: readonly string[]): string {
    const handle = this.#handleOf(update.variable);
    const type = { type: update.variable.dtype } as const;
    if (update.kind === 'assign')
      return this.add('AssignVariableOp', [handle, this.nameOf(update.value), ...reads], { dtype: type });
    const { rates } = update;
    const order = [...reads];
    if (rates.decay !== undefined) {
      // θ ← θ − η·λ·θ, on the value before this update.
      const product = this.add('Mul', [this.nameOf(update.variable), this.nameOf(rates.decay)], { T: type });
      order.push(
        `^${this.add('AssignSubVariableOp', [handle, product, ...reads, `^${this.#nodeName(update.gradient)}`], { dtype: type })}`,
      );
    }
    const constantName = (value: number): string => this.#floatConstant(value);
    const inputs = [
      handle,
      this.#handleOf(update.firstMoment),
      this.#handleOf(update.secondMoment),
      ...[rates.beta1Power, rates.beta2Power, rates.learningRate].map((tensor) => this.nameOf(tensor)),
      constantName(rates.beta1),
      constantName(rates.beta2),
      this.nameOf(rates.scaledEpsilon),
      this.nameOf(update.gradient),
      ...order,
    ];
    return this.add('ResourceApplyAdam', inputs, {
      T: type,
      use_locking: { bool: false },
      use_nesterov: { bool: false },
    });
  }

  #nodeName(tensor: Tensor): string {
    return this.nameOf(tensor).replace(/:\d+$/, '');
  }

  #floatConstant(value: number): string {
    const key = `number ${value}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const node: Node = {
      id: -1,
      op: 'Const',
      inputs: [],
      attributes: {},
      data: Float32Array.of(value),
      outputs: [],
    };
    const name = this.add('Const', [], {
      dtype: { type: 'float32' },
      value: { tensor: { node, index: 0, shape: [], dtype: 'float32' } },
    });
    this.#constants.set(key, name);
    return name;
  }

  /** A SavedModel with one graph, tagged `serve`; 1987 is a GraphDef version of TensorFlow 2.15. */
  finish(): Buffer {
    const graph = message(...this.#nodes, bytes(4, int(1, 1987)));
    const meta = message(bytes(1, bytes(4, 'serve')), bytes(2, graph));
    return message(int(1, 1), bytes(2, meta));
  }
}

/** Writes a program as a SavedModel and tells the names that runs need. */
export function writeSavedModel(program: Program): SavedProgram {
  const writer = new GraphWriter();
  const variables = new Map(
    program.variables.map((variable, index) => [variable.name, writer.writeVariable(variable, index)]),
  );
  const entries = new Map(
    program.entries.map((entry, index) => [entry.name, writer.writeEntry(entry, index)]),
  );
  return { content: writer.finish(), entries, variables };
}
