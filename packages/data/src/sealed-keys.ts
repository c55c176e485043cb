import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { duplicateKey } from './clean.ts';
import type { Row } from './row.ts';

const keysFile = 'sealed-keys.json';

/** What a row asks: the last words of the user, or its whole text. */
export const askedOf = ({ text, messages }: Pick<Row, 'text' | 'messages'>): string =>
  messages?.findLast(({ role }) => role === 'user')?.content ?? text;

/** The digest of a question but for case, punctuation and blanks: equal ones can be told without being read. */
export const sealedKeyOf = (asked: string): string =>
  createHash('sha256')
    .update(duplicateKey(asked) || asked)
    .digest('hex')
    .slice(0, 32);

async function writeKeys(dir: string, keys: ReadonlySet<string>): Promise<void> {
  await writeFile(join(dir, keysFile), `${JSON.stringify({ version: 1, keys: [...keys].sort() })}\n`);
}

/** Writes into a data-set artifact what the sealed test rows ask, as digests: enough to keep others from repeating them. */
export async function writeSealedKeys(dir: string, test: AsyncIterable<Row>): Promise<void> {
  const keys = new Set<string>();
  for await (const row of test) keys.add(sealedKeyOf(askedOf(row)));
  await writeKeys(dir, keys);
}

/** Writes into a data-set artifact what it does for another one that was made of it. */
export const copySealedKeys = async (from: string, to: string): Promise<void> =>
  writeKeys(to, await readSealedKeys(from));

/** The digests of what sealed test rows ask; empty for a data set of an older version. */
export async function readSealedKeys(dir: string): Promise<ReadonlySet<string>> {
  const text = await readFile(join(dir, keysFile), 'utf8').catch(() => undefined);
  if (text === undefined) return new Set();
  const { keys } = JSON.parse(text) as { readonly keys: readonly string[] }; // Written by the function above.
  return new Set(keys);
}
