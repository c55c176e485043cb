import { readFileSync } from 'node:fs';
import type { StepEnd } from '../events/event.ts';
import { eventsFile, listRunIds, readRecordOf } from './run-files.ts';
import type { RunRecord } from './run-record.ts';

/** Runs older than these are not searched: an answer must not take longer the longer a project lives. */
const maxRuns = 500;

/** Runs that are read whole to find an earlier result. */
const maxEarlier = 50;

/** Searches the runs of a project, the newest first; each is read once. */
export class RunHistory {
  readonly #projectDir: string;
  readonly #ids: readonly string[];
  readonly #records = new Map<string, RunRecord | undefined>();
  readonly #texts = new Map<string, Buffer>();

  constructor(projectDir: string) {
    this.#projectDir = projectDir;
    this.#ids = [...listRunIds(projectDir)].reverse().slice(0, maxRuns);
  }

  /** The records of runs, the newest first, read as they are asked for. */
  *records(): Generator<RunRecord> {
    for (const id of this.#ids) {
      const record = this.#record(id);
      if (record !== undefined) yield record;
    }
  }

  #record(runId: string): RunRecord | undefined {
    if (!this.#records.has(runId)) this.#records.set(runId, readRecordOf(this.#projectDir, runId));
    return this.#records.get(runId);
  }

  #mentions(runId: string, fingerprint: string): boolean {
    let text = this.#texts.get(runId);
    if (text === undefined) {
      text = readFileSync(eventsFile(this.#projectDir, runId));
      // A few files are searched for many fingerprints; all of a long history would fill the memory.
      if (this.#texts.size < 8) this.#texts.set(runId, text);
    }
    return text.includes(fingerprint);
  }

  /** The newest run in which a step ended, in one of some ways, with a fingerprint; undefined where there is none. */
  findRun(stepId: string, fingerprint: string, ends: readonly StepEnd[]): RunRecord | undefined {
    for (const id of this.#ids) {
      if (!this.#mentions(id, fingerprint)) continue;
      const record = this.#record(id);
      const step = record?.steps.find((item) => item.stepId === stepId && item.fingerprint === fingerprint);
      if (step !== undefined && ends.some((end) => end === step.end)) return record;
    }
    return undefined;
  }

  /** The fingerprint of a step's result before the run `runId` made the one with `fingerprint`; undefined for the first. */
  findEarlier(stepId: string, fingerprint: string, runId: string | undefined): string | undefined {
    if (runId === undefined) return undefined;
    const older = this.#ids.slice(this.#ids.indexOf(runId) + 1, maxEarlier);
    for (const id of older) {
      const step = this.#record(id)?.steps.find((item) => item.stepId === stepId);
      const hasResult = step?.end === 'succeeded' || step?.end === 'reused';
      if (hasResult && step.fingerprint !== undefined && step.fingerprint !== fingerprint)
        return step.fingerprint;
    }
    return undefined;
  }
}
