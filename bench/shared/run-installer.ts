import { spawn } from 'node:child_process';

/** Runs an installer; undefined when it went well, otherwise the end of what it said. */
export async function runInstaller(command: readonly string[], cwd: string): Promise<string | undefined> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const parts: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => parts.push(data));
  child.stderr.on('data', (data: Buffer) => parts.push(data));
  return new Promise((resolve) => {
    child.on('error', (error) => {
      resolve(error.message);
    });
    child.on('close', (code) => {
      const text = Buffer.concat(parts).toString().trim().split('\n').slice(-3).join(' ');
      resolve(code === 0 ? undefined : `${file} ended with ${code ?? 'a signal'}: ${text}`);
    });
  });
}
