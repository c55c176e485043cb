import { setTimeout as sleep } from 'node:timers/promises';
import type { StepEnd } from '../events/event.ts';
import type { EventWriter } from '../events/event-writer.ts';
import type { GraphStep } from '../graph/graph.ts';
import { MissingFilesError } from '../plan/fingerprint.ts';
import type { Inspection, InspectOptions } from '../plan/inspect-step.ts';
import { inspectStep, workspaceWrites } from '../plan/inspect-step.ts';
import type { Artifact } from '../store/artifact.ts';
import { reserve } from '../store/reservation.ts';
import type { ActionRecord } from '../store/store.ts';
import { AttemptFailure } from './attempt-failure.ts';
import { describeError } from './run-order.ts';
import type { AttemptContext, AttemptResult } from './run-attempt.ts';
import { runAttempt } from './run-attempt.ts';
import { Slots } from './slots.ts';

/** What an executor needs. */
export interface ExecuteOptions {
  readonly inspect: InspectOptions;
  readonly attempt: AttemptContext;
  readonly events: EventWriter;
  readonly steps: readonly GraphStep[];
  /** Steps that may run at once. */
  readonly jobs: number;
  readonly keepGoing: boolean;
  readonly signal: AbortSignal;
  /** Told the stored results that the run relies on without an event of its own. */
  readonly hold: (fingerprint: string) => void;
}

const logTailLines = 20;

/** Runs the steps of one run; used once. */
export class Executor {
  readonly #options: ExecuteOptions;
  readonly #outputs = new Map<string, Readonly<Record<string, Artifact>>>();
  readonly #ends = new Map<string, StepEnd>();
  readonly #missing = new Map<string, number>();
  readonly #dependents = new Map<string, GraphStep[]>();
  readonly #ready: GraphStep[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #slots: Slots;
  #queue: { add(task: () => Promise<void>): Promise<void> } | undefined;
  #hasFailed = false;

  constructor(options: ExecuteOptions) {
    this.#options = options;
    this.#slots = new Slots(options.inspect.graph.pools);
    const selected = new Set(options.steps.map((step) => step.id));
    for (const step of options.steps) {
      const needs = step.needs.filter((need) => selected.has(need));
      this.#missing.set(step.id, needs.length);
      for (const need of needs) this.#dependents.set(need, [...(this.#dependents.get(need) ?? []), step]);
      if (needs.length === 0) this.#ready.push(step);
    }
  }

