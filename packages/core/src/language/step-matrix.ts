import { findNearest } from '../util/suggest.ts';
import type { EvaluateParts } from './evaluate-value.ts';
import { evaluateValue } from './evaluate-value.ts';
import { showValue } from './explain-schema.ts';
import type { AxisSpellings, MatrixInstance, MatrixValues } from './matrix.ts';
import { axesOf, countProduct, expandMatrix, formatInstanceId, keyOf, maxInstances } from './matrix.ts';
import type { Tree, TreePath } from './tree.ts';
import { entryOf, findTree } from './tree.ts';

const isRecord = (value: unknown): value is MatrixValues =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** One instance of a step, and the id that it has in its file. */
export interface StepInstance extends MatrixInstance {
  readonly id: string;
}

/** Makes the instances of one step's matrix, and tells what is wrong with it. */
export class StepMatrix {
  readonly #name: string;
  readonly #path: TreePath;
  readonly #parts: EvaluateParts;

  constructor(name: string, path: TreePath, parts: EvaluateParts) {
    this.#name = name;
    this.#path = path;
    this.#parts = parts;
  }

  /** Every instance; what all of them may name is in the values of each, so that `include` may add to some only. */
  expand(written: MatrixValues | undefined): readonly StepInstance[] {
    if (written === undefined) return [{ axes: {}, values: {}, id: this.#name }];
    const instances = this.#expand(written);
    const spellings = readSpellings(findTree(this.#parts.document.tree, this.#path).tree);
    const absent = Object.fromEntries(
      instances.flatMap(({ values }) => Object.keys(values).map((axis) => [axis, null])),
    );
    const ids = new Set<string>();
    return instances.map(({ axes, values }) => {
      const id = formatInstanceId(this.#name, axes, spellings);
      if (ids.has(id))
        this.#error('MATRIX_DUPLICATE', `Two instances have the name "${id}".`, 'Remove the repeated value.');
      ids.add(id);
      return { id, axes, values: { ...absent, ...values } };
    });
  }

  #error(
    code: 'MATRIX_DUPLICATE' | 'MATRIX_EMPTY' | 'MATRIX_TOO_LARGE',
    message: string,
    help: string,
  ): void {
    const range = this.#parts.document.rangeOfKey(this.#path);
    this.#parts.report({ code, severity: 'error', message, range, help });
  }

  #expand(written: MatrixValues): readonly MatrixInstance[] {
    const matrix = evaluateValue(written, this.#path, this.#parts);
    if (!isRecord(matrix) || !this.#checkAxes(matrix)) return [];
    const count = countProduct(matrix);
    if (count > maxInstances) {
      const message = `The matrix of "${this.#name}" has ${count} instances; at most ${maxInstances} can be run.`;
      this.#error('MATRIX_TOO_LARGE', message, 'Use fewer values.');
      return [];
    }
    const instances = expandMatrix(matrix);
    if (instances.length === 0) {
      const message = `The matrix of "${this.#name}" has no instance.`;
      this.#error('MATRIX_EMPTY', message, 'Give it an axis with values, and exclude fewer.');
    }
    return instances;
  }

  #checkAxes(matrix: MatrixValues): boolean {
    const { document, report } = this.#parts;
    const axes = Object.keys(axesOf(matrix));
    let isRight = true;
    for (const axis of axes) {
      if (Array.isArray(matrix[axis])) continue;
      isRight = false;
      // An expression that could not be computed has been told already.
      if (matrix[axis] === undefined) continue;
      report({
        code: 'WRONG_TYPE',
        severity: 'error',
        message: `The axis "${axis}" must be a list of values, but is ${showValue(matrix[axis])}.`,
        range: document.rangeOf([...this.#path, axis]),
        help: `Write a list: \`${axis}: [...]\`.`,
      });
    }
    const excluded = Array.isArray(matrix['exclude']) ? matrix['exclude'].filter(isRecord) : [];
    for (const [index, pattern] of excluded.entries()) {
      for (const axis of Object.keys(pattern).filter((key) => !axes.includes(key))) {
        const nearest = findNearest(axis, axes);
        isRight = false;
        report({
          code: 'MATRIX_AXIS',
          severity: 'error',
          message: `The matrix of "${this.#name}" has no axis "${axis}".`,
          range: document.rangeOfKey([...this.#path, 'exclude', index, axis]),
          help: nearest === undefined ? `Its axes are ${axes.join(', ')}.` : `Did you mean "${nearest}"?`,
        });
      }
    }
    return isRight;
  }
}

/** How numbers were typed, in the lists of axes and in what `include` adds. */
function readSpellings(matrix: Tree): AxisSpellings {
  const spellings = new Map<string, Map<string, string>>();
  const add = (axis: string, tree: Tree): void => {
    if (tree.kind !== 'scalar' || tree.typed === undefined) return;
    const values = spellings.get(axis) ?? new Map<string, string>();
    spellings.set(axis, values);
    const key = keyOf(tree.value);
    // Of several spellings the first counts, so that 1e-4 beside 0.0001 is found to be the same value.
    if (!values.has(key)) values.set(key, tree.typed);
  };
  for (const [axis, { value }] of matrix.kind === 'map' ? matrix.entries : [])
    if (value.kind === 'list' && axis !== 'include' && axis !== 'exclude')
      value.items.forEach((item) => {
        add(axis, item);
      });
  const include = entryOf(matrix, 'include')?.value;
  for (const item of include?.kind === 'list' ? include.items : [])
    if (item.kind === 'map') for (const [axis, { value }] of item.entries) add(axis, value);
  return spellings;
}
