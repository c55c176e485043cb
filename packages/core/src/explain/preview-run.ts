/** Plans a run and says what it would mean: how long it would take, and what in the project it would put back. */
import { join } from 'node:path';
import type { PlannedStep } from '../events/event.ts';
import type { Graph } from '../graph/graph.ts';
import { workspaceWrites } from '../plan/inspect-step.ts';
import { planPipeline } from '../plan/plan-pipeline.ts';
import type { PlanOptions } from '../plan/plan-pipeline.ts';
import { RunHistory } from '../runs/run-history.ts';
import { Store } from '../store/store.ts';
import { forecastRun } from './forecast.ts';

/** What a run would do to one step. */
export interface PreviewedStep extends PlannedStep {
  /** What it took when it last succeeded; absent where it would not run, or nothing is known. */
  readonly expectedMs?: number;
  /** Files and folders of the project that would be put back; absent where there are none. */
  readonly restores?: readonly string[];
}

/** What a run would do. */
export interface Preview {
  readonly steps: readonly PreviewedStep[];
  /** From beginning to end; absent when nothing would run, or nothing is known. */
  readonly expectedMs?: number;
  /** Steps that may run and of which no duration is known. */
  readonly unknownDurations: readonly string[];
}

/** Previews a run; nothing is changed. */
export function previewRun(graph: Graph, options: PlanOptions, limits: { readonly jobs: number }): Preview {
  const store = new Store(graph.projectDir);
  const restores = new Map<string, readonly string[]>();
  const { steps } = planPipeline(graph, options, (step, { stored }) => {
    if (stored === undefined) return;
    const paths = Object.entries(workspaceWrites(step, '')).flatMap(([port, path]) => {
      const artifact = stored.outputs[port];
      const isThere = artifact === undefined || store.hasContent(join(graph.projectDir, path), artifact);
      return isThere ? [] : [path];
    });
    if (paths.length > 0) restores.set(step.id, paths);
  });
  const history = new RunHistory(graph.projectDir);
  const { durationMs, totalMs, unknown } = forecastRun(graph, steps, { history, store, jobs: limits.jobs });
  return {
    steps: steps.map((step) => {
      const [expectedMs, paths] = [durationMs.get(step.stepId), restores.get(step.stepId)];
      return {
        ...step,
        ...(expectedMs === undefined ? {} : { expectedMs }),
        ...(paths === undefined ? {} : { restores: paths }),
      };
    }),
    ...(totalMs === undefined ? {} : { expectedMs: totalMs }),
    unknownDurations: unknown,
  };
}
