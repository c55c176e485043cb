/** Where a row comes from, for messages. */
export interface RowPlace {
  /** Relative to the source. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** One example as it was read. */
export interface RawRow {
  readonly text: string;
  /** Absent for a row without a label. */
  readonly label?: string;
  /** Rows of one group are never put into two splits. */
  readonly group?: string;
  /** The split that the source itself puts the row into. */
  readonly split?: 'train' | 'validation' | 'test';
  readonly place: RowPlace;
}

/** One example of a data set. */
export interface Row {
  /** Stable: it depends on the text and the label only. */
  readonly id: string;
  readonly text: string;
  readonly label?: string;
}

/** Something wrong with one row. */
export interface RowProblem {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
  readonly field?: string;
  readonly message: string;
}

/** What a reader found. */
export interface ReadResult {
  readonly rows: readonly RawRow[];
  readonly problems: readonly RowProblem[];
}

/** Which fields of a table hold what. */
export interface FieldNames {
  readonly text?: string;
  readonly label?: string;
  readonly group?: string;
  readonly split?: string;
}
