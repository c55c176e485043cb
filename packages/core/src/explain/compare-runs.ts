/** Compares two runs: which fields differ, and which metrics came of it. */
import type { StepEnd } from '../events/event.ts';
import { diffRecords } from '../plan/explain.ts';
import type { FieldChange } from '../plan/explain.ts';
import type { FingerprintRecord } from '../plan/fingerprint.ts';
import type { RunEnd, RunRecord, StepRecord } from '../runs/run-record.ts';
import { Store } from '../store/store.ts';
import type { ActionRecord } from '../store/store.ts';
import { readMetrics } from '../plan/metrics.ts';
import { compareMetrics } from './metrics.ts';
import type { MetricChange } from './metrics.ts';

/** One step of two runs. */
export interface StepComparison {
  readonly stepId: string;
  /**
   * `unstable` when the same inputs gave other content; `unknown` when the step did not succeed in one run, or its
   * record is gone from the store.
   */
  readonly state: 'same' | 'changed' | 'unstable' | 'only before' | 'only after' | 'unknown';
  /** How it ended in each run that has it. */
  readonly ends: { readonly before?: StepRecord['end']; readonly after?: StepRecord['end'] };
  /** How long it took, where it ran. */
  readonly durationMs: { readonly before?: number; readonly after?: number };
  /** What differed before the step ran; empty unless `changed`. */
  readonly changes: readonly FieldChange[];
  /** Metrics that either run has, those that differ first; empty unless `changed`. */
  readonly metrics: readonly MetricChange[];
}

/** What is told of each of two runs. */
export interface ComparedRun {
  readonly runId: string;
  readonly pipeline: string;
  readonly end: RunEnd;
  readonly startedMs: number;
  readonly durationMs: number;
}

/** Two runs of one project. */
export interface RunComparison {
  readonly before: ComparedRun;
  readonly after: ComparedRun;
  /** Fields that do not follow from an earlier step: what the user changed. */
  readonly causes: readonly { readonly stepId: string; readonly changes: readonly FieldChange[] }[];
  /** Metrics that differ. */
  readonly effects: readonly { readonly stepId: string; readonly metrics: readonly MetricChange[] }[];
  /** In the order of the later run. */
  readonly steps: readonly StepComparison[];
}

const keep = <T>(
  before: T | undefined,
  after: T | undefined,
): { readonly before?: T; readonly after?: T } => ({
  ...(before === undefined ? {} : { before }),
  ...(after === undefined ? {} : { after }),
});

const hasResult = (step: StepRecord): boolean =>
  (['succeeded', 'reused'] satisfies StepEnd[] as string[]).includes(step.end); // Wider, to look up any end.

const ranFor = (step: StepRecord | undefined): number | undefined =>
  step === undefined || step.durationMs === 0 ? undefined : step.durationMs;

const digestsOf = (step: StepRecord): string =>
  step.outputs.map(({ port, digest }) => `${port}=${digest}`).join(' ');

function compareStep(
  store: Store,
  before: StepRecord | undefined,
  after: StepRecord | undefined,
): StepComparison {
  const base = {
    stepId: after?.stepId ?? before?.stepId ?? '',
    ends: keep(before?.end, after?.end),
    durationMs: keep(ranFor(before), ranFor(after)),
    changes: [],
    metrics: [],
  };
  if (before === undefined) return { ...base, state: 'only after' };
  if (after === undefined) return { ...base, state: 'only before' };
  if (!hasResult(before) || !hasResult(after))
    return { ...base, state: before.end === after.end && before.end === 'disabled' ? 'same' : 'unknown' };
  if (before.fingerprint !== undefined && before.fingerprint === after.fingerprint)
    return { ...base, state: digestsOf(before) === digestsOf(after) ? 'same' : 'unstable' };
  const read = ({ fingerprint }: StepRecord): ActionRecord | undefined =>
    fingerprint === undefined ? undefined : store.readAction(fingerprint);
  const [left, right] = [read(before), read(after)];
  if (left === undefined || right === undefined) return { ...base, state: 'unknown' };
  const metricsOf = (action: ActionRecord): ReadonlyMap<string, number> =>
    new Map(Object.entries(readMetrics(store, action)));
  return {
    ...base,
    state: 'changed',
    // Records are written by the executor.
    changes: diffRecords(left.record as FingerprintRecord, right.record as FingerprintRecord),
    metrics: compareMetrics(metricsOf(left), metricsOf(right)),
  };
}

const summarize = ({ runId, pipeline, end, startedMs, durationMs }: RunRecord): ComparedRun => ({
  runId,
  pipeline,
  end,
  startedMs,
  durationMs,
});

/** Compares two runs of one project, step by step. */
export function compareRuns(projectDir: string, before: RunRecord, after: RunRecord): RunComparison {
  const store = new Store(projectDir);
  const [left, right] = [before, after].map((run) => new Map(run.steps.map((step) => [step.stepId, step])));
  const ids = new Set([...(right?.keys() ?? []), ...(left?.keys() ?? [])]);
  const steps = [...ids].map((stepId) => compareStep(store, left?.get(stepId), right?.get(stepId)));
  const causes = steps.map(({ stepId, changes }) => ({
    stepId,
    changes: changes.filter((change) => !change.field.startsWith('inputs.')),
  }));
  const effects = steps.map(({ stepId, metrics }) => ({
    stepId,
    metrics: metrics.filter((metric) => metric.before !== metric.after),
  }));
  return {
    before: summarize(before),
    after: summarize(after),
    causes: causes.filter(({ changes }) => changes.length > 0),
    effects: effects.filter(({ metrics }) => metrics.length > 0),
    steps,
  };
}
