export { parseAgeLimit, parseSizeLimit, readCacheSettings } from './cache/cache-settings.ts';
export type { CacheSettings } from './cache/cache-settings.ts';
export { summarizeCache } from './cache/cache-stats.ts';
export type { Amount, CacheStats } from './cache/cache-stats.ts';
export type { AfterRun } from './cache/collect-after-run.ts';
export { collectGarbage, planCollection } from './cache/collect-garbage.ts';
export type { Collected, CollectPlan } from './cache/collect-garbage.ts';
export { findOwners } from './cache/find-owners.ts';
export { repairStore } from './cache/repair-store.ts';
export { verifyStore } from './cache/verify-store.ts';
export type { FlawedObject, Verification } from './cache/verify-store.ts';
export { measureFolder } from './cache/walk.ts';
export { compareRuns } from './compare-runs.ts';
export type { MetricChange, StepComparison } from './compare-runs.ts';
export { catalogue } from './diagnostics/catalogue.ts';
export { describeDiagnostic, formatDiagnostic } from './diagnostics/diagnostic.ts';
export type { Diagnostic } from './diagnostics/diagnostic.ts';
export type {
  ArtifactSummary,
  Event,
  EventBody,
  FailureSummary,
  PlannedStep,
  StepEnd,
} from './events/event.ts';
export { formatDot, formatMermaid } from './graph/format-graph.ts';
export type { Graph, GraphStep } from './graph/graph.ts';
export { makePluginCatalog, ownPlugins } from './graph/plugin-catalog.ts';
export type { PluginCatalog } from './graph/plugin-catalog.ts';
export { selectSteps } from './graph/select-steps.ts';
export type { Selection } from './graph/select-steps.ts';
export { makeEditorSchema } from './language/editor-schema.ts';
export { loadPipeline } from './language/load-pipeline.ts';
export type { LoadOptions, LoadResult } from './language/load-pipeline.ts';
export { describeChange, leftOutOnPurpose } from './plan/explain.ts';
export { explainStep, planPipeline } from './plan/plan-pipeline.ts';
export type { Explanation, Plan, PlanOptions } from './plan/plan-pipeline.ts';
export {
  collectCurves,
  formatBytes,
  formatDuration,
  formatNumber,
  formatSparkline,
  renderReport,
} from './report/render-report.ts';
export { runPipeline } from './run-pipeline.ts';
export type { RunOptions, RunResult } from './run-pipeline.ts';
export { findRunIds, isKeptRun, setRunKept } from './runs/kept-runs.ts';
export { listRunIds, makeRunRecord, readRunRecord } from './runs/run-record.ts';
export type { RunRecord, StepRecord } from './runs/run-record.ts';
export { findNearest } from './util/suggest.ts';
export { joyulVersion } from './util/version.ts';
