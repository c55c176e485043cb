/** The Python environment with the peers. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInstaller } from '../shared/run-installer.ts';

const requirements = join(import.meta.dirname, 'python', 'requirements.txt');

/** The variable that names a Python which has the peers already. */
export const pythonVariable = 'JOYUL_BENCH_PYTHON';

/**
 * The Python that has PyTorch and the rest, installed once into a folder of its own.
 *
 * @throws when an installer fails; what it said last is in the message.
 */
export async function preparePython(cache: string, base: string): Promise<string> {
  const given = process.env[pythonVariable];
  if (given !== undefined) return given;
  const folder = join(cache, 'python');
  const python = join(folder, 'bin', 'python');
  const stamp = join(folder, 'installed');
  if (existsSync(stamp)) return python;
  console.error('Installing PyTorch, transformers, peft and trl (some gigabytes, once) …');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const command of [
    [base, '-m', 'venv', folder],
    [python, '-m', 'pip', 'install', '--quiet', '--requirement', requirements],
  ]) {
    const problem = await runInstaller(command, folder);
    if (problem !== undefined) throw new Error(`The peers cannot be installed: ${problem}`);
  }
  writeFileSync(stamp, '');
  return python;
}
