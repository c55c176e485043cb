import type { Node, Tensor } from '../ir.ts';
import type { NamedAttributes } from './node-def.ts';
import { attributesOf } from './node-def.ts';

/** What {@link LowPrecision} needs of the writer. */
interface Writer {
  add(op: string, inputs: readonly string[], attributes: NamedAttributes): string;
  nameOf(tensor: Tensor): string;
  /** The name of a kept bfloat16 copy of a variable that never changes; undefined for any other node. */
  shadowOf(node: Node): string | undefined;
}

const products = new Set(['MatMul', 'BatchMatMulV2']);
/** Operations that only move elements, or that a product is fused with. */
const followers = new Set(['Reshape', 'Transpose', 'BiasAdd']);

/**
 * Matrix products in bfloat16 with float32 around them, as PyTorch's autocast does on a CPU.
 *
 * Each tensor is narrowed at most once, and a weight that is never trained only when it is written; a product's result stays narrow through reshapes and
 * transposes, and is widened only for what needs float32. The hardware adds up in float32.
 */
export class LowPrecision {
  readonly #writer: Writer;
  /** Nodes that exist in bfloat16. */
  readonly #results = new Map<Node, string>();
  /** Tensors that were narrowed, by their float32 name. */
  readonly #narrowed = new Map<string, string>();
  /** Names of widened results, by their narrow name. */
  readonly #widened = new Map<string, string>();

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  has(node: Node): boolean {
    return this.#results.has(node);
  }

  /** Writes a node in bfloat16, or gives false where it has to be float32. */
  write(node: Node): boolean {
    const [first] = node.inputs;
    if (first?.dtype !== 'float32') return false;
    const isProduct = products.has(node.op);
    if (!isProduct && !(followers.has(node.op) && this.#results.has(first.node))) return false;
    const inputs = node.inputs.map((tensor) =>
      tensor.dtype === 'float32' ? this.#narrow(tensor) : this.#writer.nameOf(tensor),
    );
    this.#results.set(
      node,
      this.#writer.add(node.op, inputs, { ...attributesOf(node), T: { type: 'bfloat16' } }),
    );
    return true;
  }

  /** Lets a node stand for a narrow tensor; false when the tensor is not narrow. */
  alias(node: Node, of: Tensor): boolean {
    const name = this.#results.get(of.node);
    if (name === undefined) return false;
    this.#results.set(node, name);
    return true;
  }

  /** Widens a narrow tensor and gives the name of the result. */
  widen(tensor: Tensor): string | undefined {
    const name = this.#results.get(tensor.node);
    if (name === undefined) return undefined;
    const known = this.#widened.get(name) ?? this.#cast(name, 'bfloat16', 'float32');
    this.#widened.set(name, known);
    return known;
  }

  #narrow(tensor: Tensor): string {
    const result = this.#results.get(tensor.node);
    if (result !== undefined) return result;
    const shadow = this.#writer.shadowOf(tensor.node);
    if (shadow !== undefined) return shadow;
    const name = this.#writer.nameOf(tensor);
    const known = this.#narrowed.get(name) ?? this.#cast(name, 'float32', 'bfloat16');
    this.#narrowed.set(name, known);
    return known;
  }

  #cast(name: string, from: 'float32' | 'bfloat16', to: 'float32' | 'bfloat16'): string {
    return this.#writer.add('Cast', [name], {
      SrcT: { type: from },
      DstT: { type: to },
      Truncate: { bool: false },
    });
  }
}
