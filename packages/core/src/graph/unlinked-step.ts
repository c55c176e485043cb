import type { SourceRange } from '../diagnostics/source.ts';
import type { GraphStep, ResolvedPlugin } from './graph.ts';

/** A reference as it is written. */
export interface Wire {
  readonly text: string;
  readonly range: SourceRange;
}

/** A step before its edges are known. */
export interface UnlinkedStep extends Omit<GraphStep, 'inputs' | 'needs' | 'plugin'> {
  readonly plugin: ResolvedPlugin;
  /** Where the step is declared, for messages. */
  readonly range: SourceRange;
  /** The values that name its matrix instance; empty without a matrix. */
  readonly axes: Readonly<Record<string, unknown>>;
  /** As written: `step.port` by input port, each with its place. */
  readonly wires: Readonly<Record<string, readonly Wire[]>>;
  readonly portRange: (port: string) => SourceRange;
  /** True when its params are wrong, which has been told. */
  readonly isBroken?: true;
}
