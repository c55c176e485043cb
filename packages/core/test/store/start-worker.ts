import { spawn } from 'node:child_process';

/** How a worker process ended, and what it wrote. */
export interface EndedWorker {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a script in a process of its own, which a test may kill. */
export function startWorker(
  file: string,
  args: readonly string[],
): { kill(): void; readonly ended: Promise<EndedWorker> } {
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const ended = new Promise<EndedWorker>((resolve) => {
    child.on('close', (exitCode) => {
      resolve({ exitCode, stdout, stderr });
    });
  });
  return { kill: () => child.kill('SIGKILL'), ended };
}
