import type { Effect, MachineOptions, MachineStep, Message } from '../../src/execute/machine.ts';
import { Machine } from '../../src/execute/machine.ts';

/** A step that needs nothing, takes nothing but a job, and is tried once. */
export function makeStep(id: string, change: Partial<MachineStep> = {}): MachineStep {
  const retry = { attempts: 1, delayMs: 0, factor: 2, maxDelayMs: 60_000, jitter: 0 };
  return { id, needs: [], isEnabled: true, retry, resources: {}, ...change };
}

type EffectOf<Kind extends Effect['kind']> = Extract<Effect, { readonly kind: Kind }>;

/** A machine, and all that it has said so far. */
export class Driver {
  readonly machine: Machine;
  readonly effects: Effect[] = [];

  constructor(steps: readonly MachineStep[], options: Partial<MachineOptions> = {}) {
    const pools = { capacity: {}, devices: {} };
    this.machine = new Machine({
      steps,
      pools,
      jobs: 2,
      keepGoing: false,
      random: () => 0.5,
      ...options,
    });
  }

  send(message: Message): readonly Effect[] {
    const effects = this.machine.on(message);
    this.effects.push(...effects);
    return effects;
  }

  /** Begins, and says of every step that is looked at that it has to run. */
  beginStale(): void {
    this.answerInspections(this.send({ kind: 'begin' }));
  }

  /** Says of all that is to be looked at, now and because of that, that it has to run. */
  answerInspections(effects: readonly Effect[]): void {
    for (const effect of effects)
      if (effect.kind === 'inspect')
        this.answerInspections(this.send({ kind: 'inspected', stepId: effect.stepId, verdict: 'stale' }));
  }

  /** Ends an attempt; what may then be looked at has to run. */
  finish(
    stepId: string,
    outcome: Extract<Message, { kind: 'attempt-ended' }>['outcome'] = 'succeeded',
  ): void {
    this.answerInspections(this.send({ kind: 'attempt-ended', stepId, outcome }));
  }

  #of<Kind extends Effect['kind']>(kind: Kind): readonly EffectOf<Kind>[] {
    return this.effects.filter((effect): effect is EffectOf<Kind> => effect.kind === kind);
  }

  /** Ids of steps that were started, in order, each attempt once. */
  get started(): readonly string[] {
    return this.#of('attempt').map(({ stepId }) => stepId);
  }

  /** How steps ended, in order. */
  get ends(): readonly string[] {
    return this.#of('end').map(({ stepId, end }) => `${stepId} ${end}`);
  }

  get reasons(): readonly string[] {
    return this.#of('end').map(({ stepId, reason }) => `${stepId}: ${reason}`);
  }

  get retries(): readonly EffectOf<'retry'>[] {
    return this.#of('retry');
  }

  get stopped(): readonly string[] {
    return this.#of('stop').map(({ stepId }) => stepId);
  }

  /** Names of the devices of a step's last attempt. */
  devicesOf(stepId: string, pool: string): readonly string[] {
    const attempt = this.#of('attempt').findLast((effect) => effect.stepId === stepId);
    return attempt?.grant.devices[pool] ?? [];
  }
}
