/** Runs a linked pipeline: plan → execute → record. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { AfterRun } from './cache/collect-after-run.ts';
import { collectAfterRun } from './cache/collect-after-run.ts';
import { EventWriter } from './events/event-writer.ts';
import type { Event, StepEnd } from './events/event.ts';
import { Executor } from './execute/executor.ts';
import { WorkerPool } from './execute/worker-pool.ts';
import type { Graph } from './graph/graph.ts';
import { makeInspectOptions } from './plan/plan-pipeline.ts';
import type { PlanOptions } from './plan/plan-pipeline.ts';
import { openRunLease } from './store/run-lease.ts';
import { Store } from './store/store.ts';
import { joyulVersion } from './util/version.ts';

/** How a run is made. */
export interface RunOptions extends PlanOptions {
  /** Where downloads are kept. */
  readonly downloadDir: string;
  /** Steps that may run at once; the default is the number of cores. */
  readonly jobs?: number;
  /** Go on with what does not need a failed step. */
  readonly keepGoing?: boolean;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: Event) => void;
}

/** How a run ended. */
export interface RunResult {
  readonly runId: string;
  readonly end: 'succeeded' | 'failed' | 'cancelled';
  readonly ends: ReadonlyMap<string, StepEnd>;
  /** What keeping the store within its limits came to; absent when there was nothing to do. */
  readonly cleanUp?: AfterRun;
}

/** A run's id: its time, so that ids sort, and some random digits. */
function makeRunId(now: Date): string {
  const [date = '', time = ''] = now.toISOString().split('T');
  return `${date.replaceAll('-', '')}-${time.slice(0, 12).replaceAll(/[:.]/g, '')}-${randomBytes(3).toString('hex')}`;
}

/** Runs a pipeline; what is fresh is reused, the rest runs in the order that its inputs allow. Then the store is kept within its limits. */
export async function runPipeline(graph: Graph, options: RunOptions): Promise<RunResult> {
  const store = new Store(graph.projectDir);
  const result = await runWith(store, graph, options);
  const { storedBytes } = store;
  const cleanUp = await collectAfterRun({ projectDir: graph.projectDir, storedBytes });
  return cleanUp === undefined ? result : { ...result, cleanUp };
}

async function runWith(store: Store, graph: Graph, options: RunOptions): Promise<RunResult> {
  // The store is nobody's to commit.
  mkdirSync(store.dir, { recursive: true });
  writeFileSync(join(store.dir, '.gitignore'), '*\n');
  const runId = makeRunId(new Date());
  const events = new EventWriter(join(store.dir, 'runs', runId, 'events.ndjson'), options.onEvent);
  // Before the first stored record is read, and until the last event is written.
  const lease = openRunLease(store.dir, runId, () => {
    events.flush();
  });
  const inspect = makeInspectOptions(graph, store, options);
  const steps = graph.steps.filter((step) => options.selected?.has(step.id) !== false);
  const pool = new WorkerPool();
  const startMs = performance.now();
  const signal = options.signal ?? new AbortController().signal;
  events.write({
    kind: 'run-started',
    runId,
    pipeline: graph.name,
    file: graph.file,
    joyulVersion,
    nodeVersion: process.versions.node,
    seed: graph.seed,
    params: graph.params,
    steps: steps.map((step) => ({
      stepId: step.id,
      plugin: step.plugin.plugin.name,
      needs: step.needs,
      action: 'unknown',
      reason: '',
    })),
  });
  try {
    const attempt = {
      graph,
      store,
      pool,
      downloadDir: options.downloadDir,
      ...(options.backend === undefined ? {} : { backend: options.backend }),
    };
    const jobs = options.jobs ?? availableParallelism();
    const ends = await new Executor({
      inspect,
      attempt,
      events,
      steps,
      jobs,
      keepGoing: options.keepGoing ?? false,
      signal,
      hold: (fingerprint) => {
        lease.hold(fingerprint);
      },
    }).run();
    const counts = countEnds(ends);
    const end =
      signal.aborted && counts.cancelled > 0 ? 'cancelled' : counts.failed > 0 ? 'failed' : 'succeeded';
    events.write({ kind: 'run-ended', end, counts, durationMs: performance.now() - startMs });
    return { runId, end, ends };
  } finally {
    pool.close();
    closeAll([() => events.close(), () => inspect.last.save(), () => store.close(), () => lease.close()]);
  }
}

/** Closes everything, also when one of them fails; then the first failure is thrown. */
function closeAll(closers: readonly (() => void)[]): void {
  const failures = closers.flatMap((close) => {
    try {
      close();
      return [];
    } catch (error) {
      return [error];
    }
  });
  if (failures.length > 0) throw failures[0];
}

function countEnds(ends: ReadonlyMap<string, StepEnd>): Record<StepEnd, number> {
  const counts: Record<StepEnd, number> = {
    succeeded: 0,
    reused: 0,
    failed: 0,
    blocked: 0,
    cancelled: 0,
    disabled: 0,
  };
  for (const end of ends.values()) counts[end]++;
  return counts;
}
