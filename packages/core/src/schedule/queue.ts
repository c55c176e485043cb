/** Which runs wait, which start, and which must end for others: the overlap policies. */
import type { ChangeLog } from './change-log.ts';
import type { ScheduleState, Stopping, WaitingRun } from './state.ts';
import { maxWaiting } from './state.ts';

const isManual = ({ cause }: Omit<WaitingRun, 'number'>): boolean =>
  cause === 'trigger' || cause === 'backfill';
const endsOthers = ({ overlap }: WaitingRun): boolean =>
  overlap === 'cancel_other' || overlap === 'terminate_other';

/** Lets a run wait for its turn, or not, as its policy says. */
export function enqueue(log: ChangeLog, nowMs: number, item: Omit<WaitingRun, 'number'>): void {
  const { state } = log;
  const reason = findObstacle(state, item);
  if (reason !== undefined) return skip(log, item, reason);
  const run: WaitingRun = { number: state.nextNumber, ...item };
  log.set({ nextNumber: run.number + 1 });
  if (endsOthers(run)) endOthers(log, nowMs, run);
  else log.set({ waiting: [...state.waiting, run] });
}

/** Why a run does not even wait; undefined where it does. */
function findObstacle(state: ScheduleState, { overlap }: Omit<WaitingRun, 'number'>): string | undefined {
  const { active, waiting } = state;
  if (waiting.length >= maxWaiting) return `${maxWaiting} runs wait already`;
  if (overlap === 'skip' && active.length + waiting.length > 0) return describeOther(state);
  if (overlap === 'buffer_one' && waiting.some((other) => other.overlap === 'buffer_one'))
    return 'one waits already';
  return undefined;
}

function describeOther({ active, waiting }: ScheduleState): string {
  const [running] = active;
  if (running !== undefined) return `no. ${running.number} still runs`;
  return `no. ${waiting[0]?.number ?? ''} waits`;
}

function skip(log: ChangeLog, run: Omit<WaitingRun, 'number'>, reason: string): void {
  if (!isManual(run)) log.pass('skipped', { count: 1, lastMs: run.timeMs });
  log.tell({ kind: 'skipped', run, reason });
}

/** Everything that runs is told to end; of several that want this, the newest stays. */
function endOthers(log: ChangeLog, nowMs: number, run: WaitingRun): void {
  const how = run.overlap === 'terminate_other' ? 'terminate' : 'cancel';
  const stop = (before: Stopping | undefined): Stopping => {
    if (before === undefined) return { how, sinceMs: nowMs, isTold: false };
    return how === 'terminate' && before.how === 'cancel' ? { ...before, how, sinceMs: nowMs } : before;
  };
  for (const other of log.state.waiting) if (endsOthers(other)) skip(log, other, `no. ${run.number} came`);
  log.set({
    active: log.state.active.map((other) => ({ ...other, stopping: stop(other.stopping) })),
    // Before what waits for its turn: it would otherwise have ended a run for nothing.
    waiting: [run, ...log.state.waiting.filter((other) => !endsOthers(other))],
  });
}

/** Starts what may start now. While a schedule is paused, only what a person asked for. */
export function startWaiting(log: ChangeLog, nowMs: number): void {
  const { waiting, paused } = log.state;
  // A backfill is long and not urgent: what is due by its time goes first.
  const order = [...waiting].sort(
    (left, right) => Number(left.cause === 'backfill') - Number(right.cause === 'backfill'),
  );
  for (const run of order) {
    if (paused !== undefined && !isManual(run)) continue;
    if (run.overlap !== 'allow_all' && log.state.active.length > 0) continue;
    const active = { ...run, phase: 'starting', attempt: 1, failures: 0, startedMs: nowMs } as const;
    log.set({
      waiting: log.state.waiting.filter((other) => other.number !== run.number),
      active: [...log.state.active, active],
    });
    log.start(run.number);
    log.tell({ kind: 'started', run: active });
  }
}
