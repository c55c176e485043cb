import type { RawRow } from '../row.ts';

/** The splits that files, folders and fields name, in lower case. */
export const splitNames: Readonly<Record<string, NonNullable<RawRow['split']>>> = {
  train: 'train',
  training: 'train',
  validation: 'validation',
  valid: 'validation',
  val: 'validation',
  dev: 'validation',
  test: 'test',
  testing: 'test',
};
