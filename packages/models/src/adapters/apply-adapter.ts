import {
  add,
  concat,
  div,
  fuse,
  linear,
  matMul,
  mul,
  reshape,
  slice,
  sqrt,
  square,
  stopGradient,
  sum,
} from '@joyul/compute';
import type { Tensor, Variable } from '@joyul/compute';

/** Two small matrices beside a linear layer. */
export interface LayerAdapter {
  /** A [rank, in] */
  readonly down: Variable;
  /** B [out, rank] */
  readonly up: Variable;
  /** What the product is multiplied with: α / rank, or α / √rank. */
  readonly scale: number;
  /** DoRA's lengths of the rows of the effective weight [out]; absent for LoRA. */
  readonly magnitude?: Variable;
}

/**
 * s·x·Aᵀ for each adapter of layers that read the same x [rows, in], as one product: narrow products cost
 * more than their arithmetic, forwards and backwards. Each result is [rows, rank].
 */
export function narrow(x: Tensor, adapters: readonly LayerAdapter[]): readonly Tensor[] {
  const [first] = adapters;
  if (first === undefined) return [];
  const rows = x.shape[0] ?? 0;
  const down =
    adapters.length === 1
      ? first.down
      : concat(
          adapters.map((adapter) => adapter.down),
          0,
        ); // [Σ rank, in]
  const joint = matMul(x, down, { transposeB: true }); // [rows, Σ rank]
  let at = 0;
  return adapters.map((adapter) => {
    const rank = adapter.down.shape[0] ?? 0;
    const own = adapters.length === 1 ? joint : slice(joint, [0, at], [rows, rank]);
    at += rank;
    return mul(own, adapter.scale);
  });
}

/**
 * ‖W + s·B·A‖ of each row [out], without the sum itself: ‖w‖² + 2s·⟨w·Aᵀ, b⟩ + s²·b·(A·Aᵀ)·bᵀ for a row w of W and
 * b of B. No gradient flows through it (Liu et al. 2024, section 4.3).
 */
export function effectiveNorms(weight: Tensor, { down, up, scale }: LayerAdapter): Tensor {
  const [base] = fuse([weight], (w) => [sum(square(w), [1])] as const); // [out]
  const onDown = matMul(weight, down, { transposeB: true }); // [out, rank]
  const gram = matMul(down, down, { transposeB: true }); // [rank, rank]
  const mixed = add(mul(onDown, 2 * scale), mul(matMul(up, gram), scale * scale)); // [out, rank]
  return stopGradient(sqrt(add(base, sum(mul(mixed, up), [1]))));
}

/** What {@link adapt} needs besides x. */
export interface AdaptedInputs {
  /** W [out, in] */
  readonly weight: Tensor;
  readonly adapter: LayerAdapter;
  /** s·x·Aᵀ [rows, rank], from {@link narrow}. */
  readonly narrowed: Tensor;
  /** For DoRA: from {@link effectiveNorms}. */
  readonly norms: Tensor | undefined;
}

/** x·Wᵀ + s·x·Aᵀ·Bᵀ, for DoRA scaled to the learned magnitudes; [rows, out]. */
export function adapt(x: Tensor, { weight, adapter, narrowed, norms }: AdaptedInputs): Tensor {
  const wide = matMul(narrowed, adapter.up, { transposeB: true }); // [rows, out]
  const total = add(linear(x, weight), wide);
  if (adapter.magnitude === undefined || norms === undefined) return total;
  return mul(total, reshape(div(adapter.magnitude, norms), [1, -1]));
}
