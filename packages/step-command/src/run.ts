import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { StepFailure } from '@joyul/plugin-api';
import type { StepContext } from '@joyul/plugin-api';
import { execa } from 'execa';

interface CommandParams {
  readonly run: string | readonly string[];
  readonly outputs: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly extent?: number;
}

const graceMs = 5000;
/** EX_TEMPFAIL: the program stopped at a checkpoint and can be gone on with. */
const checkpointExitCode = 75;

/** Signals a program's whole process group, which it leads. */
function signalGroup(processId: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (processId === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? processId : -processId, signal);
  } catch {
    // The group has ended already.
  }
}

/** A program that is asked for an extent is told what a shorter run left, and where to leave what a longer one needs. */
async function takePrefix(context: StepContext<CommandParams>): Promise<Record<string, string>> {
  const { extent } = context.params;
  if (extent === undefined) return {};
  // Whether it has a checkpoint that has come further, only the program knows.
  const { earlier, keep } = await context.takePrefix({ extent });
  return {
    JOYUL_EXTENT: String(extent),
    ...(earlier === undefined
      ? {}
      : { JOYUL_PREFIX: earlier.dir, JOYUL_PREFIX_EXTENT: String(earlier.extent) }),
    ...(keep === undefined ? {} : { JOYUL_KEEP: keep }),
  };
}

/** What the program is told of its inputs, outputs and seed. */
async function makeEnvironment(context: StepContext<CommandParams>): Promise<Record<string, string>> {
  const inputs = [context.inputs['inputs'] ?? []].flat();
  return {
    ...context.env,
    ...context.params.env,
    JOYUL_SEED: String(context.seed),
    JOYUL_SCRATCH: context.scratch,
    ...(await takePrefix(context)),
    ...Object.fromEntries(inputs.map((folder, index) => [`JOYUL_INPUT_${index}`, folder])),
  };
}

/** Tells a stream's lines as they come; what it gives tells the last one, which may have no end. */
function tellLines(stream: Readable, tell: (line: string) => void): () => void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream.on('data', (bytes: Buffer) => {
    const lines = (rest + decoder.write(bytes)).split(/\r?\n/);
    rest = lines.pop() ?? '';
    lines.forEach(tell);
  });
  return () => {
    if (rest !== '') tell(rest);
  };
}

/**
 * Runs the program and waits for it and all that it started.
 *
 * @throws StepFailure with the code EXIT_n when it ends with the exit code n.
 */
export async function runCommand(context: StepContext<CommandParams>): Promise<void> {
  const { params, projectDir, signal, emit } = context;
  // One that came before there is a listener would be seen by none.
  signal.throwIfAborted();
  for (const path of Object.values(params.outputs)) {
    // What an earlier attempt left there must not pass for this one's output.
    rmSync(join(projectDir, path), { recursive: true, force: true });
    mkdirSync(dirname(join(projectDir, path)), { recursive: true });
  }
  const [file = '', ...args] = typeof params.run === 'string' ? [params.run] : params.run;
  const environment = await makeEnvironment(context);
  const child = execa(file, args, {
    shell: typeof params.run === 'string',
    cwd: join(projectDir, params.cwd ?? '.'),
    env: environment,
    detached: process.platform !== 'win32',
    cleanup: true,
    reject: false,
    stdin: 'ignore',
    // Lines are taken as they come; nothing is kept.
    buffer: false,
  });
  const tell = (message: string): void => {
    emit({ type: 'log', level: 'info', message });
  };
  const rests = [child.stdout, child.stderr].map((stream) => tellLines(stream, tell));
  const cancel = (): void => {
    signalGroup(child.pid, 'SIGTERM');
    setTimeout(() => {
      signalGroup(child.pid, 'SIGKILL');
    }, graceMs).unref();
  };
  signal.addEventListener('abort', cancel);
  child.nodeChildProcess.on('exit', (exitCode) => {
    // Nothing is made of what a failed program's children still write; they would hold the pipes.
    if (exitCode !== 0) signalGroup(child.pid, 'SIGKILL');
  });
  try {
    const result = await child;
    for (const tellRest of rests) tellRest();
    // A program that was told to stop may say that it left a checkpoint.
    if (result.exitCode !== checkpointExitCode) signal.throwIfAborted();
    if (result.exitCode === undefined && result.signal === undefined)
      throw new StepFailure(
        'NOT_STARTED',
        `"${file}" could not be started: ${result.shortMessage ?? 'unknown reason'}.`,
        { help: 'Check that it is installed and on PATH.' },
      );
    if (result.signal !== undefined)
      throw new StepFailure('KILLED', `The program was ended by ${result.signal}.`);
    if (result.exitCode !== 0)
      throw new StepFailure(
        `EXIT_${result.exitCode ?? 1}`,
        `The program ended with exit code ${result.exitCode ?? 1}.`,
      );
  } finally {
    signal.removeEventListener('abort', cancel);
    // A child that outlives the program must not go on writing under the next step.
    signalGroup(child.pid, 'SIGKILL');
  }
}
