/** What vectors of length 1 tell of an encoder (Wang and Isola 2020, Understanding Contrastive Representation Learning). */

type Vectors = ArrayLike<number>;

/** ‖x − y‖² of two rows. */
function distance(
  [left, i]: readonly [Vectors, number],
  [right, j]: readonly [Vectors, number],
  width: number,
): number {
  // prettier-ignore
  let sum = 0;
  for (let column = 0; column < width; column++)
    sum += ((left[i * width + column] ?? 0) - (right[j * width + column] ?? 0)) ** 2;
  return sum;
}

/** E ‖f(x) − f(x⁺)‖² of pairs that belong together, rows of `width` numbers: 0 when each pair is one point. */
export function measureAlignment(left: Vectors, right: Vectors, width: number): number {
  const rows = left.length / width;
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += distance([left, row], [right, row], width);
  return sum / Math.max(1, rows);
}

/** log E exp(−2·‖f(x) − f(y)‖²) over all pairs of rows: the lower, the more evenly they lie on the sphere; 0 in one point. */
export function measureUniformity(vectors: Vectors, width: number): number {
  const rows = vectors.length / width;
  let sum = 0;
  for (let row = 1; row < rows; row++)
    for (let other = 0; other < row; other++)
      sum += Math.exp(-2 * distance([vectors, row], [vectors, other], width));
  return Math.log(sum / Math.max(1, (rows * (rows - 1)) / 2));
}
