import { join } from 'node:path';
import type { Graph, GraphStep } from '../graph/graph.ts';
import type { Artifact } from '../store/artifact.ts';
import type { ActionRecord, Store, StoreDamage } from '../store/store.ts';
import { formatCanonicalJson } from '../util/canonical-json.ts';
import { describeChange, diffRecords } from './explain.ts';
import type { FingerprintContext, FingerprintRecord } from './fingerprint.ts';
import { makeFingerprintRecord } from './fingerprint.ts';
import type { LastRecords } from './last-records.ts';

/** What is known of a step once the digests of its inputs are. */
export interface Inspection {
  readonly fingerprint: string;
  readonly record: FingerprintRecord;
  readonly action: 'reuse' | 'run';
  /** In words. */
  readonly reason: string;
  /** The stored result, when it is reused. */
  readonly stored?: ActionRecord;
  /** The stored result that what it gives is compared with, and that stays. */
  readonly expected?: ActionRecord;
  /** What was wrong with a stored result that is not reused. */
  readonly damage?: StoreDamage & { readonly message: string };
}

/** What inspecting needs. */
export interface InspectOptions {
  readonly graph: Graph;
  readonly store: Store;
  readonly last: LastRecords;
  readonly context: FingerprintContext;
  /** True for steps that are to run whatever is stored. */
  readonly isForced: (step: GraphStep) => boolean;
  /** True for steps that run once more although their result is known, to be compared with it. */
  readonly isVerified: (step: GraphStep) => boolean;
}

/** Outputs of steps, by step and port. */
export type KnownOutputs = ReadonlyMap<string, Readonly<Record<string, Artifact>>>;

/** Digests of what a step's inputs are given. */
export function digestInputs(step: GraphStep, outputs: KnownOutputs): FingerprintRecord['inputs'] {
  return Object.fromEntries(
    Object.entries(step.inputs).map(([port, references]) => [
      port,
      references.map((reference) => {
        const artifact = outputs.get(reference.step)?.[reference.port];
        if (artifact === undefined)
          throw new Error(`Internal error: ${reference.step}.${reference.port} is not known yet.`);
        return artifact.digest;
      }),
    ]),
  );
}

/** Decides whether a step is reused, and says why. */
export function inspectStep(step: GraphStep, outputs: KnownOutputs, options: InspectOptions): Inspection {
  const { store, last, context } = options;
  const record = makeFingerprintRecord(step, digestInputs(step, outputs), context);
  const { fingerprint, action: stored } = store.find(record, formatCanonicalJson(record));
  const run = (reason: string, damage?: Inspection['damage']): Inspection => ({
    fingerprint,
    record,
    action: 'run',
    reason,
    ...(damage === undefined ? {} : { damage }),
  });
  if (options.isForced(step)) return run('it was asked for');
  if (step.plugin.cacheable === false) return run('its outputs may differ each time');
  if (step.cache === 'off' || step.cache === 'wo') return run('its cache is off');
  if (stored === undefined) return explainMissing(step, { fingerprint, record }, options);
  for (const [port, artifact] of Object.entries(stored.outputs)) {
    const damage = store.findDamage(artifact);
    if (damage === undefined) continue;
    const message = `Output ${port} of ${step.id} is ${damage.reason} in the store (object ${damage.digest.slice(0, 12)}); the step runs again.`;
    return run(`output ${port} is ${damage.reason} in the store`, { ...damage, message });
  }
  last.set(step.id, fingerprint);
  if (options.isVerified(step))
    return { ...run('it is run again, to be compared with its stored result'), expected: stored };
  return { fingerprint, record, action: 'reuse', reason: 'nothing that decides it has changed', stored };
}

/** Why a step without a stored result runs; a record that is there and cannot be used is told. */
function explainMissing(
  step: GraphStep,
  { fingerprint, record }: Pick<Inspection, 'fingerprint' | 'record'>,
  options: InspectOptions,
): Inspection {
  const damage = options.store.findRecordDamage(fingerprint);
  if (damage === undefined)
    return { fingerprint, record, action: 'run', reason: explainMiss(step, record, options) };
  const message = `The record of ${step.id} is ${damage} in the store (${fingerprint.slice(0, 12)}); the step runs again.`;
  return {
    fingerprint,
    record,
    action: 'run',
    reason: `its record is ${damage} in the store`,
    damage: { digest: fingerprint, reason: damage, message },
  };
}

function explainMiss(step: GraphStep, record: FingerprintRecord, { store, last }: InspectOptions): string {
  const before = last.get(step.id);
  const previous = before === undefined ? undefined : store.readAction(before);
  if (previous === undefined) return 'it has not run here before';
  const [first, ...others] = diffRecords(previous.record as FingerprintRecord, record); // Records are written by the executor.
  if (first === undefined) return 'its result is not in the store';
  return others.length === 0 ? describeChange(first) : `${describeChange(first)} (and ${others.length} more)`;
}

/** Where in the project a step writes outputs, by port; absolute. */
export function workspaceWrites(step: GraphStep, projectDir: string): Readonly<Record<string, string>> {
  const writes = step.workspace.writes ?? {};
  return Object.fromEntries(Object.entries(writes).map(([port, path]) => [port, join(projectDir, path)]));
}
