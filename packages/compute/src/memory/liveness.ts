import type { Step, StepList, Use } from './steps.ts';

/** A piece of memory that one tensor or more are in. */
interface Block {
  readonly bytes: number;
  readonly use: Use;
  /** Tensors in it that are still needed. */
  users: number;
}

/** Bytes by what they are used for, at one moment. */
export type Bytes = Readonly<Record<Use, number>>;

/** Runs through the steps and follows which memory is needed. */
class Simulation {
  readonly #blocks = new Map<string, Block>();
  readonly #readers = new Map<string, number>();
  readonly #now: Record<Use, number> = {
    weights: 0,
    optimizer: 0,
    gradients: 0,
    activations: 0,
    temporaries: 0,
  };
  #total = 0;
  #peakTotal = 0;
  peak: Bytes = { ...this.#now };

  constructor({ steps, kept }: StepList) {
    for (const step of steps)
      for (const name of step.inputs) this.#readers.set(name, (this.#readers.get(name) ?? 0) + 1);
    for (const name of kept) this.#readers.set(name, Number.POSITIVE_INFINITY);
  }

  run(step: Step): void {
    for (const output of step.outputs) {
      const shared =
        output.sharesWith ?? (output.isInPlace === true ? this.#findTakeOver(step, output.bytes) : undefined);
      const block = shared === undefined ? undefined : this.#blocks.get(shared);
      if (block === undefined) this.#take(output.name, output.bytes, output.use);
      else {
        block.users++;
        this.#blocks.set(output.name, block);
      }
    }
    if (this.#total > this.#peakTotal) {
      this.#peakTotal = this.#total;
      this.peak = { ...this.#now };
    }
    for (const name of step.inputs) this.#release(name);
    for (const { name } of step.outputs) if (!this.#readers.has(name)) this.#drop(name);
  }

  /** An input of the same size that is read for the last time here. */
  #findTakeOver(step: Step, bytes: number): string | undefined {
    return step.inputs.find((name) => {
      const block = this.#blocks.get(name);
      return block?.bytes === bytes && block.users === 1 && this.#readers.get(name) === 1;
    });
  }

  #take(name: string, bytes: number, use: Use): void {
    this.#blocks.set(name, { bytes, use, users: 1 });
    this.#now[use] += bytes;
    this.#total += bytes;
  }

  #release(name: string): void {
    const left = (this.#readers.get(name) ?? 1) - 1;
    this.#readers.set(name, left);
    if (left === 0) this.#drop(name);
  }

  #drop(name: string): void {
    const block = this.#blocks.get(name);
    if (block === undefined) return;
    this.#blocks.delete(name);
    if (--block.users > 0) return;
    this.#now[block.use] -= block.bytes;
    this.#total -= block.bytes;
  }
}

/**
 * The most memory that tensors take during a run, beside variables and constants.
 *
 * Steps run as TensorFlow's executor starts them: each as soon as its inputs are there, the one that has
 * waited longest first.
 */
export function findPeak(list: StepList): Bytes {
  const maker = new Map<string, Step>();
  for (const step of list.steps) for (const { name } of step.outputs) maker.set(name, step);
  const waitsFor = new Map<Step, number>();
  const next = new Map<Step, Step[]>();
  for (const step of list.steps) {
    const before = new Set(step.inputs.flatMap((name) => maker.get(name) ?? []));
    waitsFor.set(step, before.size);
    for (const earlier of before) next.set(earlier, [...(next.get(earlier) ?? []), step]);
  }
  const simulation = new Simulation(list);
  const queue = list.steps.filter((step) => waitsFor.get(step) === 0);
  for (const step of queue) {
    simulation.run(step);
    for (const later of next.get(step) ?? []) {
      const left = (waitsFor.get(later) ?? 1) - 1;
      waitsFor.set(later, left);
      if (left === 0) queue.push(later);
    }
  }
  if (queue.length !== list.steps.length) throw new Error('Internal error: steps wait for one another.');
  return simulation.peak;
}