  /** Runs everything and tells how each step ended. */
  async run(): Promise<ReadonlyMap<string, StepEnd>> {
    const { store } = this.#options.attempt;
    const selected = new Set(this.#options.steps.map((step) => step.id));
    // Steps outside the selection still give their stored outputs to those inside.
    for (const step of this.#options.inspect.graph.steps) {
      if (selected.has(step.id)) continue;
      const last = this.#options.inspect.last.get(step.id);
      const stored = last === undefined ? undefined : store.readAction(last);
      if (last === undefined || stored === undefined) continue;
      this.#options.hold(last);
      this.#outputs.set(step.id, stored.outputs);
    }
    for (;;) {
      // Hits are settled here, one after the other, without waiting for a slot.
      for (let at = 0; at < this.#ready.length; at++) {
        const step = this.#ready[at];
        if (step !== undefined) this.#consider(step);
      }
      this.#ready.length = 0;
      if (this.#running.size === 0) break;
      await Promise.race(this.#running);
    }
    return this.#ends;
  }

  /** Decides on a step whose needs are all settled. */
  #consider(step: GraphStep): void {
    const blocker = step.needs.find((need) =>
      ['failed', 'blocked', 'cancelled', 'disabled'].includes(this.#ends.get(need) ?? ''),
    );
    if (!step.isEnabled) this.#end(step, 'disabled', 'its condition is false');
    else if (blocker !== undefined) this.#endBlocked(step, blocker);
    else if (this.#options.signal.aborted) this.#end(step, 'cancelled', 'the run was cancelled');
    else if (this.#hasFailed && !this.#options.keepGoing)
      this.#end(step, 'blocked', 'an earlier step failed');
    else this.#inspect(step);
  }

  #endBlocked(step: GraphStep, blocker: string): void {
    const end = this.#ends.get(blocker);
    if (end === 'disabled') this.#end(step, 'disabled', `${blocker} is left out`);
    else if (end === 'cancelled') this.#end(step, 'cancelled', 'the run was cancelled');
    else this.#end(step, 'blocked', `${blocker} did not succeed`);
  }

  #inspect(step: GraphStep): void {
    const unknown = step.needs.find((need) => !this.#outputs.has(need));
    if (unknown !== undefined) {
      this.#fail(
        step,
        1,
        new AttemptFailure({
          code: 'INPUT_UNKNOWN',
          message: `${step.id} needs ${unknown}, which is not part of this run and has no stored result.`,
          help: 'Run without --only or --from once.',
        }),
      );
      return;
    }
    let inspection: Inspection;
    try {
      inspection = inspectStep(step, this.#outputs, this.#options.inspect);
    } catch (error) {
      const failure =
        error instanceof MissingFilesError
          ? new AttemptFailure({
              code: 'FILE_MISSING',
              message: error.message,
              help: 'Create the file, or change the path in the pipeline.',
            })
          : AttemptFailure.from(describeError(error));
      this.#fail(step, 1, failure);
      return;
    }
    if (inspection.stored !== undefined) this.#reuse(step, inspection, inspection.stored);
    else this.#start(step, inspection);
  }

  #reuse(step: GraphStep, inspection: Inspection, stored: ActionRecord): void {
    const { store, graph } = this.#options.attempt;
    for (const [port, path] of Object.entries(workspaceWrites(step, graph.projectDir))) {
      const artifact = stored.outputs[port];
      if (artifact !== undefined && !store.hasContent(path, artifact)) store.restore(artifact, path);
    }
    this.#outputs.set(step.id, stored.outputs);
    this.#end(step, 'reused', inspection.reason, { inspection, stored, durationMs: 0 });
  }

  #start(step: GraphStep, inspection: Inspection): void {
    const task = this.#runInQueue(step, inspection).catch((error: unknown) => {
      this.#fail(step, 1, AttemptFailure.from(describeError(error)));
    });
    const running = task.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #runInQueue(step: GraphStep, inspection: Inspection): Promise<void> {
    if (this.#queue === undefined) {
      const { default: Queue } = await import('p-queue');
      this.#queue ??= new Queue({ concurrency: this.#options.jobs });
    }
    const { events, signal, attempt } = this.#options;
    if (inspection.damage !== undefined) {
      events.write({ kind: 'warning', code: 'STORE_DAMAGED', message: inspection.damage.message });
      attempt.store.discard(inspection.damage.digest);
    }
    const onWait = (): void => {
      events.write({ kind: 'step-waiting', stepId: step.id, reason: 'another run is computing it' });
    };
    const reservation = await reserve(attempt.store.dir, inspection.fingerprint, { signal, onWait }).catch(
      () => undefined,
    );
    if (reservation === undefined) {
      this.#end(step, 'cancelled', 'the run was cancelled');
      return;
    }
    try {
      // The other run may have published it while this one waited.
      const again = inspectStep(step, this.#outputs, this.#options.inspect);
      if (again.stored === undefined) await this.#tryUntilDone(step, again);
      else this.#reuse(step, again, again.stored);
    } finally {
      reservation.release();
    }
  }

  async #tryUntilDone(step: GraphStep, inspection: Inspection): Promise<void> {
    const { retry } = step;
    for (let attempt = 1; ; attempt++) {
      let failure: AttemptFailure | undefined;
      // Only the attempt itself takes a slot: waiting for the next one does not.
      await this.#queue?.add(async () => {
        const release = await this.#slots.acquire(step.resources);
        try {
          failure = await this.#attempt(step, inspection, attempt);
        } finally {
          release();
        }
      });
      if (failure === undefined) return;
      const isListed =
        retry.on === undefined ||
        retry.on.includes(failure.code) ||
        (failure.exitCode !== undefined && retry.on.includes(failure.exitCode));
      if (attempt >= retry.attempts || !isListed || this.#options.signal.aborted) {
        this.#fail(step, attempt, failure, inspection);
        return;
      }
      const delayMs = Math.min(retry.maxDelayMs, retry.delayMs * retry.factor ** (attempt - 1));
      const retryInMs = delayMs * (1 - retry.jitter * Math.random());
      this.#options.events.write({
        kind: 'attempt-failed',
        stepId: step.id,
        attempt,
        failure: failure.summarize([]),
        retryInMs,
      });
      await sleep(retryInMs, undefined, { signal: this.#options.signal }).catch(() => undefined);
    }
  }

  /** One attempt; gives the failure, or undefined when the step has ended. */
  async #attempt(
    step: GraphStep,
    inspection: Inspection,
    attempt: number,
  ): Promise<AttemptFailure | undefined> {
    const { events, signal } = this.#options;
    if (signal.aborted) {
      this.#end(step, 'cancelled', 'the run was cancelled');
      return undefined;
    }
    events.write({
      kind: 'step-started',
      stepId: step.id,
      attempt,
      fingerprint: inspection.fingerprint,
      reason: inspection.reason,
    });
    const tail: string[] = [];
    const timeout = step.timeoutMs === undefined ? undefined : AbortSignal.timeout(step.timeoutMs);
    try {
      const result = await runAttempt(step, inspection, this.#outputs, {
        ...this.#options.attempt,
        signal: timeout === undefined ? signal : AbortSignal.any([signal, timeout]),
        listener: {
          onEvent: (event) => {
            events.write({ kind: 'step-event', stepId: step.id, attempt, event });
          },
          onOutput: (stream, text) => {
            tail.push(text);
            if (tail.length > logTailLines) tail.shift();
            events.write({ kind: 'step-output', stepId: step.id, stream, text });
          },
        },
      });
      this.#succeed(step, inspection, result);
      return undefined;
    } catch (error) {
      if (signal.aborted) {
        this.#end(step, 'cancelled', 'the run was cancelled');
        return undefined;
      }
      const failure = error instanceof AttemptFailure ? error : AttemptFailure.from(describeError(error));
      const isTimeout = timeout?.aborted === true;
      const told = isTimeout
        ? new AttemptFailure({
            code: 'TIMEOUT',
            message: `${step.id} did not end within ${(step.timeoutMs ?? 0) / 1000} s.`,
            help: 'Raise timeout, or give the step less to do.',
          })
        : failure;
      events.write({
        kind: 'step-event',
        stepId: step.id,
        attempt,
        event: { type: 'log', level: 'error', message: told.message },
      });
      Object.defineProperty(told, 'tail', { value: [...tail] });
      return told;
    }
  }

  #succeed(step: GraphStep, inspection: Inspection, result: AttemptResult): void {
    const { attempt, inspect } = this.#options;
    if (step.cache !== 'off' && step.cache !== 'ro')
      attempt.store.writeAction(inspection.fingerprint, result.action);
    inspect.last.set(step.id, inspection.fingerprint);
    this.#outputs.set(step.id, result.action.outputs);
    this.#end(step, 'succeeded', inspection.reason, {
      inspection,
      stored: result.action,
      durationMs: result.action.durationMs,
      cost: result,
    });
  }

  #fail(step: GraphStep, attempt: number, failure: AttemptFailure, inspection?: Inspection): void {
    this.#hasFailed = true;
    const tail = (failure as AttemptFailure & { readonly tail?: readonly string[] }).tail ?? []; // Set by #attempt.
    this.#options.events.write({
      kind: 'attempt-failed',
      stepId: step.id,
      attempt,
      failure: failure.summarize(tail),
    });
    this.#end(
      step,
      'failed',
      failure.message,
      inspection === undefined ? undefined : { inspection, durationMs: 0 },
    );
  }

  #end(
    step: GraphStep,
    end: StepEnd,
    reason: string,
    details?: {
      readonly inspection: Inspection;
      readonly stored?: ActionRecord;
      readonly durationMs: number;
      readonly cost?: AttemptResult;
    },
  ): void {
    if (this.#ends.has(step.id)) return;
    this.#ends.set(step.id, end);
    const outputs = Object.entries(details?.stored?.outputs ?? {}).map(([port, artifact]) => ({
      port,
      type: artifact.type,
      digest: artifact.digest,
      files: artifact.files.length,
      sizeBytes: artifact.files.reduce((sum, file) => sum + file.sizeBytes, 0),
    }));
    this.#options.events.write({
      kind: 'step-ended',
      stepId: step.id,
      end,
      reason,
      outputs,
      durationMs: details?.durationMs ?? 0,
      ...(details === undefined ? {} : { fingerprint: details.inspection.fingerprint }),
      ...(details?.cost?.cpuMs === undefined ? {} : { cpuMs: details.cost.cpuMs }),
      ...(details?.cost?.peakMemoryBytes === undefined
        ? {}
        : { peakMemoryBytes: details.cost.peakMemoryBytes }),
      ...(end === 'reused' && details?.stored !== undefined ? { kept: details.stored.kept } : {}),
    });
    for (const dependent of this.#dependents.get(step.id) ?? []) {
      const missing = (this.#missing.get(dependent.id) ?? 1) - 1;
      this.#missing.set(dependent.id, missing);
      if (missing === 0) this.#ready.push(dependent);
    }
  }
}
