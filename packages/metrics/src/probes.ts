import type { LinearClassifier } from './logistic.ts';
import { denseMatrix, fitLogistic, predictLinear } from './logistic.ts';

/** Scale and shift that give each column mean 0 and standard deviation 1. */
export interface Standardizer {
  readonly means: Float64Array;
  readonly scales: Float64Array;
}

/** Measures columns of [rows × width] features. */
export function fitStandardizer(features: ArrayLike<number>, width: number): Standardizer {
  const rows = features.length / width;
  const means = new Float64Array(width);
  const scales = new Float64Array(width);
  for (let index = 0; index < features.length; index++)
    means[index % width] = (means[index % width] ?? 0) + (features[index] ?? 0) / rows;
  for (let index = 0; index < features.length; index++)
    scales[index % width] =
      (scales[index % width] ?? 0) + ((features[index] ?? 0) - (means[index % width] ?? 0)) ** 2 / rows;
  return { means, scales: scales.map((variance) => 1 / Math.sqrt(variance + 1e-8)) };
}

/** Standardized features. */
export function standardize({ means, scales }: Standardizer, features: ArrayLike<number>): Float64Array {
  const width = means.length;
  return Float64Array.from(
    { length: features.length },
    (_, index) => ((features[index] ?? 0) - (means[index % width] ?? 0)) * (scales[index % width] ?? 1),
  );
}

/** A linear classifier on frozen features. */
export interface Probe {
  readonly standardizer: Standardizer;
  readonly model: LinearClassifier;
  predict(features: ArrayLike<number>): readonly (readonly number[])[];
}

/** Fits a probe on features [rows × width]. */
export function fitProbe(
  features: ArrayLike<number>,
  width: number,
  labels: ArrayLike<number>,
  classes: number,
  l2 = 1e-2,
): Probe {
  const standardizer = fitStandardizer(features, width);
  const model = fitLogistic(denseMatrix(standardize(standardizer, features), width), labels, classes, {
    l2,
    maxIterations: 60,
  });
  return {
    standardizer,
    model,
    predict: (others) => predictLinear(model, denseMatrix(standardize(standardizer, others), width)),
  };
}

/** A probe's weights for features that are not standardized: W' = W·scale, b' = b − W'·mean. */
export function foldProbe({ standardizer: { means, scales }, model }: Probe): {
  readonly weights: Float32Array;
  readonly biases: Float32Array;
} {
  const { classes, columns } = model;
  const weights = new Float32Array(classes * columns);
  const biases = new Float32Array(classes);
  for (let label = 0; label < classes; label++) {
    let shift = model.biases[label] ?? 0;
    for (let column = 0; column < columns; column++) {
      const weight = (model.weights[label * columns + column] ?? 0) * (scales[column] ?? 1);
      weights[label * columns + column] = weight;
      shift -= weight * (means[column] ?? 0);
    }
    biases[label] = shift;
  }
  return { weights, biases };
}

const selectRows = (features: ArrayLike<number>, width: number, rows: readonly number[]): Float64Array => {
  const result = new Float64Array(rows.length * width);
  rows.forEach((row, index) => {
    for (let column = 0; column < width; column++)
      result[index * width + column] = features[row * width + column] ?? 0;
  });
  return result;
};

/** Answers of probes that never saw the row they answer for: `folds`-fold cross-validation, rows dealt out in turn within each class. */
export function crossValidateProbe(
  features: ArrayLike<number>,
  width: number,
  labels: readonly number[],
  classes: number,
  folds = 5,
): readonly number[] {
  const seen = new Array<number>(classes).fill(0);
  const foldOf = labels.map((label) => {
    const index = seen[label] ?? 0;
    seen[label] = index + 1;
    return index % folds;
  });
  const answers = labels.map(() => 0);
  for (let fold = 0; fold < folds; fold++) {
    const inside = labels.flatMap((_, row) => (foldOf[row] === fold ? [] : [row]));
    const outside = labels.flatMap((_, row) => (foldOf[row] === fold ? [row] : []));
    if (inside.length === 0 || outside.length === 0) continue;
    const probe = fitProbe(
      selectRows(features, width, inside),
      width,
      inside.map((row) => labels[row] ?? 0),
      classes,
    );
    probe.predict(selectRows(features, width, outside)).forEach((probabilities, index) => {
      answers[outside[index] ?? 0] = probabilities.indexOf(Math.max(...probabilities));
    });
  }
  return answers;
}

/** Answers of the k nearest other rows by cosine similarity, each weighing the same (leave-one-out). */
export function nearestNeighbours(
  features: ArrayLike<number>,
  width: number,
  labels: readonly number[],
  classes: number,
  k = 10,
): readonly number[] {
  const rows = labels.length;
  const unit = Float64Array.from({ length: features.length }, (_, index) => features[index] ?? 0);
  for (let row = 0; row < rows; row++) {
    let norm = 0;
    for (let column = 0; column < width; column++) norm += (unit[row * width + column] ?? 0) ** 2;
    const scale = 1 / Math.sqrt(norm + 1e-12);
    for (let column = 0; column < width; column++)
      unit[row * width + column] = (unit[row * width + column] ?? 0) * scale;
  }
  return labels.map((_, row) => {
    const similarities = labels.map((_label, other) => {
      if (other === row) return Number.NEGATIVE_INFINITY;
      let sum = 0;
      for (let column = 0; column < width; column++)
        sum += (unit[row * width + column] ?? 0) * (unit[other * width + column] ?? 0);
      return sum;
    });
    const nearest = similarities
      .map((_s, index) => index)
      .sort((a, b) => (similarities[b] ?? 0) - (similarities[a] ?? 0))
      .slice(0, Math.min(k, rows - 1));
    const votes = new Array<number>(classes).fill(0);
    for (const other of nearest) votes[labels[other] ?? 0] = (votes[labels[other] ?? 0] ?? 0) + 1;
    return votes.indexOf(Math.max(...votes));
  });
}
