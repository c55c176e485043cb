/** Says how long a run would take, from what its steps took before. */
import type { PlannedStep } from '../events/event.ts';
import type { Graph, GraphStep } from '../graph/graph.ts';
import type { RunHistory } from '../runs/run-history.ts';
import type { Store } from '../store/store.ts';

/** How long a run would take. */
export interface Forecast {
  /** By step id, for the steps that would run or may run and have run before. */
  readonly durationMs: ReadonlyMap<string, number>;
  /** From beginning to end, with the pools and the number of jobs; absent when nothing is known. */
  readonly totalMs?: number;
  /** Steps that may run and of which nothing is known; the total is without them. */
  readonly unknown: readonly string[];
}

/** Runs that are looked at for durations. */
const maxRuns = 20;

/** Instances of one matrix, and their durations, go by the name before the `@`. */
const groupOf = (stepId: string): string => stepId.split('@', 1)[0] ?? stepId;

const median = (values: readonly number[]): number | undefined =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)];

/** What steps took when they last succeeded; an instance that has not run yet is expected to take what its siblings took. */
function findDurations(
  wanted: readonly PlannedStep[],
  history: RunHistory,
  store: Store,
): ReadonlyMap<string, number> {
  const open = new Map(wanted.map((step) => [`${step.stepId}\n${step.plugin}`, step]));
  const found = new Map<string, number>();
  const siblings = new Map<string, number[]>();
  const groups = new Set(wanted.map((step) => `${groupOf(step.stepId)}\n${step.plugin}`));
  let runs = 0;
  for (const run of history.records()) {
    if (open.size === 0 || ++runs > maxRuns) break;
    for (const step of run.steps) {
      const group = `${groupOf(step.stepId)}\n${step.plugin}`;
      if (!groups.has(group) || (step.end !== 'succeeded' && step.end !== 'reused')) continue;
      const durationMs =
        step.end === 'reused' && step.fingerprint !== undefined
          ? store.readAction(step.fingerprint)?.durationMs
          : step.durationMs;
      if (durationMs === undefined) continue;
      const known = siblings.get(group);
      if (known === undefined) siblings.set(group, [durationMs]);
      else known.push(durationMs);
      const name = `${step.stepId}\n${step.plugin}`;
      if (open.delete(name)) found.set(step.stepId, durationMs);
    }
  }
  for (const { stepId, plugin } of open.values()) {
    const guess = median(siblings.get(`${groupOf(stepId)}\n${plugin}`) ?? []);
    if (guess !== undefined) found.set(stepId, guess);
  }
  return found;
}

interface Running {
  readonly step: GraphStep;
  readonly endMs: number;
}

/** How long steps take together: each waits for what it needs, for a free job, and for its share of the pools. */
export function simulateRun(
  steps: readonly GraphStep[],
  durationOf: (stepId: string) => number,
  limits: { readonly jobs: number; readonly pools: Readonly<Record<string, number>> },
): number {
  const ids = new Set(steps.map((step) => step.id));
  const missing = new Map(steps.map((step) => [step.id, step.needs.filter((need) => ids.has(need)).length]));
  const dependents = Map.groupBy(
    steps.flatMap((step) => step.needs.map((need) => ({ need, step }))),
    (edge) => edge.need,
  );
  const free: Record<string, number> = { ...limits.pools };
  const fits = (step: GraphStep): boolean =>
    Object.entries(step.resources).every(([pool, amount]) => amount <= (free[pool] ?? 0));
  const change = (step: GraphStep, sign: 1 | -1): void => {
    for (const [pool, amount] of Object.entries(step.resources))
      free[pool] = (free[pool] ?? 0) + sign * amount;
  };
  const ready = steps.filter((step) => missing.get(step.id) === 0);
  let running: Running[] = [];
  let nowMs = 0;
  while (ready.length > 0 || running.length > 0) {
    for (let at = 0; at < ready.length && running.length < limits.jobs;) {
      const step = ready[at];
      if (step === undefined || !fits(step)) {
        at++;
        continue;
      }
      ready.splice(at, 1);
      change(step, -1);
      running.push({ step, endMs: nowMs + durationOf(step.id) });
    }
    // A step that wants more than a pool has would wait for ever; checking the pipeline has told of it.
    if (running.length === 0) break;
    nowMs = Math.min(...running.map((item) => item.endMs));
    const ended = running.filter((item) => item.endMs <= nowMs);
    running = running.filter((item) => item.endMs > nowMs);
    for (const { step } of ended) {
      change(step, 1);
      for (const { step: next } of dependents.get(step.id) ?? []) {
        const left = (missing.get(next.id) ?? 1) - 1;
        missing.set(next.id, left);
        if (left === 0) ready.push(next);
      }
    }
  }
  return nowMs;
}

/** Says how long the steps of a plan would take. */
export function forecastRun(
  graph: Graph,
  planned: readonly PlannedStep[],
  parts: { readonly history: RunHistory; readonly store: Store; readonly jobs: number },
): Forecast {
  const wanted = planned.filter((step) => step.action === 'run' || step.action === 'unknown');
  if (wanted.length === 0) return { durationMs: new Map(), unknown: [] };
  const durationMs = findDurations(wanted, parts.history, parts.store);
  const ids = new Set(wanted.map((step) => step.stepId));
  const steps = graph.steps.filter((step) => ids.has(step.id));
  const limits = { jobs: parts.jobs, pools: graph.pools };
  return {
    durationMs,
    ...(durationMs.size === 0
      ? {}
      : { totalMs: simulateRun(steps, (stepId) => durationMs.get(stepId) ?? 0, limits) }),
    unknown: wanted.flatMap(({ stepId }) => (durationMs.has(stepId) ? [] : [stepId])),
  };
}
