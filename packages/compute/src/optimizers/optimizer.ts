import type { Tensor, Variable } from '../ir.ts';
import { sizeOf } from '../ir.ts';
import type { EntryBuilder, Program, Update } from '../program.ts';

/** A tensor that training keeps beside the weights: part of a checkpoint, and zero at first. */
export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A weight as an optimizer sees it before there is a program. */
export type WeightShape = Pick<Variable, 'name' | 'shape'>;

/** One weight to update. */
export interface UpdateTarget {
  readonly variable: Variable;
  readonly gradient: Tensor;
  /** Shape []. */
  readonly learningRate: Tensor;
  readonly weightDecay: number;
}

/** Scalars that an entry is given for its updates, each of shape [], by name. */
export type UpdateScalars = Readonly<Record<string, Tensor>>;

/** A rule for updating weights: what it keeps, what it is given, and what it changes. */
export interface Optimizer {
  /** What is kept for a weight. */
  slotsOf(weight: WeightShape): readonly Slot[];
  /** The scalars of the update with this number, from 1, by name; the learning rate is not one of them. */
  scalarsAt(iteration: number): Readonly<Record<string, number>>;
  /** The updates of an entry; slots become variables of the program when they are not yet. */
  makeUpdates(program: Program, targets: readonly UpdateTarget[], scalars: UpdateScalars): readonly Update[];
}

/** Declares the scalars of an optimizer as inputs of an entry, under the names of {@link Optimizer.scalarsAt}. */
export function declareScalars(builder: EntryBuilder, optimizer: Optimizer): UpdateScalars {
  const names = Object.keys(optimizer.scalarsAt(1));
  return Object.fromEntries(names.map((name) => [name, builder.input(name, 'float32', [])]));
}

/** Bytes that an optimizer keeps for weights. */
export function stateBytes(optimizer: Optimizer, weights: readonly WeightShape[]): number {
  const slots = weights.flatMap((weight) => optimizer.slotsOf(weight));
  return slots.reduce((sum, slot) => sum + 4 * sizeOf(slot.shape), 0);
}

/** The variable of a slot, which entries of one program share. */
export const declareSlot = (program: Program, { name, shape }: Slot): Variable =>
  program.findVariable(name) ?? program.variable(name, shape, { isTrainable: false });

/** A scalar that a caller was to give. */
export function scalarOf(scalars: UpdateScalars, name: string): Tensor {
  const found = scalars[name];
  if (found === undefined) throw new Error(`Internal error: the optimizer was not given ${name}.`);
  return found;
}
