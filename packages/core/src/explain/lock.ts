/** What a run was made of, in a form that is committed and reviewed: no times, hosts or absolute paths. */
import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';
import type { ArtifactSummary } from '../events/event.ts';
import type { Graph, GraphStep } from '../graph/graph.ts';
import { diffRecords } from '../plan/explain.ts';
import type { FieldChange } from '../plan/explain.ts';
import {
  MissingFilesError,
  fingerprintOf,
  formatVersion,
  makeFingerprintRecord,
} from '../plan/fingerprint.ts';
import type { FingerprintContext, FingerprintRecord } from '../plan/fingerprint.ts';
import { makeInspectOptions } from '../plan/plan-pipeline.ts';
import type { PlanOptions } from '../plan/plan-pipeline.ts';
import { RunHistory } from '../runs/run-history.ts';
import type { RunRecord, StepRecord } from '../runs/run-record.ts';
import { Store } from '../store/store.ts';
import { digestOf } from '../util/hash.ts';

/** One output, as a lock has it. */
export interface LockedOutput {
  readonly type: string;
  /** Where in the project it is written; absent for one that is only in the store. */
  readonly at?: string;
  readonly digest: string;
  readonly files: number;
  readonly sizeBytes: number;
}

/** One step, as a lock has it. */
export interface LockedStep {
  readonly fingerprint: string;
  readonly plugin: string;
  readonly pluginVersion: string;
  readonly revision: number;
  readonly pluginCode: string;
  readonly params: unknown;
  readonly environment: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly backend?: string;
  /** Digests of the project's files that it read, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** By port: `step.port` and its digest, with a blank between. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  readonly outputs: Readonly<Record<string, LockedOutput>>;
}

/** All steps of a pipeline, as they were when a run succeeded. */
export interface Lock {
  readonly version: 1;
  /** The format of the fingerprints. */
  readonly formatVersion: number;
  readonly pipeline: string;
  /** By id, in code-unit order. */
  readonly steps: Readonly<Record<string, LockedStep>>;
}

/** What would be different from a lock. */
export interface LockDifference {
  readonly stepId: string;
  /**
   * `follows`: itself as locked, and after a step that is not. `result`: nothing that decides it has changed, and the
   * store has another result. `blocked`: a file that it reads is missing.
   */
  readonly kind: 'changed' | 'added' | 'removed' | 'follows' | 'result' | 'blocked';
  readonly changes: readonly FieldChange[];
  /** In words, for those without changes. */
  readonly reason?: string;
}

/** The folder of this user's own files; a value that names it came from this machine. */
const home = homedir();
const namesHome = (value: string): boolean => home.length > 1 && value.includes(home);

/** What stands for a value that names a place on this machine. */
const redact = (value: string): string => `sha256:${digestOf(value).slice(0, 16)}`;

function redactDeeply(value: unknown): unknown {
  if (typeof value === 'string') return namesHome(value) ? redact(value) : value;
  if (Array.isArray(value)) return value.map(redactDeeply);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactDeeply(item)]));
}

function sortKeys<T>(record: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  const entries = Object.entries(record);
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
}

function sortDeeply(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortDeeply);
  if (typeof value !== 'object' || value === null) return value;
  return sortKeys(Object.fromEntries(Object.entries(value).map(([key, item]) => [key, sortDeeply(item)])));
}

/** The record with what is never committed taken out; two of these are compared. */
function publish(record: FingerprintRecord): FingerprintRecord {
  const environment = Object.entries(record.environment).map(([name, value]): [string, string] => [
    name,
    isAbsolute(value) || namesHome(value) ? redact(value) : value,
  ]);
  return { ...record, params: redactDeeply(record.params), environment: Object.fromEntries(environment) };
}

const atMark = ' at ';

