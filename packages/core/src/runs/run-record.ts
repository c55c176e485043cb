import type { StepEvent } from '@joyul/plugin-api';
import type { ArtifactSummary, Event, FailureSummary, FileDifference, StepEnd } from '../events/event.ts';
import type { ContinuedFrom } from '../util/continued-from.ts';
import { isProcessAlive } from '../util/processes.ts';

/** How one step of a run went. */
export interface StepRecord {
  readonly stepId: string;
  readonly plugin: string;
  /** Ids of the steps whose outputs it read. */
  readonly needs: readonly string[];
  readonly end: StepEnd | 'running' | 'waiting';
  readonly reason: string;
  readonly fingerprint?: string;
  /** When its last attempt began; absent when nothing ran. */
  readonly startedMs?: number;
  /** When it ended, also where nothing ran. */
  readonly endedMs?: number;
  readonly durationMs: number;
  readonly cpuMs?: number;
  readonly peakMemoryBytes?: number;
  readonly attempts: number;
  readonly outputs: readonly ArtifactSummary[];
  /** Findings, curves and tables, from this run or kept from the one that is reused. */
  readonly told: readonly StepEvent[];
  readonly failure?: FailureSummary;
  /** The shorter run that its result went on from. */
  readonly continuedFrom?: ContinuedFrom;
  /** What running it once more has shown; absent where it was not compared. */
  readonly verified?: StepVerification;
}

/** What running a step once more has shown beside its stored result. */
export interface StepVerification {
  /** The first files that differ; empty when all is the same. */
  readonly differences: readonly FileDifference[];
  /** How many files differ in all. */
  readonly differing: number;
}

/** How a run ended: `running` while its process lives, `interrupted` when its events end before the run does. */
export type RunEnd = 'succeeded' | 'failed' | 'cancelled' | 'checkpointed' | 'interrupted' | 'running';

/** A run, as its events tell it. */
export interface RunRecord {
  readonly runId: string;
  readonly pipeline: string;
  readonly file: string;
  /** What was typed after `run FILE`. */
  readonly flags: readonly string[];
  /** The run that it goes on with; absent for one of its own. */
  readonly resumes?: string;
  /** Digest of what the pipeline's files said; absent for runs of old. */
  readonly graphDigest?: string;
  /** The process that runs it or ran it: its id, a dash, and when it began as the system counts. */
  readonly process: string;
  readonly startedMs: number;
  readonly durationMs: number;
  readonly end: RunEnd;
  readonly seed: number;
  readonly params: unknown;
  readonly joyulVersion: string;
  readonly nodeVersion: string;
  readonly steps: readonly StepRecord[];
}

type RunStarted = Extract<Event, { kind: 'run-started' }>;

/** How a run without a last event stands: its process lives, or it was interrupted. */
export function findOpenEnd(start: RunStarted): 'running' | 'interrupted' {
  return isProcessAlive(start.process) ? 'running' : 'interrupted';
}

type Growing<T> = { -readonly [K in keyof T]: T[K] };

/** Adds one event to a step's record, in place: a curve of many points is appended to, not copied. */
function applyEvent(step: Growing<StepRecord> & { told: StepEvent[] }, event: Event): void {
  switch (event.kind) {
    case 'step-started':
      Object.assign(step, {
        end: 'running',
        attempts: event.attempt,
        reason: event.reason,
        fingerprint: event.fingerprint,
        startedMs: event.timeMs,
        told: [],
      });
      break;
    case 'step-event':
      if (event.event.type !== 'progress' && event.event.type !== 'log') step.told.push(event.event);
      break;
    case 'attempt-failed':
      step.failure = event.failure;
      break;
    case 'step-verified':
      step.verified = { differences: event.differences, differing: event.differing };
      break;
    case 'step-ended': {
      const { end, reason, durationMs, outputs, fingerprint, cpuMs, peakMemoryBytes, kept, continuedFrom } =
        event;
      Object.assign(
        step,
        { end, reason, durationMs, outputs, endedMs: event.timeMs },
        kept === undefined ? {} : { told: kept },
      );
      if (fingerprint !== undefined) step.fingerprint = fingerprint;
      if (continuedFrom !== undefined) step.continuedFrom = continuedFrom;
      if (cpuMs !== undefined) step.cpuMs = cpuMs;
      if (peakMemoryBytes !== undefined) step.peakMemoryBytes = peakMemoryBytes;
      break;
    }
    default:
      break;
  }
}

/** Makes a run's record of its events as they come; what it does not need of them it does not keep. */
export class RunRecorder {
  readonly #steps = new Map<string, Growing<StepRecord> & { told: StepEvent[] }>();
  #start: RunStarted | undefined;
  #ended: Extract<Event, { kind: 'run-ended' }> | undefined;
  #lastMs = 0;

  /** Takes the next event; nothing is made of events that do not begin with a start. */
  add(event: Event): void {
    this.#lastMs = event.timeMs;
    this.#ended = event.kind === 'run-ended' ? event : undefined;
    if (event.kind === 'run-started') {
      this.#start ??= event;
      for (const { stepId, plugin, needs } of event.steps)
        this.#steps.set(stepId, {
          stepId,
          plugin,
          needs,
          end: 'waiting',
          reason: '',
          durationMs: 0,
          attempts: 0,
          outputs: [],
          told: [],
        });
    } else if ('stepId' in event) {
      const step = this.#steps.get(event.stepId);
      if (step !== undefined) applyEvent(step, event);
    }
  }

  /** The record so far; undefined without a start. */
  get record(): RunRecord | undefined {
    const start = this.#start;
    if (start === undefined) return undefined;
    return {
      runId: start.runId,
      pipeline: start.pipeline,
      file: start.file,
      flags: start.flags,
      ...(start.resumes === undefined ? {} : { resumes: start.resumes }),
      ...(start.graphDigest === undefined ? {} : { graphDigest: start.graphDigest }),
      process: start.process,
      startedMs: start.timeMs,
      durationMs: this.#ended?.durationMs ?? this.#lastMs - start.timeMs,
      end: this.#ended?.end ?? findOpenEnd(start),
      seed: start.seed,
      params: start.params,
      joyulVersion: start.joyulVersion,
      nodeVersion: start.nodeVersion,
      steps: [...this.#steps.values()],
    };
  }
}

/** Makes a run's record from its events, in one pass; undefined without a start. */
export function makeRunRecord(events: Iterable<Event>): RunRecord | undefined {
  const recorder = new RunRecorder();
  for (const event of events) recorder.add(event);
  return recorder.record;
}
