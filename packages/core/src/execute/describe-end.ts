import type { ArtifactSummary, EventBody, StepEnd } from '../events/event.ts';
import type { GraphStep } from '../graph/graph.ts';
import type { Inspection } from '../plan/inspect-step.ts';
import type { ActionRecord } from '../store/store.ts';
import type { AttemptResult } from './run-attempt.ts';

/** What came of a step, as far as it went. */
export interface EndedWork {
  readonly step: GraphStep;
  inspection?: Inspection;
  stored?: ActionRecord;
  cost?: AttemptResult;
  /** What running it once more has shown; absent where it was not compared. */
  verdict?: 'same' | 'different';
}

const verdicts = {
  same: 'it ran once more and gave the same',
  different: 'it ran once more and gave other content; the stored result stays',
} as const;

/** What is told when a step has ended; an empty reason means that the look at the store gave it. */
export function describeEnd(
  { step, inspection, stored, cost, verdict }: EndedWork,
  { end, reason }: { readonly end: StepEnd; readonly reason: string },
): EventBody {
  // What it told when it ran once more is not what is stored.
  const isKept = end === 'reused' || verdict !== undefined;
  const known = end === 'reused' && verdict !== undefined ? verdicts[verdict] : inspection?.reason;
  return {
    kind: 'step-ended',
    stepId: step.id,
    end,
    reason: reason === '' ? (known ?? '') : reason,
    outputs: summarizeOutputs(stored),
    durationMs: cost?.action.durationMs ?? 0,
    ...(inspection === undefined ? {} : { fingerprint: inspection.fingerprint }),
    ...(cost?.cpuMs === undefined ? {} : { cpuMs: cost.cpuMs }),
    ...(cost?.peakMemoryBytes === undefined ? {} : { peakMemoryBytes: cost.peakMemoryBytes }),
    ...(isKept && stored !== undefined && stored.kept.length > 0 ? { kept: stored.kept } : {}),
    ...(stored?.continuedFrom === undefined ? {} : { continuedFrom: stored.continuedFrom }),
  };
}

function summarizeOutputs(stored: ActionRecord | undefined): readonly ArtifactSummary[] {
  return Object.entries(stored?.outputs ?? {}).map(([port, { type, digest, files }]) => ({
    port,
    type,
    digest,
    files: files.length,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
  }));
}
