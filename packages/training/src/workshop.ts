import type { Session, SessionOptions } from '@joyul/compute';
import { createSession } from '@joyul/compute';
import type { ModelFolder, NamedTensor } from '@joyul/models';
import type { ClassifierOptions, UpdateOptions } from './classifier-program.ts';
import { makeClassifierProgram } from './classifier-program.ts';
import type { TrunkStates } from './trunk/trunk-states.ts';

/** A program that is loaded, and the weights that it holds. */
export interface Tool {
  readonly session: Session;
  readonly weightNames: readonly string[];
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
    const known = this.#weights.get(model.dir) ?? model.readTensors();
    this.#weights.set(model.dir, known);
    return known;
  }

  /** The states under a key, opened once. */
  openStates(key: string, open: () => Promise<TrunkStates | undefined>): Promise<TrunkStates | undefined> {
    const known = this.#states.get(key) ?? open();
    this.#states.set(key, known);
    return known;
  }

  /** The session of a program, built once; `isTrained` is asked by its answers for the program's own weights. */
  async openTool(
    options: ClassifierOptions,
    update: UpdateOptions & { readonly blocks: readonly string[] },
    settings: SessionOptions,
  ): Promise<Tool> {
    // Functions are left out: the blocks say what isTrained does.
    const key = JSON.stringify([options, update, settings], (_, value: unknown) =>
      value instanceof Float32Array ? [...value] : value,
    );
    const known = this.#tools.get(key);
    if (known !== undefined) return known;
    const { program, weights } = makeClassifierProgram(options, update);
    const tool = { session: await createSession(program, settings), weightNames: [...weights.keys()] };
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
