import type { Port, Ports } from '@joyul/plugin-api';
import type { SourceRange } from '../diagnostics/source.ts';
import type { GraphStep, ResolvedPlugin } from './graph.ts';

/** A reference as it is written. */
export interface Wire {
  readonly text: string;
  readonly range: SourceRange;
}

/** What a step has, and a step that uses a pipeline has too: an instance among those of its file. */
export interface UnlinkedPart {
  /** Unique in the whole graph: `tune@lr=0.1/train`. */
  readonly id: string;
  /** The same without the values of matrices: `tune/train`. */
  readonly group: string;
  /** The values that name its own matrix instance; empty without a matrix. */
  readonly axes: Readonly<Record<string, unknown>>;
  /** As written: `step.port` by input port, each with its place. */
  readonly wires: Readonly<Record<string, readonly Wire[]>>;
  readonly portRange: (port: string) => SourceRange;
  /** Where it is declared. */
  readonly range: SourceRange;
}

/** A step before its edges are known. */
export interface UnlinkedStep extends UnlinkedPart {
  readonly plugin: ResolvedPlugin;
  readonly outputs: Ports;
  /** Where the files that it reads stand, by path. */
  readonly reads: Readonly<Record<string, SourceRange>>;
  /** What is known of it already. */
  readonly step: Omit<GraphStep, 'inputs' | 'needs'>;
  /** True when its params are wrong, which has been told. */
  readonly isBroken?: true;
}

/** What a pipeline file says that it is given. */
export interface DeclaredInput {
  readonly port: Port;
  readonly range: SourceRange;
}

/** What a pipeline file says that it gives. */
export interface DeclaredOutput {
  /** The step and port inside that it is. */
  readonly from: Wire;
  /** The artifact type, where the file says it. */
  readonly type?: string;
  readonly range: SourceRange;
}

/** One instance of a pipeline file: the pipeline that is run, or a step that uses a file. */
export interface UnlinkedPipeline extends UnlinkedPart {
  /** Relative to the project. */
  readonly file: string;
  readonly inputs: Readonly<Record<string, DeclaredInput>>;
  readonly outputs: Readonly<Record<string, DeclaredOutput>>;
  /** Names of its steps in the file, those that could not be made included. */
  readonly declared: readonly string[];
  /** In the order written. */
  readonly parts: readonly (UnlinkedStep | UnlinkedPipeline)[];
}

/** True for a step that uses a pipeline file. */
export const isPipeline = (part: UnlinkedStep | UnlinkedPipeline): part is UnlinkedPipeline =>
  'parts' in part;
