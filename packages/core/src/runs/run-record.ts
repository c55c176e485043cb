import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StepEvent } from '@joyul/plugin-api';
import type { ArtifactSummary, Event, FailureSummary, StepEnd } from '../events/event.ts';

/** How one step of a run went. */
export interface StepRecord {
  readonly stepId: string;
  readonly plugin: string;
  readonly end: StepEnd | 'running' | 'waiting';
  readonly reason: string;
  readonly fingerprint?: string;
  readonly durationMs: number;
  readonly cpuMs?: number;
  readonly peakMemoryBytes?: number;
  readonly attempts: number;
  readonly outputs: readonly ArtifactSummary[];
  /** Findings, curves and tables, from this run or kept from the one that is reused. */
  readonly told: readonly StepEvent[];
  readonly failure?: FailureSummary;
}

/** A run, as its events tell it. */
export interface RunRecord {
  readonly runId: string;
  readonly pipeline: string;
  readonly file: string;
  readonly startedMs: number;
  readonly durationMs: number;
  /** `interrupted` when the events end before the run does. */
  readonly end: 'succeeded' | 'failed' | 'cancelled' | 'checkpointed' | 'interrupted';
  readonly seed: number;
  readonly params: unknown;
  readonly joyulVersion: string;
  readonly nodeVersion: string;
  readonly steps: readonly StepRecord[];
}

const emptyStep = (stepId: string, plugin: string): StepRecord => ({
  stepId,
  plugin,
  end: 'waiting',
  reason: '',
  durationMs: 0,
  attempts: 0,
  outputs: [],
  told: [],
});

/** Adds one event to a step's record. */
function applyEvent(step: StepRecord, event: Event): StepRecord {
  switch (event.kind) {
    case 'step-started':
      return { ...step, end: 'running', attempts: event.attempt, reason: event.reason, told: [] };
    case 'step-event':
      return event.event.type === 'progress' || event.event.type === 'log'
        ? step
        : { ...step, told: [...step.told, event.event] };
    case 'attempt-failed':
      return { ...step, failure: event.failure };
    case 'step-ended': {
      const { end, reason, durationMs, outputs, fingerprint, cpuMs, peakMemoryBytes, kept } = event;
      return {
        ...step,
        end,
        reason,
        durationMs,
        outputs,
        told: kept ?? step.told,
        ...(fingerprint === undefined ? {} : { fingerprint }),
        ...(cpuMs === undefined ? {} : { cpuMs }),
        ...(peakMemoryBytes === undefined ? {} : { peakMemoryBytes }),
      };
    }
    default:
      return step;
  }
}

/** Makes a run's record from its events; undefined without a start. */
export function makeRunRecord(events: readonly Event[]): RunRecord | undefined {
  const [start] = events;
  if (start?.kind !== 'run-started') return undefined;
  const steps = new Map(start.steps.map((step) => [step.stepId, emptyStep(step.stepId, step.plugin)]));
  for (const event of events) {
    if (!('stepId' in event)) continue;
    const step = steps.get(event.stepId);
    if (step !== undefined) steps.set(event.stepId, applyEvent(step, event));
  }
  const last = events.at(-1);
  const isWhole = last?.kind === 'run-ended';
  return {
    runId: start.runId,
    pipeline: start.pipeline,
    file: start.file,
    startedMs: start.timeMs,
    durationMs: isWhole ? last.durationMs : (last?.timeMs ?? start.timeMs) - start.timeMs,
    end: isWhole ? last.end : 'interrupted',
    seed: start.seed,
    params: start.params,
    joyulVersion: start.joyulVersion,
    nodeVersion: start.nodeVersion,
    steps: [...steps.values()],
  };
}

/** The events of a run; a last line that a crash tore is left out. */
export function readEvents(file: string): readonly Event[] {
  const events: Event[] = [];
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    try {
      events.push(JSON.parse(line) as Event); // Written by the event writer.
    } catch {
      break;
    }
  }
  return events;
}

const runsDir = (projectDir: string): string => join(projectDir, '.joyul', 'runs');

/** Ids of all runs of a project, the newest last. */
export function listRunIds(projectDir: string): readonly string[] {
  const dir = runsDir(projectDir);
  return existsSync(dir)
    ? readdirSync(dir)
        .filter((name) => existsSync(join(dir, name, 'events.ndjson')))
        .sort()
    : [];
}

/** The record of a run: `last` means the newest; undefined where there is none. */
export function readRunRecord(projectDir: string, runId: string): RunRecord | undefined {
  const ids = listRunIds(projectDir);
  const id =
    runId === 'last' ? ids.at(-1) : ids.find((candidate) => candidate === runId || candidate.endsWith(runId));
  return id === undefined
    ? undefined
    : makeRunRecord(readEvents(join(runsDir(projectDir), id, 'events.ndjson')));
}
