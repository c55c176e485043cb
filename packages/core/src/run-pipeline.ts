/** Runs a linked pipeline: plan → execute → record. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { AfterRun } from './cache/collect-after-run.ts';
import { EventWriter } from './events/event-writer.ts';
import type { Event, EventBody, StepEnd } from './events/event.ts';
import { Executor } from './execute/executor.ts';
import type { ExecuteResult } from './execute/executor.ts';
import type { Runner } from './execute/runner.ts';
import { createRunner } from './execute/runner.ts';
import { Secrets, secretsOf } from './execute/secrets.ts';
import type { Graph, GraphStep } from './graph/graph.ts';
import { isMeant, makeInspectOptions } from './plan/plan-pipeline.ts';
import type { PlanOptions } from './plan/plan-pipeline.ts';
import { Prefixes } from './store/prefixes.ts';
import { Reservations } from './store/reservation.ts';
import { openRunLease } from './store/run-lease.ts';
import { Store } from './store/store.ts';
import { writeFileAtomically } from './util/files.ts';
import type { Platform } from './util/platform.ts';
import { realPlatform } from './util/platform.ts';
import { joyulVersion } from './util/version.ts';

/** How a run is made. */
export interface RunOptions extends PlanOptions {
  /** Where downloads are kept. */
  readonly downloadDir: string;
  /** Steps that may run at once; the default is the number of cores. */
  readonly jobs?: number;
  /** Go on with what does not need a failed step. */
  readonly keepGoing?: boolean;
  /** Values of secrets by name; those that the pipeline needs must be there. */
  readonly secrets?: Readonly<Record<string, string | undefined>>;
  /** What was typed, so that the run can be made again. */
  readonly flags?: readonly string[];
  /** The run that this one goes on with. */
  readonly resumes?: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: Event) => void;
  /** What runs the plugins; the default is this machine. */
  readonly runner?: Runner;
  readonly platform?: Platform;
}

/** How a run ended. */
export interface RunResult {
  readonly runId: string;
  readonly end: 'succeeded' | 'failed' | 'cancelled' | 'checkpointed';
  readonly ends: ReadonlyMap<string, StepEnd>;
  /** What keeping the store within its limits came to; absent when there was nothing to do. */
  readonly cleanUp?: AfterRun;
}

/** Secrets that steps need have no value. */
export class MissingSecretsError extends Error {
  readonly names: readonly string[];

  constructor(names: readonly string[]) {
    super(`No value is known for the secret${names.length === 1 ? '' : 's'} ${names.join(', ')}.`);
    this.name = 'MissingSecretsError';
    this.names = names;
  }
}

/** A run's id: its time, so that ids sort, and some random digits. */
function makeRunId({ clock, random }: Platform): string {
  const [date = '', time = ''] = new Date(clock.now()).toISOString().split('T');
  return `${date.replaceAll('-', '')}-${time.slice(0, 12).replaceAll(/[:.]/g, '')}-${Math.floor(
    random() * 2 ** 24,
  )
    .toString(16)
    .padStart(6, '0')}`;
}

/** The secrets that some steps need; all that have no value are told at once. */
function collectSecrets(steps: readonly GraphStep[], values: RunOptions['secrets'] = {}): Secrets {
  const names = [...new Set(steps.flatMap(secretsOf))];
  const missing = names.filter((name) => values[name] === undefined);
  if (missing.length > 0) throw new MissingSecretsError(missing);
  return new Secrets(Object.fromEntries(names.map((name) => [name, values[name] ?? ''])));
}

