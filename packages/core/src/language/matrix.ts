import { formatCanonicalJson } from '../util/canonical-json.ts';
import { digestOf } from '../util/hash.ts';

/** Values of one matrix instance, by axis. */
export type MatrixValues = Readonly<Record<string, unknown>>;

/** One instance of a matrix. */
export interface MatrixInstance {
  /** The values that name it, and by which steps are joined. */
  readonly axes: MatrixValues;
  /** What expressions see: the axes, and what `include` adds to them. */
  readonly values: MatrixValues;
}

/** More instances than this are a mistake. */
export const maxInstances = 100_000;

const isRecord = (value: unknown): value is MatrixValues =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Equal values give equal texts. */
export const keyOf = (value: unknown): string => formatCanonicalJson(value);

const agree = (values: MatrixValues, pattern: MatrixValues, axes: readonly string[]): boolean =>
  axes.every((axis) => !Object.hasOwn(pattern, axis) || keyOf(values[axis]) === keyOf(pattern[axis]));

const recordsOf = (value: unknown): readonly MatrixValues[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];

/** The axes of a matrix: all its keys but `include` and `exclude`. */
export function axesOf(matrix: MatrixValues): Readonly<Record<string, readonly unknown[]>> {
  const { include: _include, exclude: _exclude, ...axes } = matrix;
  return Object.fromEntries(
    Object.entries(axes).map(([axis, values]) => [axis, Array.isArray(values) ? values : [values]]),
  );
}

/** How many instances a matrix has before `exclude`. */
export function countProduct(matrix: MatrixValues): number {
  return Object.values(axesOf(matrix)).reduce((product, values) => product * values.length, 1);
}

/**
 * The instances of a matrix: all combinations of its axes less `exclude`, then `include`.
 *
 * An entry of `include` that agrees with combinations on their axes adds its other values to them; one that agrees
 * with none is an instance of its own. The last axis changes fastest.
 */
export function expandMatrix(matrix: MatrixValues): readonly MatrixInstance[] {
  const axes = axesOf(matrix);
  const names = Object.keys(axes);
  let product: readonly MatrixValues[] = names.length === 0 ? [] : [{}];
  for (const [axis, values] of Object.entries(axes))
    product = product.flatMap((instance) => values.map((value) => ({ ...instance, [axis]: value })));
  const excluded = recordsOf(matrix['exclude']);
  const kept = product.filter((values) => !excluded.some((pattern) => agree(values, pattern, names)));
  const included = recordsOf(matrix['include']);
  const added = kept.map((values): MatrixInstance => {
    const extra = included.filter((pattern) => agree(values, pattern, names));
    // A spread keeps a key such as __proto__ an ordinary one.
    const joined = [...extra, values].reduce((all, more) => ({ ...all, ...more }), {});
    return { axes: values, values: joined };
  });
  const own = included.filter((pattern) => !kept.some((values) => agree(values, pattern, names)));
  return [...added, ...own.map((values) => ({ axes: values, values }))];
}

/** How the values of an axis were typed, by axis and canonical value: `1e-4` for 0.0001. */
export type AxisSpellings = ReadonlyMap<string, ReadonlyMap<string, string>>;

function formatAxisValue(value: unknown, typed: string | undefined): string {
  if (typed !== undefined) return typed;
  // These characters take ids and lists of ids apart.
  if (typeof value === 'string')
    return /[\s,=@"/\\[\]{}]/.test(value) || value === '' ? JSON.stringify(value) : value;
  if (typeof value !== 'object' || value === null) return String(value);
  const text = keyOf(value);
  return text.length <= 32 ? text : `#${digestOf(text).slice(0, 8)}`;
}

/** An instance's id: `train@lr=0.001,seed=1`. */
export function formatInstanceId(step: string, axes: MatrixValues, spellings: AxisSpellings): string {
  const parts = Object.entries(axes).map(
    ([axis, value]) => `${axis}=${formatAxisValue(value, spellings.get(axis)?.get(keyOf(value)))}`,
  );
  return parts.length === 0 ? step : `${step}@${parts.join(',')}`;
}
