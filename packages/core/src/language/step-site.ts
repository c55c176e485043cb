import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import type { PluginCatalog, PluginProblem } from '../graph/plugin-catalog.ts';
import type { ResolvedPlugin } from '../graph/graph.ts';
import type { ParsedDocument } from './document.ts';
import type { Scope } from './expression.ts';
import type { PipelineFile } from './pipeline-files.ts';
import type { StepSpec } from './pipeline-spec.ts';
import type { Pools } from './pools.ts';
import type { StepSet } from './sets.ts';
import type { TreePath } from './tree.ts';

/** What all pipelines of one load share. */
export interface SharedParts {
  /** By `uses:`. */
  readonly plugins: ReadonlyMap<string, ResolvedPlugin | PluginProblem>;
  readonly catalog: PluginCatalog;
  readonly cores: number;
  readonly pools: Pools;
  /** The environment of the command line. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What expressions read as `run`. */
  readonly run: Readonly<Record<string, unknown>>;
  /** Steps that were made so far; a few lines of pipelines in pipelines can otherwise make millions. */
  readonly count: { steps: number };
  readonly report: (diagnostic: Diagnostic) => void;
}

/** One instance of a pipeline file while its steps are made. */
export interface PipelineParts {
  readonly shared: SharedParts;
  readonly file: PipelineFile;
  /** The file's own, or with defaults of the step that uses it. */
  readonly document: ParsedDocument;
  /** `params`, `env`, `secrets` and `run`. */
  readonly scope: Scope;
  /** Those that change a step in here. */
  readonly sets: readonly StepSet[];
  /** Empty for the pipeline that is run. */
  readonly id: string;
  readonly group: string;
  /** False inside of a step whose `if:` was false. */
  readonly isEnabled: boolean;
}

/** One instance of one step while it is made. */
export interface StepSite {
  readonly pipeline: PipelineParts;
  /** In its file. */
  readonly name: string;
  readonly spec: StepSpec;
  readonly path: TreePath;
  /** With `matrix`. */
  readonly scope: Scope;
  readonly range: SourceRange;
}
