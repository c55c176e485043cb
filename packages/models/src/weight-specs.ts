/** A weight of a model: its name in the file, its shape and how new values are drawn. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: 'normal' | 'zeros' | 'ones';
}
