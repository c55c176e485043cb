import type { StepEnd } from '../events/event.ts';
import type { RetryPolicy } from '../graph/graph.ts';
import { AttemptFailure } from './attempt-failure.ts';
import type { Amounts, Grant, Pools } from './slots.ts';
import { Slots } from './slots.ts';

/** What the machine knows of a step. */
export interface MachineStep {
  readonly id: string;
  /** Steps of this run that must end first. */
  readonly needs: readonly string[];
  /** A step that is not part of this run and whose result is not known. */
  readonly lacks?: string;
  readonly isEnabled: boolean;
  readonly retry: RetryPolicy;
  readonly resources: Amounts;
}

/** How a run is executed. */
export interface MachineOptions {
  readonly steps: readonly MachineStep[];
  readonly pools: Pools;
  /** Steps that may run at once. */
  readonly jobs: number;
  /** Go on with what does not need a failed step. */
  readonly keepGoing: boolean;
  /** For jitter. */
  readonly random: () => number;
}

/** What a look at the store says: `displaced` when the result is there, but its files in the project are not. */
export type Verdict = 'reused' | 'displaced' | 'stale' | AttemptFailure;

/**
 * How an attempt ended. `held`: another process computes it. `reused`: another process had just done so.
 * `checkpointed`: it was asked to stop, or left by itself to be gone on with.
 */
export type Outcome = 'succeeded' | 'checkpointed' | 'held' | 'reused' | AttemptFailure;

/** What happened. */
export type Message =
  | { readonly kind: 'begin' }
  | { readonly kind: 'inspected'; readonly stepId: string; readonly verdict: Verdict }
  /** The wait for other processes is over: `cancelled` when it was given up. */
  | { readonly kind: 'reserved'; readonly stepId: string; readonly verdict: Verdict | 'cancelled' }
  | { readonly kind: 'attempt-ended'; readonly stepId: string; readonly outcome: Outcome }
  | { readonly kind: 'retry-due'; readonly stepId: string }
  | { readonly kind: 'cancel' };

/** What is to be done about it. */
export type Effect =
  /** Look whether the result is in the store; answer with `inspected`. */
  | { readonly kind: 'inspect'; readonly stepId: string }
  /** Wait until no other process computes it, hold it, and look again; answer with `reserved`. */
  | { readonly kind: 'reserve'; readonly stepId: string }
  /** Hold it and run it; answer with `attempt-ended`. */
  | { readonly kind: 'attempt'; readonly stepId: string; readonly attempt: number; readonly grant: Grant }
  /** Tell of a failure after which it is tried again, and answer with `retry-due` after the delay. */
  | {
      readonly kind: 'retry';
      readonly stepId: string;
      readonly attempt: number;
      readonly failure: AttemptFailure;
      readonly delayMs: number;
    }
  /** Ask the running attempt to stop; it still answers. */
  | { readonly kind: 'stop'; readonly stepId: string }
  /** Tell how it ended; whatever it held is given back. */
  | {
      readonly kind: 'end';
      readonly stepId: string;
      readonly end: StepEnd;
      /** Empty where the look at the store gave the reason. */
      readonly reason: string;
      readonly attempt: number;
      readonly failure?: AttemptFailure;
    };

type Phase = 'waiting' | 'inspecting' | 'reserving' | 'queued' | 'running' | 'delayed' | 'ended';

interface State {
  readonly step: MachineStep;
  readonly dependents: State[];
  phase: Phase;
  /** Needs that have not ended. */
  missing: number;
  attempt: number;
  grant?: Grant;
  end?: StepEnd;
}

/** The pool that every running step takes one from. */
const jobsPool = '(jobs)';

const reasons = {
  cancelled: 'the run was cancelled',
  checkpointed: 'it stopped at a checkpoint; the next run goes on from there',
} as const;

const makeLackFailure = (stepId: string, need: string): AttemptFailure =>
  new AttemptFailure({
    code: 'INPUT_UNKNOWN',
    message: `${stepId} needs ${need}, which is not part of this run and has no stored result.`,
    help: 'Run without --only or --from once.',
  });

/** The wait after an attempt, without jitter. */
function makeDelay({ delayMs, factor, maxDelayMs }: RetryPolicy, attempt: number): number {
  // The power may be infinite, and infinitely many times 0 is no number.
  return delayMs === 0 ? 0 : Math.min(maxDelayMs, delayMs * factor ** (attempt - 1));
}

