import type { EventBody, StepEnd } from '../events/event.ts';
import type { GraphStep } from '../graph/graph.ts';
import type { Inspection } from '../plan/inspect-step.ts';
import { inspectStep, workspaceWrites } from '../plan/inspect-step.ts';
import type { Artifact } from '../store/artifact.ts';
import type { Reservation, Reservations } from '../store/reservation.ts';
import type { ActionRecord } from '../store/store.ts';
import { digestOf } from '../util/hash.ts';
import { AttemptFailure, toFailure } from './attempt-failure.ts';
import { describeEnd } from './describe-end.ts';
import { judgeResult } from './judge-result.ts';
import type { Judge } from './judge-result.ts';
import { Machine } from './machine.ts';
import type { Effect, MachineStep, Message, Outcome, Verdict } from './machine.ts';
import type { PerformParts } from './perform-attempt.ts';
import { produceResult } from './produce-result.ts';
import type { AttemptContext, AttemptResult } from './run-attempt.ts';
import { inspectionOf } from './work.ts';
import type { Work } from './work.ts';

/** What an executor needs. */
export interface ExecuteOptions {
  readonly attempt: AttemptContext;
  readonly reservations: Reservations;
  /** Tells what happens. */
  readonly tell: (event: EventBody) => void;
  readonly steps: readonly GraphStep[];
  /** Steps that may run at once. */
  readonly jobs: number;
  readonly keepGoing: boolean;
  readonly signal: AbortSignal;
  /** Judges what a step measured; absent when no step has a gate. */
  readonly judge?: Judge;
  /** Told the stored results that the run relies on without an event of its own. */
  readonly hold: (fingerprint: string) => void;
}

/** How the steps of a run ended. */
export interface ExecuteResult {
  readonly ends: ReadonlyMap<string, StepEnd>;
  /** True when a step stopped at a checkpoint. */
  readonly isCheckpointed: boolean;
  /** Steps that gave other content when they ran once more. */
  readonly differing: number;
}

/** Does what the machine says: looks, waits, runs, tells. Used once. */
export class Executor {
  readonly #options: ExecuteOptions;
  readonly #machine: Machine;
  readonly #work: ReadonlyMap<string, Work>;
  readonly #outputs = new Map<string, Readonly<Record<string, Artifact>>>();
  readonly #ends = new Map<string, StepEnd>();
  readonly #messages: Message[] = [];
  readonly #finished = Promise.withResolvers<void>();
  #differing = 0;
  /** What is under way. */
  readonly #answers = new Set<Promise<void>>();
  /** Ends all waiting. */
  readonly #stop = new AbortController();
  #isBusy = false;
  #isBroken = false;

