/** One row of named values, and where each begins. */
export interface TableRecord {
  readonly values: ReadonlyMap<string, unknown>;
  /** From 1. */
  readonly line: number;
  /** By field, from 1; absent for JSON, whose problems carry a pointer. */
  readonly columns?: ReadonlyMap<string, number>;
}
