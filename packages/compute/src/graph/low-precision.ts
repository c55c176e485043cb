/**
 * Matrix products in bfloat16 with float32 around them, as PyTorch's autocast does on a CPU: the hardware adds up
 * in float32, and everything that is not a product stays float32.
 */
import type { FusedBody, Node, Tensor, Variable } from '../ir.ts';
import { collectNodes, makeNode, makeTensor, sizeOf } from '../ir.ts';
import { add, mul, square } from '../ops/elementwise.ts';
import { fuse } from '../ops/fuse.ts';
import { reshape, slice, sum } from '../ops/structure.ts';
import type { Entry, Update } from '../program.ts';
import { Program, mapUpdate, tensorsOf } from '../program.ts';

const products = new Set(['MatMul', 'BatchMatMulV2']);
/** Operations that only move elements. A bias is added in float32: the sum would be rounded a second time. */
const followers = new Set(['Reshape', 'Transpose', 'Slice', 'GatherV2', 'Identity', 'After']);
/** Smaller weights are narrowed each time: a copy would not pay. */
const shadowThreshold = 1 << 14;

/** In which element types a tensor is read. */
interface Demand {
  readonly isWide: boolean;
  readonly isNarrow: boolean;
}

const nothing: Demand = { isWide: false, isNarrow: false };
const wideOnly: Demand = { isWide: true, isNarrow: false };
const narrowOnly: Demand = { isWide: false, isNarrow: true };

/** What each node gives, and what is asked of it. */
class Demands {
  /** Products in bfloat16 and what only moves their elements. */
  readonly #native = new Set<Node>();
  readonly #demands = new Map<Node, Demand[]>();

  constructor(nodes: readonly Node[], entries: readonly Entry[]) {
    for (const node of nodes) if (this.#isNative(node)) this.#native.add(node);
    for (const entry of entries) {
      for (const { tensor } of entry.outputs) this.#ask(tensor, wideOnly);
      for (const update of entry.updates) for (const tensor of tensorsOf(update)) this.#ask(tensor, wideOnly);
    }
  }

  /** Tells readers' needs to what they read; nodes come after all their inputs. */
  settle(nodes: readonly Node[]): void {
    for (const node of [...nodes].reverse()) {
      node.inputs.forEach((input, index) => {
        if (input.dtype === 'float32') this.#ask(input, this.#demandOn(node, index));
      });
    }
  }

  ask(tensor: Tensor, demand: 'wide' | 'narrow'): void {
    this.#ask(tensor, demand === 'wide' ? wideOnly : narrowOnly);
  }

  of(node: Node, index = 0): Demand {
    return this.#demands.get(node)?.[index] ?? nothing;
  }

  isNative(tensor: Tensor): boolean {
    return this.#native.has(tensor.node);
  }

  #isNative(node: Node): boolean {
    const [first] = node.inputs;
    if (first?.dtype !== 'float32') return false;
    if (products.has(node.op) || node.attributes['isOperand'] === true) return true;
    return followers.has(node.op) && this.#native.has(first.node);
  }

  #demandOn(reader: Node, index: number): Demand {
    if (reader.op === 'After' && index === 1) return nothing; // An order, not a value.
    if (products.has(reader.op) || this.#native.has(reader)) return narrowOnly;
    const input = reader.inputs[index];
    if (input !== undefined && this.isNative(input)) return narrowOnly;
    return followers.has(reader.op) && index === 0 ? this.of(reader) : wideOnly;
  }

  #ask(tensor: Tensor, { isWide, isNarrow }: Demand): void {
    const list = this.#demands.get(tensor.node) ?? [];
    const before = list[tensor.index] ?? nothing;
    list[tensor.index] = { isWide: before.isWide || isWide, isNarrow: before.isNarrow || isNarrow };
    this.#demands.set(tensor.node, list);
  }
}

/** Writes a program anew with products in bfloat16; used once. */
class Lowering {
  readonly #demands: Demands;
  readonly #shadows: ReadonlyMap<Node, Variable>;
  /** The copies that a fused function gives new values. */
  readonly #updated: ReadonlyMap<Node, readonly Variable[]>;
  readonly #wide = new Map<Node, (Tensor | undefined)[]>();
  readonly #narrow = new Map<Node, (Tensor | undefined)[]>();

