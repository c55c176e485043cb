import { join } from 'node:path';
import type { Backend, StepEvent } from '@joyul/plugin-api';
import type { EventBody } from '../events/event.ts';
import type { Graph, GraphStep } from '../graph/graph.ts';
import { digestFiles } from '../plan/fingerprint.ts';
import type { InspectOptions, Inspection, KnownOutputs } from '../plan/inspect-step.ts';
import { workspaceWrites } from '../plan/inspect-step.ts';
import type { Artifact } from '../store/artifact.ts';
import type { Prefixes } from '../store/prefixes.ts';
import { isWorthFlushing } from '../store/store.ts';
import type { ActionRecord, Store } from '../store/store.ts';
import type { Platform } from '../util/platform.ts';
import { AttemptFailure } from './attempt-failure.ts';
import { AttemptPrefix } from './attempt-prefix.ts';
import type { Runner } from './runner.ts';
import type { Secrets } from './secrets.ts';
import type { Grant } from './slots.ts';
import type { AttemptCost, AttemptListener, WorkOrder } from './worker-protocol.ts';

/** What all attempts of a run share. */
export interface AttemptContext {
  readonly graph: Graph;
  readonly store: Store;
  readonly prefixes: Prefixes;
  readonly inspect: InspectOptions;
  readonly runner: Runner;
  readonly platform: Platform;
  readonly secrets: Secrets;
  readonly downloadDir: string;
  readonly backend?: Backend;
}

/** What one attempt is about. */
export interface AttemptParts {
  readonly step: GraphStep;
  readonly inspection: Inspection;
  readonly outputs: KnownOutputs;
  readonly grant: Grant;
  /**
   * Where it keeps checkpoints, for one that begins from nothing; absent means the folder that attempts with its
   * fingerprint share.
   */
  readonly scratch?: string;
  readonly signal: AbortSignal;
  readonly listener: Pick<AttemptListener, 'onEvent' | 'onOutput'>;
  readonly tell: (event: EventBody) => void;
}

/** What an attempt that succeeded gives. */
export interface AttemptResult extends AttemptCost {
  readonly action: ActionRecord;
}

/** Events that are kept with the outputs. */
const isKept = ({ type }: StepEvent): boolean => type !== 'progress' && type !== 'log';

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

/** Refuses an output that the step did not write; a folder of the engine's own is there from the start. */
function checkWritten(
  { fs }: Platform,
  path: string,
  output: { readonly stepId: string; readonly port: string; readonly isInProject: boolean },
): void {
  const { stepId, port, isInProject } = output;
  if (isInProject ? fs.stat(path) !== undefined : fs.list(path).length > 0) return;
  throw new AttemptFailure({
    code: 'OUTPUT_MISSING',
    message: `${stepId} ended without an error, but did not write its output ${port}${isInProject ? ` at ${path}` : ''}.`,
    help: 'Check the path, or remove the output from the pipeline.',
  });
}

/** Takes what the step wrote into the store. */
function publish(
  step: GraphStep,
  folders: Readonly<Record<string, string>>,
  { store, platform, graph, durationMs }: AttemptContext & { readonly durationMs: number },
): Readonly<Record<string, Artifact>> {
  const mustLast = isWorthFlushing(durationMs);
  const writes = workspaceWrites(step, graph.projectDir);
  const artifacts: Record<string, Artifact> = {};
  for (const [port, { type }] of Object.entries(step.outputs)) {
    const path = folders[port] ?? '';
    const isInProject = writes[port] !== undefined;
    checkWritten(platform, path, { stepId: step.id, port, isInProject });
    artifacts[port] = store.ingest(path, type, { move: !isInProject, mustLast });
  }
  return artifacts;
}

/** The files that a step reads must be the same after it as before it: else nobody knows what it saw. */
function checkReads(step: GraphStep, inspection: Inspection, { inspect }: AttemptContext): void {
  const reads = step.workspace.reads ?? [];
  if (reads.length === 0) return;
  const now = digestFiles(reads, inspect.context);
  const before = inspection.record.files;
  const paths = new Set([...Object.keys(now), ...Object.keys(before)]);
  const changed = [...paths].filter((path) => now[path] !== before[path]);
  if (changed.length === 0) return;
  throw new AttemptFailure({
    code: 'INPUT_CHANGED',
    message: `${changed.join(', ')} changed while ${step.id} was reading; its result was thrown away.`,
    help: 'Run again when the file is complete.',
  });
}