  constructor(options: ExecuteOptions) {
    this.#options = options;
    this.#work = new Map(options.steps.map((step) => [step.id, { step, tail: [] }]));
    this.#takeStoredOutputs();
    const { graph, platform } = options.attempt;
    this.#machine = new Machine({
      steps: options.steps.map((step) => this.#describe(step)),
      pools: { capacity: graph.pools, devices: graph.devices ?? {} },
      jobs: options.jobs,
      keepGoing: options.keepGoing,
      random: platform.random,
    });
  }

  /** Steps outside the selection still give their stored outputs, if they are whole, to those inside. */
  #takeStoredOutputs(): void {
    const { inspect, store } = this.#options.attempt;
    const needed = new Set(this.#options.steps.flatMap(({ needs }) => needs));
    for (const id of needed) {
      if (this.#work.has(id)) continue;
      const last = inspect.last.get(id);
      const stored = last === undefined ? undefined : store.readAction(last);
      if (last === undefined || stored === undefined) continue;
      this.#options.hold(last);
      if (Object.values(stored.outputs).some((output) => store.findDamage(output) !== undefined)) continue;
      this.#outputs.set(id, stored.outputs);
    }
  }

  #describe({ id, needs, isEnabled, retry, resources }: GraphStep): MachineStep {
    const lacks = needs.find((need) => !this.#work.has(need) && !this.#outputs.has(need));
    const own = needs.filter((need) => this.#work.has(need));
    return { id, needs: own, isEnabled, retry, resources, ...(lacks === undefined ? {} : { lacks }) };
  }

  /** Runs everything and tells how each step ended. */
  async run(): Promise<ExecuteResult> {
    const { signal } = this.#options;
    const cancel = (): void => {
      this.#stop.abort();
      this.#post({ kind: 'cancel' });
    };
    signal.addEventListener('abort', cancel);
    try {
      this.#post({ kind: 'begin' });
      if (signal.aborted) cancel();
      await this.#finished.promise;
      const { isCheckpointed } = this.#machine;
      return { ends: this.#ends, isCheckpointed, differing: this.#differing };
    } finally {
      signal.removeEventListener('abort', cancel);
      await this.#stopAll();
    }
  }

  /** After an error of the engine's own nothing may be left running or reserved; else there is nothing to do. */
  async #stopAll(): Promise<void> {
    this.#stop.abort();
    for (const { running } of this.#work.values()) running?.abort();
    // A step that still writes must not be overtaken by one of another run.
    await Promise.allSettled(this.#answers);
    for (const { reservation } of this.#work.values()) reservation?.release();
  }

  /** Takes messages to the machine, one after the other, and does what it says. */
  #post(message: Message): void {
    if (this.#isBroken) return;
    this.#messages.push(message);
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      // The loop also visits what is added meanwhile.
      for (const next of this.#messages) for (const effect of this.#machine.on(next)) this.#perform(effect);
      this.#messages.length = 0;
      if (this.#machine.isDone) this.#finished.resolve();
    } catch (error) {
      this.#break(error);
    } finally {
      this.#isBusy = false;
    }
  }

  /** The engine itself cannot go on, such as when events can no longer be written. */
  #break(error: unknown): void {
    this.#isBroken = true;
    this.#finished.reject(error);
  }

  #get(stepId: string): Work {
    const work = this.#work.get(stepId);
    if (work === undefined) throw new Error(`Internal error: there is no step ${stepId} in this run.`);
    return work;
  }

  #perform(effect: Effect): void {
    const { stepId } = effect;
    const work = this.#get(stepId);
    switch (effect.kind) {
      case 'inspect':
        this.#post({ kind: 'inspected', stepId, verdict: this.#inspect(work) });
        return;
      case 'reserve':
        this.#reserve(work);
        return;
      case 'attempt':
        this.#attempt(work, effect);
        return;
      case 'retry':
        this.#answer(this.#delay(work, effect));
        return;
      case 'stop':
        work.running?.abort();
        return;
      case 'end':
        this.#end(work, effect);
    }
  }

  /** Posts the message that an effect ends with; what it throws is the engine's own failure. */
  #answer(message: Promise<Message>): void {
    const answer = async (): Promise<void> => {
      try {
        this.#post(await message);
      } catch (error) {
        this.#break(error);
      } finally {
        this.#answers.delete(answered);
      }
    };
    const answered = answer();
    this.#answers.add(answered);
  }

  /** Looks whether a step's result is in the store, and its files in the project as they should be. */
  #inspect(work: Work, options: { readonly mayRestore?: boolean } = {}): Verdict {
    try {
      const inspection = inspectStep(work.step, this.#outputs, this.#options.attempt.inspect);
      work.inspection = inspection;
      const { stored, expected, fingerprint } = inspection;
      // What it is compared with must not be taken away before it has ended.
      if (expected !== undefined) this.#options.hold(fingerprint);
      return stored === undefined ? 'stale' : this.#settle(work, stored, options);
    } catch (error) {
      return toFailure(error);
    }
  }

  /** Sees that the files of a stored result are in their places. */
  #settle(work: Work, stored: ActionRecord, options: { readonly mayRestore?: boolean }): Verdict {
    const { store, graph } = this.#options.attempt;
    for (const [port, path] of Object.entries(workspaceWrites(work.step, graph.projectDir))) {
      const artifact = stored.outputs[port];
      if (artifact === undefined || store.hasContent(path, artifact)) continue;
      if (options.mayRestore !== true) return 'displaced';
      store.restore(artifact, path);
    }
    work.stored = stored;
    return this.#judge(work.step, stored) ?? 'reused';
  }

  /** What nobody else may compute or write at the same time. */
  #keysOf({ step, inspection }: Work): readonly string[] {
    const paths = Object.values(step.workspace.writes ?? {}).map(
      (path) => `path-${digestOf(path).slice(0, 24)}`,
    );
    return [inspection?.fingerprint ?? '', ...new Set(paths)].sort();
  }

  /** Holds a step before anybody else does, and looks again: another run may have just computed it. */
  #hold(work: Work): Outcome | 'mine' {
    if (work.reservation !== undefined) return 'mine';
    const reservation = this.#options.reservations.try(this.#keysOf(work));
    if (reservation === undefined) return 'held';
    work.reservation = reservation;
    const verdict = this.#inspect(work, { mayRestore: true });
    if (verdict !== 'stale') return verdict === 'displaced' ? 'mine' : verdict;
    const { damage } = inspectionOf(work);
    if (damage === undefined) return 'mine';
    const { tell, attempt } = this.#options;
    tell({ kind: 'warning', code: 'STORE_DAMAGED', message: damage.message });
    attempt.store.discard(damage.digest);
    return 'mine';
  }

  /** Waits for other processes, then looks again: one of them may have computed what this one needs. */
  #reserve(work: Work): void {
    const { reservations, tell } = this.#options;
    const stepId = work.step.id;
    const keys = this.#keysOf(work);
    const answer = (verdict: Verdict | 'cancelled'): Message => ({ kind: 'reserved', stepId, verdict });
    try {
      const reservation = reservations.try(keys);
      if (reservation !== undefined) {
        this.#post(answer(this.#takeAtOnce(work, reservation)));
        return;
      }
      tell({ kind: 'step-waiting', stepId, reason: 'another step or run is computing it' });
    } catch (error) {
      this.#post(answer(toFailure(error)));
      return;
    }
    const wait = async (): Promise<Message> => {
      try {
        const reservation = await reservations.wait(keys, this.#stop.signal);
        if (reservation === undefined) return answer('cancelled');
        work.reservation = reservation;
        return answer(this.#inspect(work, { mayRestore: true }));
      } catch (error) {
        return answer(toFailure(error));
      }
    };
    this.#answer(wait());
  }

  /** What was just looked at is put back without a second look, so that thousands of files take no longer than their disk. */
  #takeAtOnce(work: Work, reservation: Reservation): Verdict {
    work.reservation = reservation;
    const { stored } = inspectionOf(work);
    if (stored === undefined) return this.#inspect(work, { mayRestore: true });
    const verdict = this.#settle(work, stored, { mayRestore: true });
    this.#release(work);
    return verdict;
  }

  async #delay({ step, tail }: Work, effect: Extract<Effect, { kind: 'retry' }>): Promise<Message> {
    const { attempt, tell } = this.#options;
    const { attempt: number, failure, delayMs } = effect;
    tell({
      kind: 'attempt-failed',
      stepId: step.id,
      attempt: number,
      failure: failure.summarize(tail),
      retryInMs: delayMs,
    });
    await attempt.platform.clock.sleep(delayMs, this.#stop.signal);
    return { kind: 'retry-due', stepId: step.id };
  }

  /** One attempt, when nobody else is at it. */
  #attempt(work: Work, effect: Extract<Effect, { kind: 'attempt' }>): void {
    const { stepId } = effect;
    let held: Outcome | 'mine';
    try {
      held = this.#hold(work);
    } catch (error) {
      held = toFailure(error);
    }
    if (held === 'mine') this.#answer(this.#runAttempt(work, effect));
    else this.#post({ kind: 'attempt-ended', stepId, outcome: held });
  }

  /** Runs the step and publishes its result. */
  async #runAttempt(work: Work, { attempt, grant }: Extract<Effect, { kind: 'attempt' }>): Promise<Message> {
    const { step, tail } = work;
    const inspection = inspectionOf(work);
    const running = new AbortController();
    work.running = running;
    tail.length = 0;
    const { tell } = this.#options;
    const parts = { step, inspection, outputs: this.#outputs, grant, attempt, running, tail, tell };
    try {
      return { kind: 'attempt-ended', stepId: step.id, outcome: await this.#produce(work, parts) };
    } finally {
      delete work.running;
    }
  }

  async #produce(work: Work, parts: PerformParts): Promise<Outcome> {
    const { step, inspection } = parts;
    const publish = (result: AttemptResult): void => {
      this.#publish(work, inspection, result);
    };
    try {
      const produced = await produceResult(parts, this.#options.attempt, publish);
      if (produced === 'checkpointed' || produced instanceof AttemptFailure) return produced;
      const { stored, again, isSame } = produced;
      if (isSame === false) this.#differing++;
      if (isSame !== undefined) work.verdict = isSame ? 'same' : 'different';
      const end = work.cost === undefined ? 'reused' : 'succeeded';
      work.stored = stored;
      if (again !== undefined) work.cost ??= again;
      return this.#judge(step, stored) ?? end;
    } catch (error) {
      return toFailure(error);
    }
  }

  #judge(step: GraphStep, action: ActionRecord): AttemptFailure | undefined {
    const { judge, attempt } = this.#options;
    return judge === undefined ? undefined : judgeResult(step, action, { store: attempt.store, judge });
  }

  #publish(work: Work, inspection: Inspection, result: AttemptResult): void {
    const { store, inspect } = this.#options.attempt;
    const { step } = work;
    const { fingerprint } = inspection;
    if (step.cache !== 'off' && step.cache !== 'ro') store.writeAction(fingerprint, result.action);
    inspect.last.set(step.id, fingerprint);
    // Only now: a checkpoint is needed for as long as the result is not safe.
    store.removeScratch(fingerprint);
    work.stored = result.action;
    work.cost = result;
    // Should comparing it be tried again, it is there.
    if (inspect.isVerified(step)) work.inspection = { ...inspection, expected: result.action };
  }

  #release(work: Work): void {
    work.reservation?.release();
    delete work.reservation;
  }

  #end(work: Work, { end, reason, attempt, failure }: Extract<Effect, { kind: 'end' }>): void {
    const { tell } = this.#options;
    const { step, stored, tail } = work;
    this.#release(work);
    this.#ends.set(step.id, end);
    if (stored !== undefined && (end === 'reused' || end === 'succeeded'))
      this.#outputs.set(step.id, stored.outputs);
    if (failure !== undefined)
      tell({
        kind: 'attempt-failed',
        stepId: step.id,
        attempt: Math.max(1, attempt),
        failure: failure.summarize(tail),
      });
    tell(describeEnd(work, { end, reason }));
    // A run of thousands of steps must not hold the records of all of them.
    delete work.inspection;
    delete work.stored;
    delete work.cost;
  }
}
