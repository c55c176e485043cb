import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Backend, StepEvent } from '@joyul/plugin-api';
import type { Graph, GraphStep } from '../graph/graph.ts';
import { digestFiles } from '../plan/fingerprint.ts';
import type { Inspection, KnownOutputs } from '../plan/inspect-step.ts';
import { workspaceWrites } from '../plan/inspect-step.ts';
import type { Artifact } from '../store/artifact.ts';
import type { ActionRecord, Store } from '../store/store.ts';
import { AttemptFailure } from './attempt-failure.ts';
import { describeError, runOrder } from './run-order.ts';
import type { AttemptCost, AttemptListener, WorkerPool } from './worker-pool.ts';
import type { WorkOrder } from './worker-protocol.ts';

/** What all attempts of a run share. */
export interface AttemptContext {
  readonly graph: Graph;
  readonly store: Store;
  readonly pool: WorkerPool;
  readonly downloadDir: string;
  readonly backend?: Backend;
}

/** What an attempt that succeeded gives. */
export interface AttemptResult extends AttemptCost {
  readonly action: ActionRecord;
}

/** Events that are kept with the outputs. */
const isKept = (event: StepEvent): boolean =>
  event.type === 'finding' || event.type === 'curve' || event.type === 'table';

function materializeInputs(step: GraphStep, outputs: KnownOutputs, store: Store): WorkOrder['inputs'] {
  return Object.fromEntries(
    Object.entries(step.inputs).map(([port, references]) => {
      const folders = references.map((reference) => {
        const artifact = outputs.get(reference.step)?.[reference.port];
        if (artifact === undefined)
          throw new Error(`Internal error: ${reference.step}.${reference.port} is not known yet.`);
        return store.materialize(artifact);
      });
      return [port, step.plugin.inputs[port]?.many === true ? folders : folders[0]];
    }),
  );
}

/** Refuses an output that the step did not write. */
function checkWritten(step: GraphStep, port: string, path: string): void {
  const isMissing = !existsSync(path);
  if (!isMissing && (!path.includes('.joyul') || readdirSync(path).length > 0)) return;
  throw new AttemptFailure({
    code: 'OUTPUT_MISSING',
    message: `${step.id} ended without an error, but did not write its output ${port}${isMissing ? ` at ${path}` : ''}.`,
    help: 'Check the path, or remove the output from the pipeline.',
  });
}

function publish(
  step: GraphStep,
  work: string,
  writes: Readonly<Record<string, string>>,
  store: Store,
): Readonly<Record<string, Artifact>> {
  const artifacts: Record<string, Artifact> = {};
  for (const [port, { type }] of Object.entries(step.outputs)) {
    const own = writes[port];
    const path = own ?? join(work, port);
    checkWritten(step, port, path);
    artifacts[port] = store.ingest(path, type, { move: own === undefined });
  }
  return artifacts;
}

/** The files that a step reads must be the same after it as before it: else nobody knows what it saw. */
function checkReads(step: GraphStep, inspection: Inspection, { graph, store }: AttemptContext): void {
  const reads = step.workspace.reads ?? [];
  if (reads.length === 0) return;
  const now = digestFiles(graph.projectDir, reads, store.statCache);
  const changed = Object.keys(now).filter((path) => now[path] !== inspection.record.files[path]);
  if (changed.length === 0) return;
  throw new AttemptFailure({
    code: 'INPUT_CHANGED',
    message: `${changed.join(', ')} changed while ${step.id} was reading; its result was thrown away.`,
    help: 'Run again when the file is complete.',
  });
}

/** What a worker is told to do. */
function makeOrder(
  step: GraphStep,
  inspection: Inspection,
  folders: Readonly<Record<string, string>>,
  outputs: KnownOutputs,
  { graph, store, downloadDir, backend }: AttemptContext,
): WorkOrder {
  return {
    entry: step.plugin.entry,
    stepId: step.id,
    params: step.params,
    inputs: materializeInputs(step, outputs, store),
    outputs: folders,
    scratch: store.scratchFolder(inspection.fingerprint),
    projectDir: graph.projectDir,
    downloadDir,
    seed: inspection.record.seed,
    env: step.environment,
    ...(backend === undefined ? {} : { backend }),
  };
}

/** Runs one attempt of a step and publishes its outputs, whole or not at all. */
export async function runAttempt(
  step: GraphStep,
  inspection: Inspection,
  outputs: KnownOutputs,
  options: AttemptContext & { readonly signal: AbortSignal; readonly listener: AttemptListener },
): Promise<AttemptResult> {
  const { graph, store, signal, listener } = options;
  const work = store.makeWorkFolder();
  const kept: StepEvent[] = [];
  const startMs = performance.now();
  try {
    for (const port of Object.keys(step.outputs)) mkdirSync(join(work, port));
    const writes = workspaceWrites(step, graph.projectDir);
    const folders = Object.keys(step.outputs).map(
      (port) => [port, writes[port] ?? join(work, port)] as const,
    );
    const order = makeOrder(step, inspection, Object.fromEntries(folders), outputs, options);
    const onEvent = (event: StepEvent): void => {
      if (isKept(event)) kept.push(event);
      listener.onEvent(event);
    };
    const cost = await runWhere(
      step,
      order,
      {
        ...options,
        listener: {
          ...listener,
          onEvent,
          onOutput: (stream, text) => {
            listener.onOutput(stream, text);
          },
        },
      },
      signal,
    );
    const published = publish(step, work, writes, store);
    checkReads(step, inspection, options);
    store.removeScratch(inspection.fingerprint);
    return {
      ...cost,
      action: {
        version: 1,
        record: inspection.record,
        outputs: published,
        kept,
        durationMs: performance.now() - startMs,
      },
    };
  } catch (error) {
    throw error instanceof AttemptFailure ? error : AttemptFailure.from(describeError(error));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function runWhere(
  step: GraphStep,
  order: WorkOrder,
  options: AttemptContext & { readonly listener: AttemptListener },
  signal: AbortSignal,
): Promise<AttemptCost> {
  if (step.plugin.runsIn !== 'engine') return options.pool.run(order, signal, options.listener);
  await runOrder(order, signal, (event) => {
    options.listener.onEvent(event);
  });
  return {};
}
