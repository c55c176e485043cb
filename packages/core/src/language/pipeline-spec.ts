import type { GraphStep, Schedule } from '../graph/graph.ts';

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
}

/** A pipeline whose shape is right, with its files and its profile put together. */
export interface PipelineSpec {
  readonly name: string;
  readonly params?: Fields;
  readonly seed?: number;
  readonly env?: readonly string[] | Readonly<Record<string, string | number | boolean | null>>;
  readonly secrets?: readonly string[];
  readonly pools?: Readonly<Record<string, string | number>>;
  readonly schedule?: Schedule;
  readonly steps: Readonly<Record<string, StepSpec>>;
}
