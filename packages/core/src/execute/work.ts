import type { EventBody, StepEnd } from '../events/event.ts';
import type { GraphStep } from '../graph/graph.ts';
import type { Inspection } from '../plan/inspect-step.ts';
import type { Reservation } from '../store/reservation.ts';
import type { ActionRecord } from '../store/store.ts';
import type { AttemptResult } from './run-attempt.ts';

/** What is known of a step while it is dealt with. */
export interface Work {
  readonly step: GraphStep;
  inspection?: Inspection;
  stored?: ActionRecord;
  cost?: AttemptResult;
  reservation?: Reservation;
  running?: AbortController;
  /** The last lines that it wrote. */
  readonly tail: string[];
}

/** What a look at the store has said; the machine never asks for more before one. */
export function inspectionOf({ step, inspection }: Work): Inspection {
  if (inspection === undefined) throw new Error(`Internal error: ${step.id} was not looked at.`);
  return inspection;
}

/** The event that tells how a step ended; an empty reason is the one that the look at the store gave. */
export function describeEnd(
  { step, inspection, stored, cost }: Work,
  end: StepEnd,
  reason: string,
): Extract<EventBody, { kind: 'step-ended' }> {
  return {
    kind: 'step-ended',
    stepId: step.id,
    end,
    reason: reason === '' ? (inspection?.reason ?? '') : reason,
    outputs: summarizeOutputs(stored),
    durationMs: cost?.action.durationMs ?? 0,
    ...(inspection === undefined ? {} : { fingerprint: inspection.fingerprint }),
    ...(cost?.cpuMs === undefined ? {} : { cpuMs: cost.cpuMs }),
    ...(cost?.peakMemoryBytes === undefined ? {} : { peakMemoryBytes: cost.peakMemoryBytes }),
    ...(end === 'reused' && stored !== undefined && stored.kept.length > 0 ? { kept: stored.kept } : {}),
    ...(stored?.continuedFrom === undefined ? {} : { continuedFrom: stored.continuedFrom }),
  };
}

function summarizeOutputs(
  stored: ActionRecord | undefined,
): Extract<EventBody, { kind: 'step-ended' }>['outputs'] {
  return Object.entries(stored?.outputs ?? {}).map(([port, { type, digest, files }]) => ({
    port,
    type,
    digest,
    files: files.length,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
  }));
}
