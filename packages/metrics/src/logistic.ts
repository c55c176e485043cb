/** Rows of numbers, dense or sparse, that a linear classifier can be fitted on. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Calls `use` with each value of a row that is not zero. */
  forEach(row: number, use: (column: number, value: number) => void): void;
}

/** A dense matrix over an array of rows · columns numbers. */
export function denseMatrix(data: ArrayLike<number>, columns: number): Matrix {
  return {
    rows: data.length / columns,
    columns,
    forEach(row, use) {
      for (let column = 0; column < columns; column++) use(column, data[row * columns + column] ?? 0);
    },
  };
}

/** A sparse matrix: by row, columns and values. */
export function sparseMatrix(
  rows: readonly { readonly columns: Int32Array; readonly values: Float64Array }[],
  columns: number,
): Matrix {
  return {
    rows: rows.length,
    columns,
    forEach(row, use) {
      const own = rows[row];
      if (own === undefined) return;
      for (let index = 0; index < own.columns.length; index++)
        use(own.columns[index] ?? 0, own.values[index] ?? 0);
    },
  };
}

/** A fitted linear classifier: weights [classes × columns] and biases [classes]. */
export interface LinearClassifier {
  readonly classes: number;
  readonly columns: number;
  readonly weights: Float64Array;
  readonly biases: Float64Array;
}

/** Logits of a row. */
function logitsOf(model: LinearClassifier, matrix: Matrix, row: number, target: Float64Array): void {
  target.set(model.biases);
  matrix.forEach(row, (column, value) => {
    for (let label = 0; label < model.classes; label++)
      target[label] = (target[label] ?? 0) + value * (model.weights[label * model.columns + column] ?? 0);
  });
}

/** Turns logits into probabilities in place. */
function applySoftmax(values: Float64Array): void {
  const largest = Math.max(...values);
  let sum = 0;
  for (let index = 0; index < values.length; index++) {
    values[index] = Math.exp((values[index] ?? 0) - largest);
    sum += values[index] ?? 0;
  }
  for (let index = 0; index < values.length; index++) values[index] = (values[index] ?? 0) / sum;
}

/** Probabilities of every row. */
export function predictLinear(model: LinearClassifier, matrix: Matrix): readonly (readonly number[])[] {
  const buffer = new Float64Array(model.classes);
  return Array.from({ length: matrix.rows }, (_, row) => {
    logitsOf(model, matrix, row, buffer);
    applySoftmax(buffer);
    return [...buffer];
  });
}

/** Loss and gradient at parameters laid out as weights, then biases. */
function evaluate(
  parameters: Float64Array,
  matrix: Matrix,
  labels: ArrayLike<number>,
  classes: number,
  l2: number,
  gradient: Float64Array,
): number {
  const { rows, columns } = matrix;
  const size = classes * columns;
  const model: LinearClassifier = {
    classes,
    columns,
    weights: parameters.subarray(0, size),
    biases: parameters.subarray(size),
  };
  const probabilities = new Float64Array(classes);
  gradient.fill(0);
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    logitsOf(model, matrix, row, probabilities);
    applySoftmax(probabilities);
    const label = labels[row] ?? 0;
    loss -= Math.log(Math.max(1e-300, probabilities[label] ?? 0));
    probabilities[label] = (probabilities[label] ?? 0) - 1;
    matrix.forEach(row, (column, value) => {
      for (let index = 0; index < classes; index++)
        gradient[index * columns + column] =
          (gradient[index * columns + column] ?? 0) + value * (probabilities[index] ?? 0);
    });
    for (let index = 0; index < classes; index++)
      gradient[size + index] = (gradient[size + index] ?? 0) + (probabilities[index] ?? 0);
  }
  for (let index = 0; index < gradient.length; index++) gradient[index] = (gradient[index] ?? 0) / rows;
  let penalty = 0;
  for (let index = 0; index < size; index++) {
    const weight = parameters[index] ?? 0;
    penalty += weight * weight;
    gradient[index] = (gradient[index] ?? 0) + l2 * weight;
  }
  return loss / rows + 0.5 * l2 * penalty;
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += (a[index] ?? 0) * (b[index] ?? 0);
  return sum;
};