function lockStep(
  step: GraphStep,
  record: FingerprintRecord,
  outputs: readonly ArtifactSummary[],
): LockedStep {
  const { plugin, pluginVersion, revision, pluginCode, params, environment, seed, backend } = publish(record);
  const inputs = Object.entries(step.inputs).map(([port, references]) => [
    port,
    references.map((from, index) => `${from.step}.${from.port} ${record.inputs[port]?.[index] ?? ''}`),
  ]);
  const locked = outputs.map(({ port, type, digest, files, sizeBytes }): [string, LockedOutput] => {
    const [, at] = (record.outputs[port] ?? '').split(atMark);
    return [port, { type, ...(at === undefined ? {} : { at }), digest, files, sizeBytes }];
  });
  return {
    plugin,
    pluginVersion,
    revision,
    pluginCode,
    fingerprint: fingerprintOf(record),
    params: sortDeeply(params),
    environment: sortKeys(environment),
    seed,
    ...(backend === undefined ? {} : { backend }),
    files: sortKeys(record.files),
    inputs: sortKeys(Object.fromEntries(inputs) as LockedStep['inputs']), // From lists of texts.
    outputs: sortKeys(Object.fromEntries(locked)),
  };
}

/** The record that a locked step was made of. */
function recordOf(step: LockedStep, lock: Lock): FingerprintRecord {
  const { fingerprint: _fingerprint, outputs, inputs, ...rest } = step;
  const digests = Object.entries(inputs).map(([port, texts]) => [
    port,
    texts.map((text) => text.slice(text.lastIndexOf(' ') + 1)),
  ]);
  const types = Object.entries(outputs).map(([port, { type, at }]) => [
    port,
    at === undefined ? type : `${type}${atMark}${at}`,
  ]);
  return {
    ...rest,
    formatVersion: lock.formatVersion,
    inputs: Object.fromEntries(digests) as FingerprintRecord['inputs'], // From lists of texts.
    outputs: Object.fromEntries(types) as FingerprintRecord['outputs'], // From texts.
  };
}

/** Digests by step and port; undefined where a step has no such output. */
type DigestOf = (stepId: string, port: string) => string | undefined;

/** The record of a step whose inputs have some digests; undefined where one of them is not known. */
function makeRecord(
  step: GraphStep,
  digestOf: DigestOf,
  context: FingerprintContext,
): FingerprintRecord | undefined {
  const inputs = Object.entries(step.inputs).map(([port, references]) => [
    port,
    references.map((reference) => digestOf(reference.step, reference.port)),
  ]);
  if (inputs.some(([, digests]) => Array.isArray(digests) && digests.includes(undefined))) return undefined;
  // Checked above: all of them are texts.
  return makeFingerprintRecord(step, Object.fromEntries(inputs) as FingerprintRecord['inputs'], context);
}

const hasResult = (step: StepRecord | undefined): step is StepRecord =>
  step?.end === 'succeeded' || step?.end === 'reused';

/** The newest run in which all of a pipeline's steps succeeded or were reused. */
function findWholeRun(graph: Graph, history: RunHistory): RunRecord | undefined {
  for (const run of history.records()) {
    if (run.file !== graph.file || run.end !== 'succeeded') continue;
    const steps = new Map(run.steps.map((step) => [step.stepId, step]));
    const isWhole = graph.steps.every(
      (step) => hasResult(steps.get(step.id)) || steps.get(step.id)?.end === 'disabled',
    );
    if (isWhole) return run;
  }
  return undefined;
}

/** A lock, or why none can be made. */
export type LockResult =
  | { readonly lock: Lock; readonly runId: string }
  | { readonly problem: 'no run' }
  /** Steps that have changed since the last run in which all succeeded. */
  | { readonly problem: 'stale'; readonly runId: string; readonly stale: readonly LockDifference[] };

