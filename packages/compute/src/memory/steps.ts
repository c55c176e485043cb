import { findInPlaceUpdates } from '../graph/in-place-updates.ts';
import type { DType, Node, Tensor } from '../ir.ts';
import { collectNodes, sizeOf } from '../ir.ts';
import type { Entry, Update } from '../program.ts';
import { tensorsOf } from '../program.ts';

/** What memory is used for. */
export type Use = 'weights' | 'optimizer' | 'gradients' | 'activations' | 'temporaries';

/** One operation as the allocator sees it. */
export interface Step {
  readonly inputs: readonly string[];
  readonly outputs: readonly Output[];
}

/** A tensor that an operation makes. */
export interface Output {
  readonly name: string;
  readonly bytes: number;
  readonly use: Use;
  /** The tensor whose memory this one shares. */
  readonly sharesWith?: string;
  /** Whether it may take over the memory of an input that nothing else needs any more. */
  readonly isInPlace?: boolean;
}

/** The operations of an entry, and the tensors that a run gives back. */
export interface StepList {
  readonly steps: readonly Step[];
  readonly kept: readonly string[];
}

/** Bytes of one element. */
export const bytesOf: Readonly<Record<DType, number>> = {
  float32: 4,
  int32: 4,
  bool: 1,
  bfloat16: 2,
  float16: 2,
};
const sharing = new Set(['Identity', 'After', 'Reshape']);
/** TensorFlow's kernels write these over an input of the same size. */
const inPlace = new Set(
  (
    'AddV2 Sub Mul RealDiv Maximum Minimum SquaredDifference Pow BiasAdd Neg Square Sqrt Rsqrt Exp Log Tanh ' +
    'Sigmoid Erf Relu Softmax LogSoftmax'
  ).split(' '),
);

/** A slice of whole rows is a view. */
function isView(node: Node): boolean {
  const [x] = node.inputs;
  if (node.op !== 'Slice' || x === undefined) return sharing.has(node.op);
  return node.outputs[0]?.shape.slice(1).every((length, axis) => length === x.shape[axis + 1]) === true;
}

/** Nodes that the entry's first output, the loss, needs. */
const findForward = (entry: Entry): ReadonlySet<Node> =>
  new Set(collectNodes(entry.outputs.slice(0, 1).map(({ tensor }) => tensor)));

/** Nodes whose output an update takes, or a scaled copy of it. */
function findGradients(entry: Entry): ReadonlySet<Node> {
  const found = new Set<Node>();
  const mark = ({ node, shape }: Tensor): void => {
    if (node.op === 'Variable' || node.op === 'Const' || found.has(node)) return;
    found.add(node);
    if (!inPlace.has(node.op) && !sharing.has(node.op)) return;
    for (const input of node.inputs) if (sizeOf(input.shape) === sizeOf(shape)) mark(input);
  };
  for (const update of entry.updates) {
    if (update.kind === 'adamw') mark(update.gradient);
    else if (update.value.node.op !== 'Fused') mark(update.value);
    else for (const input of update.value.node.inputs) if (input.shape.length > 0) mark(input);
  }
  return found;
}

/** Lists the steps of one entry; made, used and thrown away by {@link listSteps}. */
class Lister {
  readonly steps: Step[] = [];
  readonly #names = new Map<Node, readonly string[]>();
  readonly #forward: ReadonlySet<Node>;
  readonly #gradients: ReadonlySet<Node>;
  #count = 0;

  constructor(entry: Entry) {
    this.#forward = findForward(entry);
    this.#gradients = findGradients(entry);
  }

  nameOf(tensor: Tensor): string {
    const name = this.#names.get(tensor.node)?.[tensor.index];
    if (name === undefined) throw new Error(`Internal error: ${tensor.node.op} has no place in memory.`);
    return name;
  }

  #useOf(node: Node): Use {
    if (this.#gradients.has(node)) return 'gradients';
    return this.#forward.has(node) ? 'activations' : 'temporaries';
  }

  list(node: Node): void {
    if (this.#names.has(node)) return;
    const inputs = node.inputs.map((tensor) => this.nameOf(tensor));
    const outputs = node.outputs.map(({ shape, dtype }): Output => {
      const name = `t${this.#count++}`;
      // The session holds variables and constants; a read is a view.
      const bytes = node.op === 'Variable' || node.op === 'Const' ? 0 : sizeOf(shape) * bytesOf[dtype];
      return {
        name,
        bytes,
        use: this.#useOf(node),
        ...(isView(node) && inputs[0] !== undefined ? { sharesWith: inputs[0] } : {}),
        ...(inPlace.has(node.op) ? { isInPlace: true } : {}),
      };
    });
    this.steps.push({ inputs, outputs });
    this.#names.set(
      node,
      outputs.map(({ name }) => name),
    );
  }

  /** An update that writes into its variable. */
  listUpdate(update: Update): void {
    this.steps.push({ inputs: tensorsOf(update).map((tensor) => this.nameOf(tensor)), outputs: [] });
  }

  listInPlace(node: Node): void {
    this.steps.push({ inputs: node.inputs.map((tensor) => this.nameOf(tensor)), outputs: [] });
  }
}

/** The operations of an entry as TensorFlow gets them. */
export function listSteps(entry: Entry): StepList {
  const lister = new Lister(entry);
  const nodes = collectNodes([
    ...entry.outputs.map(({ tensor }) => tensor),
    ...entry.updates.flatMap(tensorsOf),
  ]);
  const later = new Set(findInPlaceUpdates(entry, nodes).map(({ node }) => node));
  for (const node of nodes) if (!later.has(node)) lister.list(node);
  for (const node of later) lister.listInPlace(node);
  for (const update of entry.updates)
    if (update.kind !== 'assign' || !later.has(update.value.node)) lister.listUpdate(update);
  return { steps: lister.steps, kept: entry.outputs.map(({ tensor }) => lister.nameOf(tensor)) };
}
