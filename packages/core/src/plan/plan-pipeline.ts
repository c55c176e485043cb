import type { Backend } from '@joyul/plugin-api';
import type { PlannedStep } from '../events/event.ts';
import type { Graph, GraphStep } from '../graph/graph.ts';
import type { Artifact } from '../store/artifact.ts';
import { Store } from '../store/store.ts';
import type { Platform } from '../util/platform.ts';
import { realPlatform } from '../util/platform.ts';
import { MissingFilesError } from './fingerprint.ts';
import type { InspectOptions, Inspection } from './inspect-step.ts';
import { inspectStep } from './inspect-step.ts';
import { LastRecords, fileNameOf } from './last-records.ts';

/** How a plan is made; the same options decide a run. */
export interface PlanOptions {
  readonly backend?: Backend;
  /** Steps to run whatever is stored; true means all. */
  readonly force?: ReadonlySet<string> | boolean;
  /** Steps to run once more although their result is known, to compare the two; true means all that may be. */
  readonly verify?: ReadonlySet<string> | boolean;
  /** Steps to look at; absent means all. */
  readonly selected?: ReadonlySet<string>;
}

/** What a run would do. */
export interface Plan {
  readonly steps: readonly PlannedStep[];
}

/** True for the steps of a set, or for all. */
export const isMeant = (steps: ReadonlySet<string> | boolean, { id }: GraphStep): boolean =>
  typeof steps === 'boolean' ? steps : steps.has(id);

/** The options that planning and running share. */
export function makeInspectOptions(
  graph: Graph,
  store: Store,
  options: PlanOptions,
  platform: Platform = realPlatform,
): InspectOptions {
  const { force = false, verify = false, backend = 'default' } = options;
  const { projectDir, seed, file } = graph;
  store.usePack(fileNameOf(file));
  return {
    graph,
    store,
    last: new LastRecords(store.dir, file, platform),
    context: { projectDir, seed, backend, fs: platform.fs, cache: store.statCache },
    isForced: (step: GraphStep) => isMeant(force, step),
    isVerified: (step: GraphStep) => isMeant(verify, step) && step.plugin.cacheable !== false,
  };
}

/** Plans a run without changing anything; what was found out about each step is told to a listener. */
export function planPipeline(
  graph: Graph,
  options: PlanOptions = {},
  onInspection?: (step: GraphStep, inspection: Inspection) => void,
): Plan {
  const inspectOptions = makeInspectOptions(graph, new Store(graph.projectDir), options);
  const outputs = new Map<string, Readonly<Record<string, Artifact>>>();
  const planned = new Map<string, PlannedStep>();
  for (const step of graph.steps) {
    if (options.selected?.has(step.id) === false) continue;
    const { inspection, ...plannedStep } = planStep(step, planned, outputs, inspectOptions);
    planned.set(step.id, plannedStep);
    if (inspection !== undefined) onInspection?.(step, inspection);
  }
  return { steps: [...planned.values()] };
}

function planStep(
  step: GraphStep,
  planned: ReadonlyMap<string, PlannedStep>,
  outputs: Map<string, Readonly<Record<string, Artifact>>>,
  options: InspectOptions,
): PlannedStep & { readonly inspection?: Inspection } {
  const base = { stepId: step.id, plugin: step.plugin.name, needs: step.needs };
  if (!step.isEnabled) return { ...base, action: 'disabled', reason: 'its condition is false' };
  for (const need of step.needs) {
    const before = planned.get(need);
    if (before?.action === 'disabled') return { ...base, action: 'disabled', reason: `${need} is left out` };
    if (before?.action === 'blocked') return { ...base, action: 'blocked', reason: `${need} cannot run` };
  }
  const open = step.needs.find((need) => !outputs.has(need));
  if (open !== undefined) return { ...base, action: 'unknown', reason: `it depends on what ${open} gives` };
  try {
    const inspection = inspectStep(step, outputs, options);
    const known = inspection.stored ?? inspection.expected;
    if (known !== undefined) outputs.set(step.id, known.outputs);
    return { ...base, action: inspection.action, reason: inspection.reason, inspection };
  } catch (error) {
    if (error instanceof MissingFilesError) return { ...base, action: 'blocked', reason: error.message };
    throw error;
  }
}
