import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  EventFollower,
  askToEnd,
  endNow,
  eventsFile,
  formatDuration,
  isProcessAlive,
  listLiveRuns,
  readRunHead,
} from '@joyul/core';
import type { Event, RunHead } from '@joyul/core';
import { parseArguments, readWholeNumber } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { findRunByName } from '../find-run.ts';
import { findProject } from '../project.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  force: { type: 'boolean', short: 'f' },
  grace: { type: 'string' },
  'no-wait': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** How often a run that is ending is looked at. */
const pollMs = 100;
/** How long steps may take to write checkpoints; the engine itself gives them three quarters of it. */
const graceSeconds = 20;

/** Runs of this project that go on now, the newest last. */
function listRunning(projectDir: string): readonly RunHead[] {
  const ids = listLiveRuns(join(projectDir, '.joyul')).map(({ runId }) => runId);
  return [...new Set(ids)]
    .sort()
    .filter((runId) => existsSync(eventsFile(projectDir, runId)))
    .flatMap((runId) => readRunHead(projectDir, runId) ?? [])
    .filter(({ end }) => end === 'running');
}

const describe = ({ runId, file, startedMs }: RunHead): string =>
  `${runId} of ${file}, for ${formatDuration(Date.now() - startedMs)}`;

/** The run that is meant: the one that was named, or the only one that goes on; undefined when there is none to end. */
function findTarget(projectDir: string, name: string | undefined): RunHead | undefined {
  if (name !== undefined && name !== 'last') {
    const head = readRunHead(projectDir, findRunByName(projectDir, name));
    if (head?.end === 'running') return head;
    process.stderr.write(`Run ${head?.runId ?? name} is not running: it ${describeEnd(head?.end)}.\n`);
    return undefined;
  }
  const running = listRunning(projectDir);
  if (running.length > 1 && name === undefined)
    throw new UsageError(
      `Name one of the runs that go on, \`joyul cancel RUN\`:\n${running.map((head) => `  ${describe(head)}`).join('\n')}`,
    );
  if (running.length === 0) process.stderr.write('No run of this project is running.\n');
  return running.at(-1);
}

function describeEnd(end: RunHead['end'] | undefined): string {
  switch (end) {
    case 'cancelled':
    case 'interrupted':
      return `was ${end}`;
    case 'checkpointed':
      return 'stopped at a checkpoint';
    default:
      return end ?? 'has no record';
  }
}

/** What is worth telling while a run ends. */
function describeEvent(event: Event): string | undefined {
  if (event.kind !== 'step-ended' || event.fingerprint === undefined) return undefined;
  return event.end === 'cancelled' || event.end === 'failed' || event.end === 'succeeded'
    ? `  ${event.stepId}: ${event.end}${event.end === 'cancelled' ? `, ${event.reason}` : ''}`
    : undefined;
}

/** Waits until a run has ended, and tells what happens; `force` ends it when it takes too long. */
async function waitForEnd(
  projectDir: string,
  head: RunHead,
  { graceMs, isForced }: { readonly graceMs: number; readonly isForced: boolean },
): Promise<RunHead['end']> {
  const follower = new EventFollower(eventsFile(projectDir, head.runId));
  // What happened before is none of it.
  follower.read();
  const startMs = Date.now();
  let isLate = false;
  for (;;) {
    const isAlive = isProcessAlive(head.process);
    for (const event of follower.read()) {
      const line = describeEvent(event);
      if (line !== undefined) process.stderr.write(`${line}\n`);
    }
    if (!isAlive) return readRunHead(projectDir, head.runId)?.end ?? 'interrupted';
    if (!isLate && Date.now() - startMs >= graceMs) {
      isLate = true;
      if (isForced) endNow(head.process);
      process.stderr.write(
        isForced
          ? `It has not ended within ${formatDuration(graceMs)}, and is killed.\n`
          : `It is still ending. \`joyul cancel ${head.runId} --force\` kills it; what has succeeded is kept.\n`,
      );
    }
    await sleep(pollMs);
  }
}

/** Asks the run's process to end; why that cannot be done is told. */
function ask({ runId, process: name }: RunHead): boolean {
  const [id = ''] = name.split('-');
  switch (askToEnd(name)) {
    case 'asked':
      return true;
    case 'ended':
      process.stderr.write(`Run ${runId} has just ended.\n`);
      return false;
    case 'unsure':
      throw new UsageError(
        `This system does not tell whether process ${id} is still that of run ${runId}. If it is, end it: \`kill ${id}\`.`,
      );
    case 'refused':
      throw new UsageError(`Run ${runId} is process ${id} of another user, who may cancel it.`);
  }
}

/** `joyul cancel`. */
export const cancel: Command = {
  usage: `joyul cancel [RUN] [flags]

Ends a run that is going on in another process, as Ctrl-C does there: steps write checkpoints, and
\`joyul resume\` goes on from them. RUN is an id from \`joyul runs\`, or its end; the default is the only run
that is going on. Leaves with 0 when the run has ended, or was not running.

  -f, --force             kill it when it has not ended after a while
      --grace SECONDS     how long that is; the default is ${graceSeconds}
      --no-wait           only ask it to end

Examples:
  joyul cancel                              the run that is going on
  joyul cancel 4f2a1c --force               another one, by the end of its id`,
  async run(argv) {
    const args = parseArguments(argv, flags);
    if (args.positionals.length > 1) throw new UsageError(`Name one run, not ${args.positionals.length}.`);
    const graceMs = 1000 * (readWholeNumber(args, 'grace', 0) ?? graceSeconds);
    const projectDir = findProject(process.cwd());
    const head = findTarget(projectDir, args.positionals[0]);
    if (head === undefined || !ask(head)) return exitCodes.done;
    process.stderr.write(`Cancelling run ${describe(head)}.\n`);
    if (args.has('no-wait')) return exitCodes.done;
    const end = await waitForEnd(projectDir, head, { graceMs, isForced: args.has('force') });
    process.stderr.write(
      end === 'succeeded'
        ? `Run ${head.runId} succeeded before it could be cancelled.\n`
        : `Run ${head.runId} ${describeEnd(end)}. \`joyul resume ${head.runId}\` goes on with it.\n`,
    );
    return exitCodes.done;
  },
};
