/** Problems that make a Keras or TensorFlow.js layers model unusable, each a sentence; all of them at once. */
export class LayersModelError extends Error {
  readonly problems: readonly string[];

  constructor(file: string, problems: readonly string[], options?: ErrorOptions) {
    super(`${file} cannot be tuned here: ${problems.join(' ')}`, options);
    this.name = 'LayersModelError';
    this.problems = problems;
  }
}
