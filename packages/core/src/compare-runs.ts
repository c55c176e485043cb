/** Compares two runs: which fields differ, and which metrics came of it. */
import { diffRecords } from './plan/explain.ts';
import type { FieldChange } from './plan/explain.ts';
import type { FingerprintRecord } from './plan/fingerprint.ts';
import type { RunRecord, StepRecord } from './runs/run-record.ts';
import { Store } from './store/store.ts';
import type { ActionRecord } from './store/store.ts';

/** One step of two runs. */
export interface StepComparison {
  readonly stepId: string;
  /** `unknown` when the step did not succeed in one run, or its record is gone from the store. */
  readonly state: 'same' | 'changed' | 'only before' | 'only after' | 'unknown';
  /** What differed before the step ran; empty unless `changed`. */
  readonly changes: readonly FieldChange[];
  /** Metrics that either run has, those that differ first. */
  readonly metrics: readonly MetricChange[];
}

/** A metric of one step in two runs. */
export interface MetricChange {
  readonly name: string;
  readonly before?: number;
  readonly after?: number;
}

/** The file in which steps leave their metrics. */
const metricsFile = 'metrics.json';

function readMetrics(store: Store, action: ActionRecord): ReadonlyMap<string, number> {
  const metrics = new Map<string, number>();
  for (const artifact of Object.values(action.outputs)) {
    const text = store.readText(artifact, metricsFile);
    if (text === undefined) continue;
    const content = JSON.parse(text) as Readonly<Record<string, unknown>>; // A step's own file; only numbers are taken.
    for (const [name, value] of Object.entries(content))
      if (typeof value === 'number' && name !== 'version') metrics.set(name, value);
  }
  return metrics;
}

function compareMetrics(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): readonly MetricChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const changes = names.map((name): MetricChange => {
    const [left, right] = [before.get(name), after.get(name)];
    return {
      name,
      ...(left === undefined ? {} : { before: left }),
      ...(right === undefined ? {} : { after: right }),
    };
  });
  const isSame = (change: MetricChange): boolean => change.before === change.after;
  return [...changes.filter((change) => !isSame(change)), ...changes.filter(isSame)];
}

function compareStep(
  store: Store,
  before: StepRecord | undefined,
  after: StepRecord | undefined,
): StepComparison {
  const stepId = before?.stepId ?? after?.stepId ?? '';
  const bare = (state: StepComparison['state']): StepComparison => ({
    stepId,
    state,
    changes: [],
    metrics: [],
  });
  if (before === undefined) return bare('only after');
  if (after === undefined) return bare('only before');
  const [left, right] = [before, after].map(({ fingerprint }) =>
    fingerprint === undefined ? undefined : store.readAction(fingerprint),
  );
  if (left === undefined || right === undefined) return bare('unknown');
  // Records are written by the executor.
  const changes = diffRecords(left.record as FingerprintRecord, right.record as FingerprintRecord);
  return {
    stepId,
    state: changes.length === 0 ? 'same' : 'changed',
    changes,
    metrics: compareMetrics(readMetrics(store, left), readMetrics(store, right)),
  };
}

/** Compares two runs of one project, step by step, in the order of the second. */
export function compareRuns(
  projectDir: string,
  before: RunRecord,
  after: RunRecord,
): readonly StepComparison[] {
  const store = new Store(projectDir);
  const find = (run: RunRecord, stepId: string): StepRecord | undefined =>
    run.steps.find((step) => step.stepId === stepId);
  const ids = new Set([...after.steps, ...before.steps].map((step) => step.stepId));
  return [...ids].map((stepId) => compareStep(store, find(before, stepId), find(after, stepId)));
}
