import type { Continues, Prefix, PrefixRequest } from './prefix.ts';
import type { StepEvent } from './step-event.ts';

/**
 * What an artifact holds, in kebab-case, such as `dataset`, `base-model`, `weights`.
 *
 * Two ports can be wired when their types are equal; an input of type `files` takes any artifact.
 */
export type ArtifactType = string;

/** A named slot that a step reads from or writes to. Every artifact is a folder of files. */
export interface Port {
  readonly type: ArtifactType;
  /** An input that may be left out. */
  readonly optional?: true;
  /** An input that takes a list of artifacts. */
  readonly many?: true;
  /** One sentence for the reference page. */
  readonly summary?: string;
}

/** Ports by name. */
export type Ports = Readonly<Record<string, Port>>;

/** A JSON Schema that also carries its static type, as TypeBox's schemas do. */
export interface Schema<T> {
  readonly static: T;
}

/** The static type of a schema. */
export type Infer<S> = S extends { readonly static: infer T } ? T : never;

/** What a step finds at one input: a folder, a list of folders, or nothing. */
export type InputOf<P extends Port> = P extends { readonly many: true }
  ? readonly string[]
  : P extends { readonly optional: true }
    ? string | undefined
    : string;

/** Where tensor programs run. */
export type Backend = 'tensorflow' | 'wasm' | 'cpu';

/** A problem that `check` finds in params that fit the schema. */
export interface Issue {
  /** The keys that lead to the value inside `with:`. */
  readonly path: readonly string[];
  /** Permanent and in capitals. */
  readonly code: string;
  /** What is wrong and what was found. */
  readonly message: string;
  /** What to type instead. */
  readonly help?: string;
}

/** What a step touches in the project folder beside its ports. All paths are relative to it. */
export interface WorkspaceUse {
  /** Files, folders or globs that `run` reads; their contents are part of the fingerprint. */
  readonly reads?: readonly string[];
  /**
   * By output port: the file or folder in the project that `run` writes instead of the port's folder.
   * The engine captures it, and restores it when the step is reused.
   */
  readonly writes?: Readonly<Record<string, string>>;
}

/** One kind of step. A plugin package default-exports exactly one. */
export interface StepPlugin<Params = unknown, In extends Ports = Ports, Out extends Ports = Ports> {
  /** What `uses:` names. Kebab-case and permanent. */
  readonly name: string;
  /** Raise it when the same params and inputs would now give different outputs. */
  readonly revision: number;
  /** One sentence. */
  readonly summary: string;
  /** A JSON Schema of an object; defaults in it are filled in before anything else sees the params. */
  readonly params: Schema<Params>;
  readonly inputs: In;
  readonly outputs: Out;
  /** Outputs that depend on the params; they are added to `outputs`. Pure. */
  outputsFor?(params: Params): Ports;
  /** `worker` (the default) runs in a warm process of its own; `engine` is for steps that take milliseconds. */
  readonly runsIn?: 'worker' | 'engine';
  /** True when outputs depend on the numeric backend, which then enters the fingerprint. */
  readonly usesTensors?: boolean;
  /** False when equal inputs may give other outputs; the step then always runs. The default is true. */
  readonly cacheable?: boolean;
  /** Says that a run which is asked for more can go on from one that was asked for less; absent means that it cannot. */
  readonly continues?: Continues;
  /** Files in the project that the step reads or writes beside its ports. Pure. */
  workspace?(params: Params): WorkspaceUse;
  /** Problems that span several params. Pure: no files, no tensors. */
  check?(params: Params): readonly Issue[];
  /** Does the work. Reads only inputs and declared files, writes only outputs and scratch. */
  run(context: StepContext<Params, In, Out>): Promise<void>;
}

/** All that a running step is given. */
export interface StepContext<Params = unknown, In extends Ports = Ports, Out extends Ports = Ports> {
  /** The step's id in the pipeline. */
  readonly stepId: string;
  readonly params: Params;
  /** Absolute folders, read-only. */
  readonly inputs: { readonly [K in keyof In]: InputOf<In[K]> };
  /** An empty absolute folder for each output; published together, and only if `run` resolves. */
  readonly outputs: { readonly [K in keyof Out]: string };
  /** Kept between attempts with the same fingerprint: the place for checkpoints. */
  readonly scratch: string;
  /** The project folder; read there only what `workspace` declares. */
  readonly projectDir: string;
  /** Shared by all projects of one user: downloads that are named by their digest. */
  readonly downloadDir: string;
  /**
   * A folder that all steps and runs of the project share, for what only saves time: files that are named by a digest
   * of everything that decides their content, written under another name (ending in `.partial`) and renamed, and checked
   * when they are read. Any of them may be gone at any time, and so may the folder; a file that is used has its times set
   * to now.
   */
  readonly sharedDir: string;
  /** A 32-bit whole number, derived from the run's seed and the step's id. */
  readonly seed: number;
  /** The numeric backend the run asks for; absent means the fastest that works here. */
  readonly backend?: Backend;
  /** Declared environment variables and nothing else. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Aborted when the run is cancelled: write a checkpoint to `scratch`, then reject with a StepFailure of the code
   * `CHECKPOINTED`, or with any other error where nothing was kept.
   */
  readonly signal: AbortSignal;
  /**
   * Asks for the state of a shorter run to go on from, and for a place to leave one. At most once, and only by plugins
   * that declare `continues`; the engine tells what was gone on from.
   */
  takePrefix(request: PrefixRequest): Promise<Prefix>;
  /** Tells what happens; never throws. */
  emit(event: StepEvent): void;
}

/** Declares a plugin and infers the types of its params and ports. */
export function defineStep<S extends Schema<unknown>, const In extends Ports, const Out extends Ports>(
  plugin: Omit<StepPlugin<Infer<S>, In, Out>, 'params'> & { readonly params: S },
): StepPlugin<Infer<S>, In, Out> & { readonly params: S } {
  return plugin as StepPlugin<Infer<S>, In, Out> & { readonly params: S }; // The schema's static type is what Infer reads.
}
