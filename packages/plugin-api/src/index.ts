/**
 * The contract a step plugin fulfils.
 *
 * A plugin package default-exports one {@link StepPlugin}, made with {@link defineStep}. It reads only
 * its inputs, writes only its outputs, and gets everything else it needs from its {@link StepContext}.
 */

export type { JsonObject, JsonValue } from './json.ts';
export type { Continues, EarlierState, Prefix, PrefixRequest } from './prefix.ts';
export { StepFailure } from './step-failure.ts';
export type { Problem } from './step-failure.ts';
export type {
  CurveEvent,
  FindingEvent,
  LogEvent,
  PassagesEvent,
  ProgressEvent,
  Span,
  StepEvent,
  TableEvent,
} from './step-event.ts';
export { defineStep } from './step-plugin.ts';
export type {
  ArtifactType,
  Backend,
  Infer,
  InputOf,
  Issue,
  Port,
  Ports,
  Schema,
  StepContext,
  StepPlugin,
  WorkspaceUse,
} from './step-plugin.ts';