/** What a program is told of the devices that are its own. */
function describeDevices({ devices }: Grant): Record<string, string> {
  return Object.fromEntries(
    Object.entries(devices).flatMap(([pool, names]) => {
      const variable = `JOYUL_${pool.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;
      const list = names.join(',');
      return pool === 'gpu'
        ? [
            [variable, list],
            ['CUDA_VISIBLE_DEVICES', list],
          ]
        : [[variable, list]];
    }),
  );
}

/** Output folders by port: in the project where the step says so, else empty ones of the store. */
function makeFolders(
  step: GraphStep,
  { store, platform, graph }: AttemptContext,
): { readonly folders: Readonly<Record<string, string>>; remove(): void } {
  const writes = workspaceWrites(step, graph.projectDir);
  const ports = Object.keys(step.outputs).filter((port) => writes[port] === undefined);
  if (ports.length === 0) return { folders: writes, remove: () => undefined };
  const work = store.makeWorkFolder();
  const own = ports.map((port) => [port, join(work, port)] as const);
  for (const [, folder] of own) platform.fs.makeFolder(folder);
  return {
    folders: { ...writes, ...Object.fromEntries(own) },
    remove: () => {
      platform.fs.remove(work);
    },
  };
}

/** What the plugin is told to do. */
function makeOrder(
  { step, inspection, outputs, grant }: AttemptParts,
  own: Pick<WorkOrder, 'outputs' | 'scratch'>,
  { store, graph, secrets, downloadDir, backend }: AttemptContext,
): WorkOrder {
  const devices = describeDevices(grant);
  return {
    entry: step.plugin.entry,
    stepId: step.id,
    params: secrets.fillIn(step.params),
    inputs: materializeInputs(step, outputs, store),
    ...own,
    projectDir: graph.projectDir,
    downloadDir,
    sharedDir: store.sharedFolder,
    seed: inspection.record.seed,
    env: { ...step.environment, ...secrets.environmentOf(step), ...devices },
    devices,
    ...(backend === undefined ? {} : { backend }),
  };
}

/** Runs one attempt of a step and stores its outputs; its record is not published yet. */
export async function runAttempt(parts: AttemptParts, context: AttemptContext): Promise<AttemptResult> {
  const { step, inspection, signal, listener, tell } = parts;
  const { store, prefixes, platform, secrets } = context;
  const kept: StepEvent[] = [];
  const startMs = platform.clock.elapsed();
  const onEvent = (event: StepEvent): void => {
    if (isKept(event)) kept.push(secrets.mask(event));
    listener.onEvent(event);
  };
  const { folders, remove } = makeFolders(step, context);
  const scratch = parts.scratch ?? store.scratchFolder(inspection.fingerprint);
  const prefix = new AttemptPrefix({
    step,
    inspection,
    scratch,
    isForced: context.inspect.isForced(step),
    isApart: parts.scratch !== undefined,
    store,
    prefixes,
    fs: platform.fs,
    tell,
    onEvent,
  });
  try {
    const order = makeOrder(parts, { outputs: folders, scratch }, context);
    const where = step.plugin.runsIn ?? 'worker';
    const cost = await context.runner.run(order, where, signal, {
      onEvent,
      onOutput: (stream, text) => {
        listener.onOutput(stream, text);
      },
      takePrefix: (request) => prefix.take(request),
    });
    const durationMs = platform.clock.elapsed() - startMs;
    const published = publish(step, folders, { ...context, durationMs });
    checkReads(step, inspection, context);
    prefix.keep(durationMs);
    const { continuedFrom } = prefix;
    const from = continuedFrom === undefined ? {} : { continuedFrom };
    return {
      ...cost,
      action: { version: 1, record: inspection.record, outputs: published, kept, durationMs, ...from },
    };
  } finally {
    prefix.remove();
    remove();
  }
}
