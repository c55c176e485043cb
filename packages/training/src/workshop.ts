import type { Program, Session, SessionOptions, Variable } from '@joyul/compute';
import { createSession } from '@joyul/compute';
import type { ModelFolder, NamedTensor } from '@joyul/models';
import type { TrunkStates } from './trunk/trunk-states.ts';

/** How a program is made; `key` stands for all that decides it, and functions in it for nothing. */
export interface ToolPlan {
  readonly key: readonly unknown[];
  readonly make: () => { readonly program: Program; readonly weights: ReadonlyMap<string, Variable> };
}

/** A program that is loaded, and the weights that it holds. */
export interface Tool {
  readonly session: Session;
  readonly weights: readonly Variable[];
}

/**
 * What trainings of one model share: its weights, the states of its frozen layers and the graphs that train it.
 *
 * A graph is loaded and warmed up once; a trial with other learning rates, schedules or epochs begins by one write of
 * all variables. Give one to each training of a search, and dispose it at the end.
 */
export class Workshop {
  readonly #weights = new Map<string, Promise<ReadonlyMap<string, NamedTensor>>>();
  readonly #tools = new Map<string, Tool>();
  readonly #states = new Map<string, Promise<TrunkStates | undefined>>();

  /** A model's weights, read once. */
  readWeights(model: ModelFolder): Promise<ReadonlyMap<string, NamedTensor>> {
    const known = this.#weights.get(model.path) ?? model.readTensors();
    this.#weights.set(model.path, known);
    return known;
  }

  /** The states under a key, opened once. */
  openStates(key: string, open: () => Promise<TrunkStates | undefined>): Promise<TrunkStates | undefined> {
    const known = this.#states.get(key) ?? open();
    this.#states.set(key, known);
    return known;
  }

  /** The session of a program, built once. */
  async openTool({ key: own, make }: ToolPlan, settings: SessionOptions): Promise<Tool> {
    const key = JSON.stringify([own, settings], (_, value: unknown) =>
      value instanceof Float32Array ? [...value] : value,
    );
    const known = this.#tools.get(key);
    if (known !== undefined) return known;
    const { program, weights } = make();
    const tool = { session: await createSession(program, settings), weights: [...weights.values()] };
    this.#tools.set(key, tool);
    return tool;
  }

  /** Frees all sessions and closes all files. */
  async dispose(): Promise<void> {
    for (const { session } of this.#tools.values()) session.dispose();
    this.#tools.clear();
    for (const states of this.#states.values()) await (await states.catch(() => undefined))?.close();
    this.#states.clear();
  }
}

/** Works in a workshop: one that is given, or one of its own that is gone again afterwards. */
export async function withWorkshop<T>(
  given: Workshop | undefined,
  work: (workshop: Workshop) => Promise<T>,
): Promise<T> {
  const workshop = given ?? new Workshop();
  try {
    return await work(workshop);
  } finally {
    if (given === undefined) await workshop.dispose();
  }
}
