import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Row } from '@joyul/data';
import type { Context } from './context.ts';

/** Counts how often this test split has been opened by this user, and that it is open now. */
export async function countOpening(rows: readonly Row[], dir: string): Promise<number> {
  const digest = createHash('sha256')
    .update(rows.map((row) => row.id).join('\n'))
    .digest('hex');
  await mkdir(join(dir, 'test-openings'), { recursive: true });
  const file = join(dir, 'test-openings', digest.slice(0, 32));
  const before = Number(await readFile(file, 'utf8').catch(() => '0'));
  await writeFile(file, String(before + 1));
  return before + 1;
}

/** Warns where the split has been looked at before. */
export function tellOpenings({ emit }: Pick<Context, 'emit'>, openings: number): void {
  if (openings > 1)
    emit({
      type: 'finding',
      weight: 'warning',
      text: `This test split has been opened ${openings} times: choices made after looking at it make the result look better than it is.`,
    });
}