/** Makes a lock of the last run in which everything succeeded, if that is still what a run would give. */
export function makeLock(graph: Graph, options: PlanOptions = {}): LockResult {
  const store = new Store(graph.projectDir);
  const run = findWholeRun(graph, new RunHistory(graph.projectDir));
  if (run === undefined) return { problem: 'no run' };
  const { context } = makeInspectOptions(graph, store, options);
  const records = new Map(run.steps.map((step) => [step.stepId, step]));
  const digestOf: DigestOf = (stepId, port) =>
    records.get(stepId)?.outputs.find((output) => output.port === port)?.digest;
  const steps: Record<string, LockedStep> = {};
  const stale: LockDifference[] = [];
  for (const step of graph.steps) {
    const past = records.get(step.id);
    if (!step.isEnabled || past === undefined || past.end === 'disabled') continue;
    const record = tryRecord(() => makeRecord(step, digestOf, context));
    if (typeof record === 'string')
      stale.push({ stepId: step.id, kind: 'blocked', changes: [], reason: record });
    else if (record !== undefined && fingerprintOf(record) === past.fingerprint)
      steps[step.id] = lockStep(step, record, past.outputs);
    else {
      const action = past.fingerprint === undefined ? undefined : store.readAction(past.fingerprint);
      const before = action?.record as FingerprintRecord | undefined; // Records are written by the executor.
      const changes = record === undefined || before === undefined ? [] : diffRecords(before, record);
      stale.push({ stepId: step.id, kind: 'changed', changes });
    }
  }
  if (stale.length > 0) return { problem: 'stale', runId: run.runId, stale };
  return {
    runId: run.runId,
    lock: { version: 1, formatVersion, pipeline: graph.name, steps: sortKeys(steps) },
  };
}

/** A record, or in words which files are missing. */
function tryRecord(make: () => FingerprintRecord | undefined): FingerprintRecord | string | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof MissingFilesError) return error.message;
    throw error;
  }
}

/**
 * Says what the present state would give differently from a lock; nothing is run, and the store may be empty.
 *
 * Each step is looked at as if those before it gave what is locked, so that a change is told where it was made.
 */
export function checkLock(graph: Graph, lock: Lock, options: PlanOptions = {}): readonly LockDifference[] {
  const store = new Store(graph.projectDir);
  const { context } = makeInspectOptions(graph, store, options);
  const differences = new Map<string, LockDifference>();
  const digestOf: DigestOf = (stepId, port) => lock.steps[stepId]?.outputs[port]?.digest;
  const check = (step: GraphStep, locked: LockedStep): Omit<LockDifference, 'stepId'> | undefined => {
    const record = tryRecord(() => makeRecord(step, digestOf, context));
    if (typeof record === 'string') return { kind: 'blocked', changes: [], reason: record };
    const changes = record === undefined ? [] : diffRecords(recordOf(locked, lock), publish(record));
    if (changes.length > 0) return { kind: 'changed', changes };
    const cause = step.needs.find((need) => differences.has(need));
    if (cause !== undefined) return { kind: 'follows', changes: [], reason: `after ${cause}` };
    const stored = record === undefined ? undefined : store.readAction(fingerprintOf(record));
    const other = Object.entries(stored?.outputs ?? {}).filter(
      ([port, artifact]) => locked.outputs[port]?.digest !== artifact.digest,
    );
    if (other.length === 0) return undefined;
    const ports = other.map(([port]) => port).join(', ');
    return { kind: 'result', changes: [], reason: `the store has another result for output ${ports}` };
  };
  for (const step of graph.steps) {
    const locked = lock.steps[step.id];
    if (!step.isEnabled || step.needs.some((need) => graph.byId.get(need)?.isEnabled === false)) {
      if (locked !== undefined)
        differences.set(step.id, { stepId: step.id, kind: 'removed', changes: [], reason: 'it is left out' });
    } else if (locked === undefined)
      differences.set(step.id, { stepId: step.id, kind: 'added', changes: [] });
    else {
      const found = check(step, locked);
      if (found !== undefined) differences.set(step.id, { stepId: step.id, ...found });
    }
  }
  const gone = Object.keys(lock.steps).filter((stepId) => !graph.byId.has(stepId));
  return [
    ...differences.values(),
    ...gone.map((stepId): LockDifference => ({ stepId, kind: 'removed', changes: [] })),
  ];
}
