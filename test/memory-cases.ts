import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadBinding } from '@joyul/compute';

/** Memory is predicted for TensorFlow; without it there is nothing to compare. */
export const hasTensorflow = loadBinding().isLoaded && process.platform === 'linux';

/** One program's memory. */
interface MeasuredCase {
  readonly name: string;
  readonly predictedMb: number;
  readonly seenMb: number;
}

/** Runs the memory benchmark for the cases whose name holds `only`, each in a process of its own. */
export async function measureMemory(only: string): Promise<readonly MeasuredCase[]> {
  const script = join(import.meta.dirname, '..', 'bench', 'memory', 'main.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--json', '--only', only]);
  return JSON.parse(stdout) as readonly MeasuredCase[]; // Rows of main.ts.
}