/**
 * Decides what happens in a run, and does nothing itself: messages in, effects out.
 *
 *     waiting → inspecting ──────────────→ queued → running → ended
 *                  ├ hit ───────────────────────────────────────↑
 *                  └ displaced → reserving ──hit────────────────┤
 *                                  ↑   └─ miss → queued         │
 *                                  └─ another run has it ─ running
 *                                          queued ← delayed ← failed
 *
 * It has no clock, disk or processes, so that a simulator can drive it through any order of events.
 */
export class Machine {
  readonly #options: MachineOptions;
  readonly #states = new Map<string, State>();
  readonly #slots: Slots<State>;
  /** Steps whose needs have all ended and that are still to be decided on. */
  readonly #settled: State[] = [];
  #isSettling = false;
  #effects: Effect[] = [];
  #open = 0;
  #isCancelled = false;
  #hasFailed = false;
  #isCheckpointed = false;

  constructor(options: MachineOptions) {
    this.#options = options;
    const { capacity, devices } = options.pools;
    this.#slots = new Slots({ capacity: { ...capacity, [jobsPool]: options.jobs }, devices });
    for (const step of options.steps)
      this.#states.set(step.id, {
        step,
        dependents: [],
        phase: 'waiting',
        missing: step.needs.length,
        attempt: 0,
      });
    for (const state of this.#states.values())
      for (const need of state.step.needs) this.#get(need).dependents.push(state);
    this.#open = this.#states.size;
  }

  /** True when every step has ended. */
  get isDone(): boolean {
    return this.#open === 0;
  }

  /** True when a step stopped at a checkpoint. */
  get isCheckpointed(): boolean {
    return this.#isCheckpointed;
  }

  #get(stepId: string): State {
    const state = this.#states.get(stepId);
    if (state === undefined) throw new Error(`Internal error: there is no step ${stepId} in this run.`);
    return state;
  }

  /** Takes a message in and gives what is to be done, in order. */
  on(message: Message): readonly Effect[] {
    this.#effects = [];
    if (message.kind === 'begin') this.#begin();
    else if (message.kind === 'cancel') this.#cancel();
    else {
      const state = this.#get(message.stepId);
      // What a cancelled step still answers changes nothing.
      if (state.phase !== 'ended') this.#onStep(state, message);
    }
    this.#admit();
    return this.#effects;
  }

  #onStep(state: State, message: Exclude<Message, { kind: 'begin' | 'cancel' }>): void {
    switch (message.kind) {
      case 'inspected':
        this.#onVerdict(state, message.verdict);
        return;
      case 'reserved':
        if (message.verdict === 'cancelled') this.#end(state, 'cancelled', reasons.cancelled);
        else this.#onVerdict(state, message.verdict);
        return;
      case 'attempt-ended':
        this.#onOutcome(state, message.outcome);
        return;
      case 'retry-due':
        if (state.phase === 'delayed') this.#enqueue(state);
    }
  }

  #begin(): void {
    for (const state of this.#states.values()) if (state.missing === 0) this.#consider(state);
  }

  /** Decides on a step whose needs have all ended. */
  #consider(state: State): void {
    const { step } = state;
    const blocker = step.needs.find((need) => !['succeeded', 'reused'].includes(this.#get(need).end ?? ''));
    if (!step.isEnabled) this.#end(state, 'disabled', 'its condition is false');
    else if (blocker !== undefined) this.#endBlocked(state, blocker);
    else if (this.#isCancelled) this.#end(state, 'cancelled', reasons.cancelled);
    else if (this.#hasFailed && !this.#options.keepGoing)
      this.#end(state, 'blocked', 'an earlier step failed');
    else if (step.lacks !== undefined) this.#fail(state, makeLackFailure(step.id, step.lacks));
    else {
      state.phase = 'inspecting';
      this.#effects.push({ kind: 'inspect', stepId: step.id });
    }
  }

  #endBlocked(state: State, blocker: string): void {
    const { end } = this.#get(blocker);
    if (end === 'disabled') this.#end(state, 'disabled', `${blocker} is left out`);
    else if (end === 'cancelled') this.#end(state, 'cancelled', `${blocker} was stopped`);
    else this.#end(state, 'blocked', `${blocker} did not succeed`);
  }

  #onVerdict(state: State, verdict: Verdict): void {
    if (verdict === 'reused') this.#end(state, 'reused', '');
    else if (verdict !== 'stale' && verdict !== 'displaced') this.#fail(state, verdict);
    else if (this.#isCancelled) this.#end(state, 'cancelled', reasons.cancelled);
    else if (verdict === 'displaced') this.#reserve(state);
    else this.#enqueue(state);
  }

  /** Waits without a slot. */
  #reserve(state: State): void {
    state.phase = 'reserving';
    this.#effects.push({ kind: 'reserve', stepId: state.step.id });
  }

  #enqueue(state: State): void {
    state.phase = 'queued';
    this.#slots.enqueue(state, { ...state.step.resources, [jobsPool]: 1 });
  }

  /** Starts what fits: only a running attempt holds slots. */
  #admit(): void {
    if (this.#isCancelled) return;
    for (let next = this.#slots.next(); next !== undefined; next = this.#slots.next()) {
      const { item: state, grant } = next;
      // One that is tried again is an earlier step itself.
      if (this.#hasFailed && !this.#options.keepGoing && state.attempt === 0) {
        this.#slots.release(grant);
        this.#end(state, 'blocked', 'an earlier step failed');
        continue;
      }
      state.phase = 'running';
      state.attempt++;
      state.grant = grant;
      const { attempt, step } = state;
      this.#effects.push({ kind: 'attempt', stepId: step.id, attempt, grant });
    }
  }

  #onOutcome(state: State, outcome: Outcome): void {
    if (state.grant !== undefined) this.#slots.release(state.grant);
    delete state.grant;
    if (outcome === 'succeeded' || outcome === 'reused') {
      this.#end(state, outcome, '');
      return;
    }
    if (outcome === 'held' && !this.#isCancelled) {
      // It was no attempt.
      state.attempt--;
      this.#reserve(state);
      return;
    }
    if (outcome === 'checkpointed') {
      // It cannot go on in this run; what is under way may end, nothing new begins.
      this.#hasFailed = true;
      this.#isCheckpointed = true;
      this.#end(state, 'cancelled', reasons.checkpointed);
      return;
    }
    if (this.#isCancelled || outcome === 'held') {
      this.#end(state, 'cancelled', reasons.cancelled);
      return;
    }
    const { retry, id } = state.step;
    // The same result would be judged again.
    const isListed =
      outcome.code !== 'GATE' &&
      (retry.on === undefined ||
        retry.on.includes(outcome.code) ||
        (outcome.exitCode !== undefined && retry.on.includes(outcome.exitCode)));
    if (state.attempt >= retry.attempts || !isListed) {
      this.#fail(state, outcome);
      return;
    }
    state.phase = 'delayed';
    const delayMs = makeDelay(retry, state.attempt) * (1 - retry.jitter * this.#options.random());
    this.#effects.push({ kind: 'retry', stepId: id, attempt: state.attempt, failure: outcome, delayMs });
  }

  #cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#slots.clear();
    for (const state of this.#states.values()) {
      if (state.phase === 'running') this.#effects.push({ kind: 'stop', stepId: state.step.id });
      else if (state.phase === 'waiting' || state.phase === 'queued' || state.phase === 'delayed')
        this.#end(state, 'cancelled', reasons.cancelled);
    }
  }

  #fail(state: State, failure: AttemptFailure): void {
    this.#hasFailed = true;
    this.#end(state, 'failed', failure.message, failure);
  }

  #end(state: State, end: StepEnd, reason: string, failure?: AttemptFailure): void {
    // A step that is left out ends even when what it needs ends afterwards.
    if (state.phase === 'ended') return;
    state.phase = 'ended';
    state.end = end;
    this.#open--;
    const { attempt, step } = state;
    this.#effects.push({
      kind: 'end',
      stepId: step.id,
      end,
      reason,
      attempt,
      ...(failure === undefined ? {} : { failure }),
    });
    // With a list of its own instead of calls, since a chain of any length may end at once. The loop below also
    // visits what is added to the list meanwhile.
    for (const dependent of state.dependents) {
      dependent.missing--;
      if (dependent.missing === 0 && dependent.phase === 'waiting') this.#settled.push(dependent);
    }
    if (this.#isSettling) return;
    this.#isSettling = true;
    for (const next of this.#settled) this.#consider(next);
    this.#settled.length = 0;
    this.#isSettling = false;
  }
}