const memory = 8;

/** The L-BFGS direction (Nocedal 1980, two-loop recursion). */
function findDirection(
  gradient: Float64Array,
  steps: readonly Float64Array[],
  changes: readonly Float64Array[],
): Float64Array {
  const direction = gradient.slice();
  const alphas: number[] = [];
  for (let index = steps.length - 1; index >= 0; index--) {
    const [s, y] = [steps[index], changes[index]];
    if (s === undefined || y === undefined) continue;
    const alpha = dot(s, direction) / dot(s, y);
    alphas[index] = alpha;
    for (let at = 0; at < direction.length; at++) direction[at] = (direction[at] ?? 0) - alpha * (y[at] ?? 0);
  }
  const [s, y] = [steps.at(-1), changes.at(-1)];
  const scale = s === undefined || y === undefined ? 1 : dot(s, y) / dot(y, y);
  for (let at = 0; at < direction.length; at++) direction[at] = (direction[at] ?? 0) * scale;
  steps.forEach((step, index) => {
    const change = changes[index];
    if (change === undefined) return;
    const beta = dot(change, direction) / dot(step, change);
    for (let at = 0; at < direction.length; at++)
      direction[at] = (direction[at] ?? 0) + (step[at] ?? 0) * ((alphas[index] ?? 0) - beta);
  });
  return direction.map((value) => -value);
}

/**
 * Multinomial logistic regression with an L2 penalty of l2/2·‖W‖² on the mean loss, by L-BFGS in double
 * precision, until the gradient's largest element is below 1e-5 or `maxIterations`.
 */
export function fitLogistic(
  matrix: Matrix,
  labels: ArrayLike<number>,
  classes: number,
  options: { readonly l2?: number; readonly maxIterations?: number } = {},
): LinearClassifier {
  const { l2 = 1e-3, maxIterations = 100 } = options;
  const size = classes * matrix.columns;
  let parameters = new Float64Array(size + classes);
  let gradient = new Float64Array(parameters.length);
  let loss = evaluate(parameters, matrix, labels, classes, l2, gradient);
  const steps: Float64Array[] = [];
  const changes: Float64Array[] = [];
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    if (gradient.every((value) => Math.abs(value) < 1e-5)) break;
    const direction = findDirection(gradient, steps, changes);
    const slope = dot(direction, gradient);
    let rate = iteration === 0 ? Math.min(1, 1 / Math.sqrt(dot(gradient, gradient))) : 1;
    const nextGradient = new Float64Array(parameters.length);
    let next = parameters;
    let nextLoss = loss;
    // Backtracking until the loss falls by a share of what the slope promises (Armijo 1966).
    for (let trial = 0; trial < 20; trial++) {
      next = parameters.map((value, index) => value + rate * (direction[index] ?? 0));
      nextLoss = evaluate(next, matrix, labels, classes, l2, nextGradient);
      if (nextLoss <= loss + 1e-4 * rate * slope) break;
      rate /= 2;
    }
    const step = next.map((value, index) => value - (parameters[index] ?? 0));
    const change = nextGradient.map((value, index) => value - (gradient[index] ?? 0));
    const isFlat = Math.abs(loss - nextLoss) < 1e-9 * Math.max(1, Math.abs(loss));
    if (dot(step, change) > 1e-12) {
      steps.push(step);
      changes.push(change);
      if (steps.length > memory) {
        steps.shift();
        changes.shift();
      }
    }
    parameters = next;
    gradient = nextGradient;
    loss = nextLoss;
    if (isFlat) break;
  }
  return {
    classes,
    columns: matrix.columns,
    weights: parameters.slice(0, size),
    biases: parameters.slice(size),
  };
}
