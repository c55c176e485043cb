/** A text that was read, and the name that messages give it. */
export interface Source {
  /** Relative to the project where it lies inside it. */
  readonly file: string;
  readonly text: string;
}

/** A stretch of a source; offsets count UTF-16 units from 0, and `end` is exclusive. */
export interface SourceRange {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}
