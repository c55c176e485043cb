import type { RowProblem } from '../row.ts';

/** One row of named values, and where each begins. */
export interface TableRecord {
  readonly values: ReadonlyMap<string, unknown>;
  /** From 1. */
  readonly line: number;
  /** By field, from 1; absent for JSON and Parquet, whose problems carry a pointer. */
  readonly columns?: ReadonlyMap<string, number>;
}

/** Records that were read together, and what is wrong with the file between them. */
export interface RecordBatch {
  readonly records: readonly TableRecord[];
  readonly problems: readonly RowProblem[];
}
