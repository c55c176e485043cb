import type { GraphStep, Schedule } from '../graph/graph.ts';
import type { GateSpec } from './gates.ts';

type Fields = Readonly<Record<string, unknown>>;

/** One step whose shape is right, before anything in it is computed. */
export interface StepSpec {
  readonly uses: string;
  readonly with?: Fields;
  readonly inputs?: Readonly<Record<string, string | readonly string[]>>;
  readonly if?: string | boolean;
  readonly matrix?: Fields;
  readonly retry?: Fields;
  readonly timeout?: string | number;
  readonly resources?: Readonly<Record<string, string | number>>;
  readonly cache?: GraphStep['cache'] | boolean;
  readonly environment?: Fields;
  readonly gates?: readonly GateSpec[];
}

/** What a pipeline file says that it is given. */
export interface InputSpec {
  readonly type: string;
  readonly optional?: boolean;
  readonly many?: boolean;
}

/** What a pipeline file says that it gives: a step and its port. */
export type OutputSpec = string | { readonly from: string; readonly type?: string };

/** A pipeline whose shape is right, with its files and its profile put together. */
export interface PipelineSpec {
  readonly name: string;
  readonly params?: Fields;
  readonly seed?: number;
  readonly env?: readonly string[] | Readonly<Record<string, string | number | boolean | null>>;
  readonly secrets?: readonly string[];
  readonly inputs?: Readonly<Record<string, InputSpec>>;
  readonly outputs?: Readonly<Record<string, OutputSpec>>;
  readonly pools?: Readonly<Record<string, string | number | readonly (string | number)[]>>;
  readonly schedule?: Schedule;
  readonly steps: Readonly<Record<string, StepSpec>>;
}
