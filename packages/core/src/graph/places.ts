import type { SourceRange } from '../diagnostics/source.ts';

/** Where a step stands in the pipeline's files, for messages. */
export interface StepPlace {
  readonly range: SourceRange;
  /** By path of a file that the step reads: where the path stands. */
  readonly reads: Readonly<Record<string, SourceRange>>;
}

/** Places by the step's id; they are kept apart from the graph, which is data and may be kept in a file. */
export type StepPlaces = ReadonlyMap<string, StepPlace>;
