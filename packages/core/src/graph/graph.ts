import type { JsonObject, Ports, StepPlugin, WorkspaceUse } from '@joyul/plugin-api';

/** A plugin that a pipeline uses, and where its code is. */
export interface ResolvedPlugin {
  /** The package name, such as `@joyul/step-train`. */
  readonly packageName: string;
  readonly version: string;
  /** The file that a worker imports. */
  readonly entry: string;
  /** Digest of the plugin's own code, part of the fingerprint. */
  readonly codeDigest: string;
  readonly plugin: StepPlugin;
}

/** What the engine needs of a plugin after linking: data only, so that a linked pipeline can be kept in a file. */
export interface PluginFacts extends Pick<
  StepPlugin,
  'name' | 'revision' | 'inputs' | 'runsIn' | 'usesTensors' | 'cacheable' | 'continues'
> {
  readonly packageName: string;
  readonly version: string;
  readonly entry: string;
  readonly codeDigest: string;
}

/** One end of an edge: an output port of another step. */
export interface PortReference {
  readonly step: string;
  readonly port: string;
}

/** How often and when a failed attempt is tried again. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  readonly delayMs: number;
  /** The delay grows by this factor each time. */
  readonly factor: number;
  readonly maxDelayMs: number;
  /** Share of the delay that is random, from 0 to 1. */
  readonly jitter: number;
  /** Only failures with one of these exit or error codes are tried again; absent means all. */
  readonly on?: readonly (number | string)[];
}

/** A condition on what a step measured; it is judged from this alone when the step has ended. */
export interface Gate {
  /** The expression, without `${{ }}`. */
  readonly check: string;
  /** What the expression reads beside `metrics`: values of `params`, `env`, `matrix` and `run`. */
  readonly values: JsonObject;
  /** What a person is told when it refuses, beside what was measured; absent means only that. */
  readonly message?: string;
  /** `file:line:column` of the check. */
  readonly place: string;
}

/** One step, ready to be planned: params resolved and validated, inputs wired and type-checked. */
export interface GraphStep {
  /** Unique; matrix instances look like `train@lr=0.001`, steps of a pipeline that is used like `tune/train`. */
  readonly id: string;
  /** The keys in the YAML files, such as `train` or `tune/train`; several matrix instances share it. */
  readonly group: string;
  readonly plugin: PluginFacts;
  /** After defaults and expressions. Secrets stay as references until the step starts. */
  readonly params: JsonObject;
  /** By input port, in the order written. */
  readonly inputs: Readonly<Record<string, readonly PortReference[]>>;
  /** The plugin's output ports, with those that depend on the params. */
  readonly outputs: Ports;
  /** What the step touches in the project folder beside its ports. */
  readonly workspace: WorkspaceUse;
  /** Ids of the steps whose outputs this one reads, in code-unit order. */
  readonly needs: readonly string[];
  readonly retry: RetryPolicy;
  readonly timeoutMs?: number;
  /** What the step takes from each pool while it runs; `cpu` counts cores. */
  readonly resources: Readonly<Record<string, number>>;
  /** Whether outputs may be reused and kept. */
  readonly cache: 'rw' | 'ro' | 'wo' | 'off';
  /** Declared environment variables, after expressions. */
  readonly environment: Readonly<Record<string, string>>;
  /** Environment variables whose value is a secret: the secret's name by variable. Absent means none. */
  readonly secretEnvironment?: Readonly<Record<string, string>>;
  /** Conditions on what the step measures, in the order written; absent means none. */
  readonly gates?: readonly Gate[];
  /** False when `if:` was false: the step and what needs it are left out. */
  readonly isEnabled: boolean;
}

/** When a pipeline is started by itself; checked, and absent keys mean the defaults. */
export interface Schedule {
  /** Five fields, or a word such as `@daily`. */
  readonly cron: string;
  /** An IANA name; the default is UTC. */
  readonly timezone?: string;
  /** What happens when the last run still runs; the default is `skip`. */
  readonly overlap?: 'skip' | 'buffer_one' | 'buffer_all' | 'cancel_other' | 'terminate_other' | 'allow_all';
  /** Which missed runs are made up for; the default is `none`. */
  readonly catchup?: 'none' | 'last' | 'all';
  readonly catchup_window?: string | number;
  readonly jitter?: string | number;
  readonly pause_on_failure?: boolean;
  /** ISO 8601. */
  readonly start?: string;
  /** ISO 8601. */
  readonly end?: string;
}

/** A linked pipeline: ports checked, no cycles. */
export interface Graph {
  readonly name: string;
  /** Absolute. */
  readonly projectDir: string;
  /** The pipeline file, relative to the project. */
  readonly file: string;
  readonly params: JsonObject;
  readonly seed: number;
  /** In an order in which each step comes after all that it needs. */
  readonly steps: readonly GraphStep[];
  readonly byId: ReadonlyMap<string, GraphStep>;
  /** Capacity of each pool; `cpu` is the number of cores unless the pipeline says otherwise. */
  readonly pools: Readonly<Record<string, number>>;
  /** Names of the devices in pools that are lists, which steps are lent one by one; absent means none. */
  readonly devices?: Readonly<Record<string, readonly string[]>>;
  readonly schedule?: Schedule;
  /** Digest of what the files say, to tell whether they have changed; absent for a graph that was not read. */
  readonly digest?: string;
}
