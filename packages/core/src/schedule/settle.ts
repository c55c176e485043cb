import { randomBytes } from 'node:crypto';
import { transition } from './machine.ts';
import type { StateFiles } from './state-files.ts';
import type { ScheduleNotice, ScheduleRules, ScheduleState } from './state.ts';
import { makeScheduleState } from './state.ts';

/**
 * Takes the commands that wait for a schedule, in the place of a scheduler that does not run.
 *
 * Nothing is started: what may start waits in the state. Whoever calls this holds the lock.
 */
export function settleCommands(files: StateFiles, rules: ScheduleRules): readonly ScheduleNotice[] {
  const { name } = rules;
  const notices: ScheduleNotice[] = [];
  let state: ScheduleState =
    files.read(name) ?? makeScheduleState(rules, Date.now(), randomBytes(4).toString('hex'));
  for (const { id, command } of files.readCommands(name)) {
    const next = transition(state, { kind: 'command', nowMs: Date.now(), id, command }, rules);
    state = next.state;
    files.save(name, state);
    files.dropCommand(name, id);
    for (const effect of next.effects) if (effect.kind === 'tell') notices.push(effect.notice);
  }
  return notices;
}