  constructor(
    demands: Demands,
    shadows: ReadonlyMap<Node, Variable>,
    updated: ReadonlyMap<Node, readonly Variable[]>,
  ) {
    this.#demands = demands;
    this.#shadows = shadows;
    this.#updated = updated;
  }

  /** A tensor in its own element type; for a product's result it is widened once. */
  wide(tensor: Tensor): Tensor {
    return this.#find(this.#wide, tensor) ?? this.#keep(this.#wide, tensor, cast(this.#stored(tensor, this.#narrow), 'float32')); // prettier-ignore
  }

  /** A tensor in bfloat16; for what exists in float32 it is narrowed once. */
  narrow(tensor: Tensor): Tensor {
    if (tensor.dtype !== 'float32') return this.wide(tensor);
    return this.#find(this.#narrow, tensor) ?? this.#keep(this.#narrow, tensor, cast(this.#stored(tensor, this.#wide), 'bfloat16')); // prettier-ignore
  }

  /** Makes what stands for a node; its inputs have been made. */
  rewrite(node: Node): void {
    const shadow = this.#shadows.get(node);
    if (shadow !== undefined) this.#keep(this.#narrow, outputOf(node), shadow);
    if (node.inputs.length === 0) this.#keep(this.#wide, outputOf(node), outputOf(node));
    else if (node.op === 'Fused') this.#rewriteFused(node);
    else if (node.op === 'Identity') this.#rewriteAlias(node);
    else if (node.op === 'After') this.#rewriteOrder(node);
    else if (node.op === 'L2Loss') this.#rewriteNorm(node);
    else if (this.#demands.isNative(outputOf(node))) this.#rewriteNarrow(node);
    else if (followers.has(node.op)) this.#rewriteFollower(node);
    else this.#rewriteWide(node);
  }

  #rewriteWide(node: Node): void {
    const inputs = node.inputs.map((input) => this.wide(input));
    const made = makeNode(node.op, inputs, node.outputs, node.attributes, dataOf(node));
    made.forEach((tensor, index) => this.#keep(this.#wide, outputOf(node, index), tensor));
  }

  #rewriteNarrow(node: Node): void {
    const inputs = node.inputs.map((input) => this.narrow(input));
    this.#keep(
      this.#narrow,
      outputOf(node),
      makeTensor(node.op, inputs, outputOf(node).shape, 'bfloat16', node.attributes),
    );
  }

  /** Moves the elements of what is wanted, in the element types in which they are there. */
  #rewriteFollower(node: Node): void {
    const { isWide, isNarrow } = this.#demands.of(node);
    const [first] = node.inputs;
    const hasNarrow = first !== undefined && this.#find(this.#narrow, first) !== undefined;
    if (isNarrow && hasNarrow) this.#rewriteNarrow(node);
    if (isWide || !isNarrow || !hasNarrow) this.#rewriteWide(node);
  }

  #rewriteAlias(node: Node): void {
    const [first] = node.inputs;
    if (first === undefined) return;
    if (node.attributes['isOperand'] === true) {
      this.#keep(this.#narrow, outputOf(node), this.narrow(first));
      return;
    }
    for (const versions of [this.#wide, this.#narrow]) {
      const found = this.#find(versions, first);
      if (found !== undefined) this.#keep(versions, outputOf(node), found);
    }
  }

  /** Both versions of a tensor wait for whichever version there is of the other. */
  #rewriteOrder(node: Node): void {
    const [x, before] = node.inputs;
    if (x === undefined || before === undefined) return;
    const made = this.#find(this.#wide, before) ?? this.#find(this.#narrow, before);
    if (made === undefined) throw new Error(`Internal error: ${before.node.op} was not lowered.`);
    for (const versions of [this.#wide, this.#narrow]) {
      const found = this.#find(versions, x);
      if (found !== undefined)
        this.#keep(versions, outputOf(node), makeTensor('After', [found, made], found.shape, found.dtype));
    }
  }

  /** Σ x² / 2 of a product, widened element by element. */
  #rewriteNorm(node: Node): void {
    const [input] = node.inputs;
    if (input === undefined || !this.#demands.isNative(input)) {
      this.#rewriteWide(node);
      return;
    }
    const [half] = fuse([this.narrow(input)], (x) => [mul(sumOfSquares(x), 0.5)] as const);
    this.#keep(this.#wide, outputOf(node), half);
  }

  /** A fused function reads and writes bfloat16 where its neighbours are products, so that no pass only converts. */
  #rewriteFused(node: Node): void {
    const { body } = node;
    if (body === undefined) throw new Error('Internal error: a fused node without a body.');
    const own = node.inputs.map((input) =>
      this.#demands.isNative(input) ? this.narrow(input) : this.wide(input),
    );
    // A function that is given a variable can write over it, even where it does not read it.
    const inputs = [...own, ...(this.#updated.get(node) ?? [])];
    const results = body.results.flatMap((result, index) => {
      const { isWide, isNarrow } = this.#demands.of(node, index);
      const canNarrow = result.dtype === 'float32' && isNarrow;
      return [
        ...(isWide || !canNarrow ? [{ index, result, isNarrow: false }] : []),
        ...(canNarrow ? [{ index, result, isNarrow: true }] : []),
      ];
    });
    const lowered = lowerBody(body, inputs, results);
    const outputs = lowered.results.map(({ shape, dtype }) => ({ shape, dtype }));
    const made = makeNode('Fused', inputs, outputs, {}, { body: lowered });
    results.forEach(({ index, isNarrow }, position) => {
      const tensor = made[position];
      if (tensor !== undefined)
        this.#keep(isNarrow ? this.#narrow : this.#wide, outputOf(node, index), tensor);
    });
  }

  #find(versions: ReadonlyMap<Node, (Tensor | undefined)[]>, { node, index }: Tensor): Tensor | undefined {
    return versions.get(node)?.[index];
  }

  #stored(tensor: Tensor, versions: ReadonlyMap<Node, (Tensor | undefined)[]>): Tensor {
    const found = this.#find(versions, tensor);
    if (found === undefined) throw new Error(`Internal error: ${tensor.node.op} was not lowered.`);
    return found;
  }

  #keep(versions: Map<Node, (Tensor | undefined)[]>, of: Tensor, tensor: Tensor): Tensor {
    const list = versions.get(of.node) ?? [];
    list[of.index] = tensor;
    versions.set(of.node, list);
    return tensor;
  }
}

