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
export { catalogue } from './diagnostics/catalogue.ts';
export { describeDiagnostic, formatDiagnostic } from './diagnostics/diagnostic.ts';
export type { Diagnostic } from './diagnostics/diagnostic.ts';
export { explainCode, formatReference } from './diagnostics/reference.ts';
export type {
  ArtifactSummary,
  Event,
  EventBody,
  FailureSummary,
  FileDifference,
  PlannedStep,
  StepEnd,
} from './events/event.ts';
export { compareRuns } from './explain/compare-runs.ts';
export type { RunComparison, StepComparison } from './explain/compare-runs.ts';
export { formatLock, lockFileOf, parseLock } from './explain/lock-file.ts';
export { checkLock, makeLock } from './explain/lock.ts';
export type { Lock, LockDifference } from './explain/lock.ts';
export type { MetricChange } from './explain/metrics.ts';
export { makeLineage } from './explain/open-lineage.ts';
export { previewRun } from './explain/preview-run.ts';
export type { Preview, PreviewedStep } from './explain/preview-run.ts';
export { explainSteps } from './explain/why.ts';
export type { Cause, Why } from './explain/why.ts';
export { formatDot, formatMermaid } from './graph/format-graph.ts';
export { formatSvg } from './graph/format-svg.ts';
export type { DrawnRun } from './graph/format-svg.ts';
export type { Gate, Graph, GraphStep } from './graph/graph.ts';
export type { StepPlaces } from './graph/places.ts';
export { makePluginCatalog, ownPlugins } from './graph/plugin-catalog.ts';
export type { PluginCatalog } from './graph/plugin-catalog.ts';
export { selectSteps } from './graph/select-steps.ts';
export { splitTargets } from './graph/step-id.ts';
export type { Selection } from './graph/select-steps.ts';
export { makeEditorSchema } from './language/editor-schema.ts';
export { loadPipeline } from './language/load-pipeline.ts';
export type { LoadOptions, LoadResult } from './language/load-pipeline.ts';
export { loadGraph } from './load-graph.ts';
export { describeChange, leftOutOnPurpose } from './plan/explain.ts';
export { judgeGates } from './plan/gates.ts';
export type { GateRefusal } from './plan/gates.ts';
export { readMetrics } from './plan/metrics.ts';
export type { Metrics } from './plan/metrics.ts';
export { findMissingFiles } from './plan/missing-files.ts';
export { planPipeline } from './plan/plan-pipeline.ts';
export type { Plan, PlanOptions } from './plan/plan-pipeline.ts';
export { formatBytes, formatDuration, formatNumber } from './report/format-numbers.ts';
export { formatDifferences, formatVerdict } from './report/format-verification.ts';
export { markPassage } from './report/mark-passage.ts';
export { collectCurves, formatSparkline, renderReport, renderStep } from './report/render-report.ts';
export { MissingSecretsError, runPipeline } from './run-pipeline.ts';
export type { RunOptions, RunResult } from './run-pipeline.ts';
export { EventFollower, LogReader } from './runs/read-log.ts';
export { findRunIds, isKeptRun, setRunKept } from './runs/kept-runs.ts';
export type { LogLine } from './runs/read-log.ts';
export {
  eventsFile,
  findRunId,
  listRunIds,
  readEvents,
  readRunHead,
  readRunRecord,
  readStepIds,
} from './runs/run-files.ts';
export type { RunHead } from './runs/run-files.ts';
export { RunRecorder, makeRunRecord } from './runs/run-record.ts';
export type { RunEnd, RunRecord, StepRecord, StepVerification } from './runs/run-record.ts';
export { listLiveRuns } from './store/run-lease.ts';
export { forgetScratch } from './store/forget-scratch.ts';
export { askToEnd, endNow, endOrphans, isProcessAlive, ownProcess } from './util/processes.ts';
export { nodeFileSystem } from './util/file-system.ts';
export { writeFileAtomically } from './util/files.ts';
export { findNearest } from './util/suggest.ts';
export { formatContinuedFrom } from './util/continued-from.ts';
export { plainMarks } from './util/word-diff.ts';
export type { WordMarks } from './util/word-diff.ts';
export { joyulVersion } from './util/version.ts';
