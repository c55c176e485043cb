/** Schedules: what `joyul schedule` is made of. Apart from the main entry, so that other commands do not load it. */
export type { Schedule } from './graph/graph.ts';
export { findScheduleProblems } from './language/schedule.ts';
export type { ScheduleProblem } from './language/schedule.ts';
export { parseDuration } from './language/units.ts';
export type { FoundDefinition, ScheduleDefinition } from './schedule/definition.ts';
export {
  isScheduleName,
  listScheduleNames,
  readDefinition,
  readDefinitions,
  removeDefinition,
  writeDefinition,
} from './schedule/definition.ts';
export { processIdOf } from './schedule/exclusive.ts';
export { SchedulerLock } from './schedule/lock.ts';
export type { LockHolder } from './schedule/lock.ts';
export { ProcessHost } from './schedule/process-host.ts';
export { makeScheduleRules } from './schedule/rules.ts';
export { claimRun, findClaimedFate, recordRunEnd } from './schedule/run-claim.ts';
export { Alarm, runScheduler } from './schedule/run-scheduler.ts';
export { Scheduler } from './schedule/scheduler.ts';
export { settleCommands } from './schedule/settle.ts';
export { StateFiles, stateDirOf } from './schedule/state-files.ts';
export { makeScheduleState, maxWaiting } from './schedule/state.ts';
export type {
  ActiveRun,
  EndedRun,
  Overlap,
  PassedTimes,
  RunCause,
  ScheduleCommand,
  ScheduleNotice,
  ScheduleRules,
  ScheduleState,
  WaitingRun,
} from './schedule/state.ts';
export { parseLocalDate } from './timing/local-date.ts';
export { findDelay, findNextTime, listTimes } from './timing/timing.ts';
export type { Timing } from './timing/timing.ts';
export { findZone } from './timing/zone.ts';
export type { Zone } from './timing/zone.ts';
