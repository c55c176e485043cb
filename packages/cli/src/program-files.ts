import { fileURLToPath } from 'node:url';

/**
 * Where a program of this package is: `main`, or `scheduled-run`.
 *
 * In the sources it is above the folder of commands; everything that is built lies in one folder.
 */
export function programFile(name: 'main' | 'scheduled-run'): string {
  const isSource = import.meta.url.endsWith('.ts');
  return fileURLToPath(new URL(`./${name}${isSource ? '.ts' : '.cjs'}`, import.meta.url));
}
