import type { JsonValue } from './json.ts';

/** How far a step is; shown live and not kept with the artifact. */
export interface ProgressEvent {
  readonly type: 'progress';
  /** What is being done, such as `training`. */
  readonly activity: string;
  /** Units finished. */
  readonly done: number;
  /** Units in all; absent where that is not known. */
  readonly total?: number;
  /** Such as `iterations`, `rows`, `MB`. */
  readonly unit?: string;
  /** A few words beside the bar, such as `loss 0.31`. */
  readonly detail?: string;
}

/** A line for the step's log. */
export interface LogEvent {
  readonly type: 'log';
  readonly level: 'debug' | 'info' | 'warning' | 'error';
  readonly message: string;
}

/** One measured point of a curve; kept with the outputs, so a reused step reports it again. */
export interface CurveEvent {
  readonly type: 'curve';
  /** The curve's name, such as `train loss`. */
  readonly name: string;
  /** Usually the iteration, from 0. */
  readonly x: number;
  readonly y: number;
  /** What `x` counts; the default is `iteration`. */
  readonly xUnit?: string;
}

/** A sentence for the report: what was done and why; kept with the outputs. */
export interface FindingEvent {
  readonly type: 'finding';
  /** `headline` opens the step's section; `warning` is shown with a mark. The default is `detail`. */
  readonly weight?: 'headline' | 'detail' | 'warning';
  readonly text: string;
}

/** A table for the report; kept with the outputs. */
export interface TableEvent {
  readonly type: 'table';
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly JsonValue[])[];
}

/** A piece of a text. */
export interface Span {
  readonly text: string;
  /** Set off, such as what is learned of a row. */
  readonly isMarked?: true;
  /** Held back, such as special tokens. */
  readonly isFaint?: true;
}

/** Texts of which parts are set off, for the report; kept with the outputs. */
export interface PassagesEvent {
  readonly type: 'passages';
  readonly title: string;
  /** The pieces of each text, one after the other. */
  readonly passages: readonly (readonly Span[])[];
}

/** What a step tells while it runs. */
export type StepEvent = ProgressEvent | LogEvent | CurveEvent | FindingEvent | TableEvent | PassagesEvent;