function outputOf(node: Node, index = 0): Tensor {
  const output = node.outputs[index];
  if (output === undefined) throw new Error(`Internal error: ${node.op} has no output ${index}.`);
  return { node, index, ...output };
}

const dataOf = (node: Node): { readonly data?: NonNullable<Node['data']> } =>
  node.data === undefined ? {} : { data: node.data };

const cast = (x: Tensor, dtype: 'float32' | 'bfloat16'): Tensor =>
  x.dtype === dtype ? x : makeTensor('Cast', [x], x.shape, dtype);

/** Squares are added up in so many lanes first: with twice as many, XLA does not keep them in one loop any more. */
const lanes = 8;

/**
 * Σ x² in float32.
 *
 * Of one sum over everything XLA makes squares in memory and a slow loop over windows of them. Sums of a few elements
 * that lie far apart are one vectorized loop, which leaves an eighth.
 */
function sumOfSquares(x: Tensor): Tensor {
  const squares = square(cast(x, 'float32'));
  const length = sizeOf(x.shape) / lanes;
  if (!Number.isInteger(length)) return sum(squares);
  const flat = reshape(squares, [lanes * length]);
  const parts = Array.from({ length: lanes }, (_, lane) => slice(flat, [lane * length], [length]));
  return sum(parts.reduce((left, right) => add(left, right)));
}

