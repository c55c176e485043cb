import type { DType, Tensor, Variable } from './ir.ts';
import { makeTensor } from './ir.ts';

/** A change to a variable that a run makes after everything it reads has been computed. */
export type Update =
  | { readonly kind: 'assign'; readonly variable: Variable; readonly value: Tensor }
  /** Adds to the variable in place. */
  | { readonly kind: 'add'; readonly variable: Variable; readonly value: Tensor }
  | {
      readonly kind: 'adamw';
      readonly variable: Variable;
      readonly firstMoment: Variable;
      readonly secondMoment: Variable;
      readonly gradient: Tensor;
      /** Scalars. */
      readonly rates: AdamRates;
    };

/** The scalars of one AdamW update, shared by all tensors with the same learning rate. */
export interface AdamRates {
  /** The learning rate, for the decay. */
  readonly learningRate: Tensor;
  /** β₁ᵗ and β₂ᵗ. */
  readonly beta1Power: Tensor;
  readonly beta2Power: Tensor;
  readonly beta1: number;
  readonly beta2: number;
  /** ε·√(1−β₂ᵗ): TensorFlow adds ε before the bias correction, the paper after it. */
  readonly scaledEpsilon: Tensor;
  /** learningRate · weightDecay; absent for no decay. */
  readonly decay?: Tensor;
}

/** A function of a program: named inputs in, named outputs out, variables changed. */
export interface Entry {
  readonly name: string;
  readonly inputs: readonly { readonly name: string; readonly tensor: Tensor }[];
  readonly outputs: readonly { readonly name: string; readonly tensor: Tensor }[];
  readonly updates: readonly Update[];
}

/** Declares the inputs of an entry while it is being built. */
export interface EntryBuilder {
  /** A value that each run is given. */
  input(name: string, dtype: DType, shape: readonly number[]): Tensor;
}

/** Variables and the entries that share them. */
export class Program {
  readonly #variables = new Map<string, Variable>();
  readonly #entries = new Map<string, Entry>();

  /** A program of variables and entries that exist already. */
  static of(variables: readonly Variable[], entries: readonly Entry[]): Program {
    const program = new Program();
    for (const variable of variables) program.#variables.set(variable.name, variable);
    for (const entry of entries) program.#entries.set(entry.name, entry);
    return program;
  }

  /** Declares a variable; its value comes from `Session.write`. */
  variable(
    name: string,
    shape: readonly number[],
    options: { readonly dtype?: DType; readonly isTrainable?: boolean } = {},
  ): Variable {
    if (this.#variables.has(name)) throw new Error(`Internal error: the variable ${name} is declared twice.`);
    const tensor = makeTensor('Variable', [], shape, options.dtype ?? 'float32', { name });
    const variable: Variable = { ...tensor, name, isTrainable: options.isTrainable ?? true };
    this.#variables.set(name, variable);
    return variable;
  }

  /** The variable of this name, or undefined. */
  findVariable(name: string): Variable | undefined {
    return this.#variables.get(name);
  }

  get variables(): readonly Variable[] {
    return [...this.#variables.values()];
  }

  get entries(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** Adds an entry; `build` runs at once. */
  entry(
    name: string,
    build: (builder: EntryBuilder) => {
      readonly outputs: Readonly<Record<string, Tensor>>;
      readonly updates?: readonly Update[];
    },
  ): void {
    if (this.#entries.has(name)) throw new Error(`Internal error: the entry ${name} is declared twice.`);
    const inputs: { name: string; tensor: Tensor }[] = [];
    const built = build({
      input: (inputName, dtype, shape) => {
        const tensor = makeTensor('Input', [], shape, dtype, { name: inputName });
        inputs.push({ name: inputName, tensor });
        return tensor;
      },
    });
    const outputs = Object.entries(built.outputs).map(([outputName, tensor]) => ({
      name: outputName,
      tensor,
    }));
    this.#entries.set(name, { name, inputs, outputs, updates: built.updates ?? [] });
  }
}

/** All tensors that an update reads. */
export function tensorsOf(update: Update): readonly Tensor[] {
  if (update.kind !== 'adamw') return [update.value];
  const { learningRate, beta1Power, beta2Power, scaledEpsilon, decay } = update.rates;
  return [
    update.gradient,
    learningRate,
    beta1Power,
    beta2Power,
    scaledEpsilon,
    ...(decay === undefined ? [] : [decay]),
  ];
}

/** The same update of other tensors; its variables stay. */
export function mapUpdate(update: Update, map: (tensor: Tensor) => Tensor): Update {
  if (update.kind !== 'adamw') return { ...update, value: map(update.value) };
  const { learningRate, beta1Power, beta2Power, scaledEpsilon, decay } = update.rates;
  return {
    ...update,
    gradient: map(update.gradient),
    rates: {
      ...update.rates,
      learningRate: map(learningRate),
      beta1Power: map(beta1Power),
      beta2Power: map(beta2Power),
      scaledEpsilon: map(scaledEpsilon),
      ...(decay === undefined ? {} : { decay: map(decay) }),
    },
  };
}