/** Makes the store's folder, which is nobody's to commit or to back up. */
function prepareStore(store: Store, { fs }: Platform): void {
  const ignore = join(store.dir, '.gitignore');
  if (fs.stat(ignore) !== undefined) return;
  fs.makeFolder(store.dir);
  writeFileAtomically(fs, join(store.dir, 'CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55\n');
  writeFileAtomically(fs, ignore, '*\n');
}

/**
 * Runs a pipeline; what is fresh is reused, the rest runs in the order that its inputs allow. Then the store is kept
 * within its limits.
 */
export async function runPipeline(graph: Graph, options: RunOptions): Promise<RunResult> {
  const store = new Store(graph.projectDir, options.platform);
  const result = await runWith(store, graph, options);
  const { storedBytes } = store;
  // A run that stored nothing does not load what cleans up; a simulated disk has none.
  if (storedBytes === 0 || options.platform !== undefined) return result;
  const { collectAfterRun } = await import('./cache/collect-after-run.ts');
  const cleanUp = await collectAfterRun({ projectDir: graph.projectDir, storedBytes });
  return cleanUp === undefined ? result : { ...result, cleanUp };
}

async function runWith(store: Store, graph: Graph, options: RunOptions): Promise<RunResult> {
  const platform = options.platform ?? realPlatform;
  const { clock, fs } = platform;
  const steps = graph.steps.filter((step) => options.selected?.has(step.id) !== false);
  const secrets = collectSecrets(
    steps.filter((step) => step.isEnabled),
    options.secrets,
  );
  prepareStore(store, platform);
  const runId = makeRunId(platform);
  const events = new EventWriter({
    file: join(store.dir, 'runs', runId, 'events.ndjson'),
    fs,
    clock,
    ...(options.onEvent === undefined ? {} : { listener: options.onEvent }),
  });
  const tell = (event: EventBody): void => {
    events.write(secrets.mask(event));
  };
  const forgetAndFlush = (): void => {
    store.forgetPack();
    events.flush();
  };
  // Before the first stored record is read, and until the last event is written.
  const lease = openRunLease(store.dir, runId, forgetAndFlush, platform);
  const inspect = makeInspectOptions(graph, store, options, platform);
  const runner = options.runner ?? createRunner();
  const reservations = new Reservations(store.dir, platform);
  const startMs = clock.elapsed();
  // Loaded only for pipelines with gates: it brings the language of expressions along.
  const hasGates = steps.some((step) => (step.gates?.length ?? 0) > 0);
  const gates = hasGates ? await import('./plan/gates.ts') : undefined;
  try {
    tell(describeStart(graph, steps, { runId, platform, options }));
    reservations.clearDead();
    warnOfUnverified(steps, options, tell);
    const { backend, downloadDir } = options;
    const prefixes = new Prefixes({ store, platform, runId, hold: lease.hold });
    const shared = { graph, store, prefixes, inspect, runner, platform, secrets, downloadDir };
    const result = await new Executor({
      attempt: { ...shared, ...(backend === undefined ? {} : { backend }) },
      reservations,
      tell,
      steps,
      jobs: options.jobs ?? availableParallelism(),
      keepGoing: options.keepGoing ?? false,
      signal: options.signal ?? new AbortController().signal,
      hold: lease.hold,
      ...(gates === undefined ? {} : { judge: gates.judgeGates }),
    }).run();
    await flushStore(store, tell);
    const end = judgeEnd(result, options.signal);
    tell({ kind: 'run-ended', end, counts: countEnds(result.ends), durationMs: clock.elapsed() - startMs });
    return { runId, end, ends: result.ends };
  } finally {
    await runner.close();
    closeAll([
      () => reservations.close(),
      () => events.close(),
      () => inspect.last.save(),
      () => store.close(),
      () => lease.close(),
    ]);
  }
}

function describeStart(
  graph: Graph,
  steps: readonly GraphStep[],
  run: { readonly runId: string; readonly platform: Platform; readonly options: RunOptions },
): EventBody {
  const { flags = [], resumes } = run.options;
  return {
    kind: 'run-started',
    runId: run.runId,
    pipeline: graph.name,
    file: graph.file,
    joyulVersion,
    nodeVersion: process.versions.node,
    process: run.platform.processes.own,
    flags,
    ...(resumes === undefined ? {} : { resumes }),
    ...(graph.digest === undefined ? {} : { graphDigest: graph.digest }),
    seed: graph.seed,
    params: graph.params,
    steps: steps.map((step) => ({
      stepId: step.id,
      plugin: step.plugin.name,
      needs: step.needs,
      action: 'unknown',
      reason: '',
    })),
  };
}

/** Steps that say themselves that their outputs may differ are not compared. */
function warnOfUnverified(
  steps: readonly GraphStep[],
  { verify = false }: RunOptions,
  tell: (event: EventBody) => void,
): void {
  const left = steps.filter(
    (step) => step.isEnabled && step.plugin.cacheable === false && isMeant(verify, step),
  );
  if (left.length === 0) return;
  const names = left.map(({ id }) => id);
  const told = `${names.slice(0, 10).join(', ')}${names.length > 10 ? ` and ${names.length - 10} more` : ''}`;
  const verb = names.length === 1 ? 'is' : 'are';
  tell({
    kind: 'warning',
    code: 'VERIFY_LEFT_OUT',
    message: `${told} ${verb} not compared: the plugin says that outputs may differ each time.`,
  });
}

/** What could not be flushed is used all the same; only a power failure could take it. */
async function flushStore(store: Store, tell: (event: EventBody) => void): Promise<void> {
  try {
    await store.flush();
  } catch (error) {
    const message = `Results may not outlast a power failure: ${error instanceof Error ? error.message : String(error)}.`;
    tell({ kind: 'warning', code: 'STORE_NOT_FLUSHED', message });
  }
}

function judgeEnd(
  { ends, isCheckpointed, differing }: ExecuteResult,
  signal: AbortSignal | undefined,
): RunResult['end'] {
  const counts = countEnds(ends);
  if (counts.failed > 0 && signal?.aborted !== true) return 'failed';
  if (isCheckpointed) return 'checkpointed';
  if (counts.cancelled > 0) return 'cancelled';
  return counts.failed > 0 || differing > 0 ? 'failed' : 'succeeded';
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