/** A body with parameters of its inputs' types, and the results in the types that are wanted. */
function lowerBody(
  body: FusedBody,
  inputs: readonly Tensor[],
  results: readonly { readonly result: Tensor; readonly isNarrow: boolean }[],
): FusedBody {
  const versions = new Map<Node, readonly Tensor[]>();
  const parameters = body.parameters.map((parameter, index) => {
    const dtype = inputs[index]?.dtype ?? parameter.dtype;
    const made = makeTensor('Parameter', [], parameter.shape, dtype);
    versions.set(parameter.node, [dtype === 'bfloat16' ? cast(made, 'float32') : made]);
    return made;
  });
  const unread = inputs
    .slice(parameters.length)
    .map(({ shape, dtype }) => makeTensor('Parameter', [], shape, dtype));
  const versionOf = ({ node, index }: Tensor): Tensor => {
    const found = versions.get(node)?.[index];
    if (found === undefined) throw new Error(`Internal error: ${node.op} was not lowered.`);
    return found;
  };
  for (const node of collectNodes(body.results)) {
    if (versions.has(node)) continue;
    const isConstant = node.inputs.length === 0;
    versions.set(
      node,
      isConstant
        ? [outputOf(node)]
        : makeNode(node.op, node.inputs.map(versionOf), node.outputs, node.attributes, dataOf(node)),
    );
  }
  return {
    parameters: [...parameters, ...unread],
    results: results.map(({ result, isNarrow }) =>
      isNarrow ? cast(versionOf(result), 'bfloat16') : versionOf(result),
    ),
  };
}

/** A program with products in bfloat16. */
export interface LoweredProgram {
  readonly program: Program;
  /** By a weight's name: its copy in bfloat16, which products read. */
  readonly shadows: ReadonlyMap<string, Variable>;
}

/**
 * The same program with matrix products in bfloat16.
 *
 * Products read copies of large weights that are written together with the weights; a weight that nothing else
 * reads exists as the copy alone.
 */
export function lowerPrecision(program: Program): LoweredProgram {
  const { entries, variables } = program;
  const nodes = collectNodes(
    entries.flatMap((entry) => [
      ...entry.outputs.map((output) => output.tensor),
      ...entry.updates.flatMap(tensorsOf),
    ]),
  );
  const demands = new Demands(nodes, entries);
  demands.settle(nodes);
  const updates = entries.flatMap((entry) => entry.updates);
  const isAssignable = (variable: Variable): boolean =>
    updates.every((update) => update.variable.name !== variable.name || update.kind === 'assign');
  const shadows = new Map<string, Variable>();
  for (const variable of variables) {
    const isLarge = sizeOf(variable.shape) >= shadowThreshold;
    if (!isLarge || !demands.of(variable.node).isNarrow || !isAssignable(variable)) continue;
    const name = `${variable.name}/bfloat16`;
    const copy = makeTensor('Variable', [], variable.shape, 'bfloat16', { name });
    shadows.set(variable.name, { ...copy, name, isTrainable: false });
  }
  // A value that goes into a copy is wanted in bfloat16 where it is made.
  for (const update of updates)
    if (update.kind === 'assign' && shadows.has(update.variable.name)) demands.ask(update.value, 'narrow');
  const byNode = new Map(
    variables.flatMap((variable) => {
      const shadow = shadows.get(variable.name);
      return shadow === undefined ? [] : [[variable.node, shadow] as const];
    }),
  );
  const updated = Map.groupBy(
    updates.filter((update) => update.kind === 'assign' && update.value.node.op === 'Fused'),
    (update) => tensorsOf(update)[0]?.node ?? update.variable.node,
  );
  const copies = new Map(
    [...updated].map(([node, list]) => [
      node,
      list.flatMap(({ variable }) => shadows.get(variable.name) ?? []),
    ]),
  );
  const lowering = new Lowering(demands, byNode, copies);
  for (const node of nodes) lowering.rewrite(node);
  const isWritten = new Set(updates.map((update) => update.variable.name));
  const kept = variables.filter(
    (variable) =>
      !shadows.has(variable.name) || isWritten.has(variable.name) || demands.of(variable.node).isWide,
  );
  return {
    program: Program.of(
      [...kept, ...shadows.values()],
      entries.map((entry) => lowerEntry(entry, lowering, shadows)),
    ),
    shadows,
  };
}

function lowerEntry(entry: Entry, lowering: Lowering, shadows: ReadonlyMap<string, Variable>): Entry {
  const updates = entry.updates.flatMap((update): Update[] => {
    const lowered = mapUpdate(update, (tensor) => lowering.wide(tensor));
    const shadow = shadows.get(update.variable.name);
    return update.kind === 'assign' && shadow !== undefined
      ? [lowered, { kind: 'assign', variable: shadow, value: lowering.narrow(update.value) }]
      : [lowered];
  });
  return {
    name: entry.name,
    inputs: entry.inputs,
    outputs: entry.outputs.map(({ name, tensor }) => ({ name, tensor: lowering.wide(tensor) })),
    updates,
  };
}
